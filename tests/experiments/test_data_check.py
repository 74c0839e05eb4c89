"""Bad data end many runs before the first: one line, exit code 2, and nothing is made."""

from pathlib import Path

import pytest

from recbole_dsl.__main__ import main
from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.data_check import check_data

COMMANDS = [
    ["tune", "--model=MF_SL", "--trials=1"],
    ["benchmark", "--model=MF_SL,BPR", "--seeds=2020"],
]


@pytest.fixture
def long_row(own_folder, make_dataset):
    """A dataset whose fourth line has a field too many."""
    name = make_dataset("long", [(f"u{n % 5}", f"i{n % 7}") for n in range(35)])
    path = Path("dataset/long/long.inter")
    lines = path.read_text().splitlines()
    lines[3] += "\t5"
    path.write_text("\n".join(lines) + "\n")
    return name


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=["tune", "benchmark"])
def test_a_bad_row_is_one_line_and_nothing_is_made(words, long_row, capsys):
    if words[0] == "tune":
        pytest.importorskip("optuna")
    assert main([*words, f"--dataset={long_row}"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("error: ") and "long.inter" in said.err and "line 4" in said.err
    assert [path.name for path in Path().iterdir()] == ["dataset"]


def test_one_model_that_can_use_them_is_enough(monkeypatch):
    def read(config):
        if config != "good":
            raise UsageError(config)

    monkeypatch.setattr("recbole_dsl.experiments.data_check._read", read)
    made = []

    def maker(name):
        return lambda: made.append(name) or name

    check_data([maker("a"), maker("good"), maker("b")])
    assert made == ["a", "good"]
    with pytest.raises(UsageError, match="^a$"):
        check_data([maker("a"), maker("b")])
