"""The command line of a user's own script."""

import pytest

from recbole_dsl.cli.script_words import script_settings, script_words


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["a.py", "--epochs=3", "--tau=0.1"], [("epochs", "3"), ("tau", "0.1")]),
        (["a.py", "-m", "BPR", "--model", "BPR", "--fast", "x=1", "--=2"], []),
        (["a.py", "--eval_args={a: b=c}"], [("eval_args", "{a: b=c}")]),
        (["a.py"], []),
        ([""], []),
        (["/x/ipykernel_launcher.py", "--f=kernel.json"], []),
    ],
)
def test_settings_are_words_with_a_value(words, settings, monkeypatch):
    monkeypatch.setattr("sys.argv", words)
    assert script_settings() == settings
    assert script_words() == ([] if "ipykernel" in words[0] else words)
