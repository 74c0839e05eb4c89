"""What every command line may look like, and what each mistake is called."""

import pytest

from recbole_dsl.cli import benchmark, run, settings, tune
from recbole_dsl.cli.command import help_text
from recbole_dsl.cli.parser import (
    Option,
    as_count,
    as_files,
    as_list,
    as_path_or_true,
    as_seconds,
    as_value,
    parse,
    switch,
)
from recbole_dsl.common.errors import UsageError

OPTIONS = (
    Option("model", "", "NAME", short="m"),
    Option("jobs", "", "N", "1", read=as_count),
    Option("max_seconds", "", "SECONDS", read=as_seconds),
    Option("files", "", "A B", aliases=("file_list", "old_files"), read=as_files),
    Option("parts", "", "A,B", read=as_list),
    Option("number", "", "N", read=as_value),
    switch("report", ""),
    Option("resume", "", "[PATH]", read=as_path_or_true),
)


def _parse(*words, settings=True, operands=True):
    return parse(OPTIONS, words, settings=settings, operands=operands)


@pytest.mark.parametrize(
    "words",
    [["--model=A=b"], ["--model", "A=b"], ["-m", "A=b"], ["-m=A=b"]],
    ids=" ".join,
)
def test_a_value_follows_an_equals_sign_or_a_blank(words):
    found = _parse(*words)
    assert found.options["model"] == "A=b" and found.given == {"model"}
    assert found.settings == [] and found.operands == [] and found.words == words


@pytest.mark.parametrize("name", ["files", "file_list", "old_files"])
def test_an_option_has_other_names(name):
    for words in ([f"--{name}=a b"], [f"--{name}", "a b"], [f"--{name}=[a, b]"]):
        found = _parse(*words, settings=False, operands=False)
        assert found.options["files"] == ["a", "b"] and found.given == {"files"}
    with pytest.raises(UsageError, match="--files is given twice: 'a' and 'b'"):
        _parse("--files=a", f"--{name}=b")
    with pytest.raises(UsageError, match="^--files needs a value: --files=VALUE$"):
        _parse(f"--{name}")
    with pytest.raises(UsageError, match="--files must be paths, got '.1.'"):
        _parse(f"--{name}=[1]")


@pytest.mark.parametrize(
    ("command", "words", "options"),
    [
        (run, ["--config_file_list=a.yaml b.yaml"], {"config_files": ["a.yaml", "b.yaml"]}),
        (settings, ["--config_file_list=['a.yaml']"], {"config_files": ["a.yaml"]}),
        (tune, ["--config_file_list=a", "--max_evals=7"], {"config_files": ["a"], "trials": 7}),
        (benchmark, ["--model_list=A,B", "--config_file_list=a"],
         {"model": ["A", "B"], "config_files": ["a"]}),
    ],
)  # fmt: skip
def test_recboles_names_are_taken(command, words, options):
    found = command.COMMAND.parse(words).options
    assert {key: found[key] for key in options} == options
    for word in words:
        assert word.partition("=")[0] in help_text(command.COMMAND)


def test_settings_are_kept_in_order_as_text():
    found = _parse("--tau=1", "-m", "X", "--c", "x=y", "--beta", "-3", "--lr", "-1e-3", "--a=")
    assert found.settings == [
        ("tau", "1"), ("c", "x=y"), ("beta", "-3"), ("lr", "-1e-3"), ("a", ""),
    ]  # fmt: skip
    assert found.options["model"] == "X"


def test_operands_may_stand_anywhere():
    found = _parse("a.pth", "--jobs", "2", "b.pth", "--tau", "0.1", "--report", "c.pth", "-")
    assert found.operands == ["a.pth", "b.pth", "c.pth", "-"]
    assert found.options["jobs"] == 2 and found.options["report"] is True
    assert found.settings == [("tau", "0.1")]


@pytest.mark.parametrize(
    ("words", "value", "rest"),
    [
        ([], False, []),
        (["--report"], True, []),
        (["--report=True"], True, []),
        (["--report=False"], False, []),
        (["--report", "False"], False, []),
        (["--report", "file"], True, ["file"]),
    ],
)
def test_a_switch_stands_alone_or_with_true_or_false(words, value, rest):
    found = _parse(*words)
    assert found.options["report"] is value and found.operands == rest


def test_options_not_given_have_their_default_or_are_left_out():
    found = _parse()
    assert found.options == {"jobs": 1, "report": False} and found.given == frozenset()


def test_values_are_read():
    found = _parse("--jobs=3", "--max_seconds=1e3", "--files=a b", "--parts=x,2", "--number=0.5")
    assert found.options == {
        "jobs": 3, "max_seconds": 1000.0, "files": ["a", "b"], "parts": ["x", 2], "number": 0.5,
        "report": False,
    }  # fmt: skip
    assert _parse("--parts=[x, 2]").options["parts"] == ["x", 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model"], "--model needs a value: --model=VALUE"),
        (["-m"], "--model needs a value: --model=VALUE"),
        (["--model", "--jobs=2"], "--model needs a value: --model=VALUE"),
        (["--tau"], "--tau needs a value: --tau=VALUE"),
        (["--tau", "--jobs=2", "0.1"], "--tau needs a value: --tau=VALUE"),
        (["--repor"], "--repor needs a value: --repor=VALUE; did you mean report?"),
        (["--model=A", "-m", "B"], "--model is given twice: 'A' and 'B'"),
        (["--model=A", "--model=A"], "--model is given twice: 'A' and 'A'"),
        (["--report", "--report=False"], "--report is given twice: 'True' and 'False'"),
        (["--tau=1", "--tau", "2"], "--tau is given twice: '1' and '2'"),
        (["--report=maybe"], "--report must be True or False, got 'maybe'"),
        (["--jobs=0"], "--jobs must be an integer >= 1, got '0'"),
        (["--jobs=two"], "--jobs must be an integer >= 1, got 'two'"),
        (["--max_seconds=-1"], "--max_seconds must be a number > 0, got '-1'"),
        (["--max_seconds=nan"], "--max_seconds must be a number > 0, got 'nan'"),
        (["-x", "1"], "unknown flag -x (see --help)"),
        (["-model=A"], "unknown flag -model; did you mean model? (see --help)"),
        (["-mA"], "unknown flag -mA (see --help)"),
    ],
)
def test_mistakes_are_named_in_one_line(words, message):
    with pytest.raises(UsageError) as caught:
        _parse(*words)
    assert str(caught.value) == message


def test_names_are_not_abbreviated():
    assert _parse("--job=2").settings == [("job", "2")]
    with pytest.raises(UsageError, match=r"^unknown flag --job; did you mean jobs\? \(see --help"):
        _parse("--job=2", settings=False)


def test_a_word_where_none_belongs_is_refused():
    with pytest.raises(UsageError, match=r"^unexpected argument 'ml-100k': options are written"):
        _parse("ml-100k", operands=False)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--resume"], True),
        (["--resume", "--report"], True),
        (["--resume", "saved/a.pth", "--report"], "saved/a.pth"),
        (["--resume=saved/a.pth"], "saved/a.pth"),
        (["--resume=True"], True),
        (["--resume", "False"], False),
    ],
)
def test_an_option_may_have_a_path_or_none(words, value):
    assert _parse(*words).options["resume"] == value
    assert "resume" not in _parse("--report").options
