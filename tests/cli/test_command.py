"""What all commands share: one entry, one help, one line for a mistake, exit codes."""

import inspect
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from quick import ROOT

from recbole_dsl import __version__
from recbole_dsl.__main__ import COMMANDS, main
from recbole_dsl.cli.command import Command, failed, help_text
from recbole_dsl.cli.parser import as_count, as_seconds, as_switch, as_value
from recbole_dsl.cli.process import Stopped
from recbole_dsl.common.errors import (
    NonFiniteLossError,
    NothingToSelectOnError,
    NoWinnerError,
    ProcessError,
    UsageError,
    WriteError,
)

NAMES = [
    "run", "import", "split", "tune", "benchmark", "diagnose", "recommend", "export", "serve",
    "list", "settings",
]  # fmt: skip


def _said(capsys, *words):
    code = main(words)
    return code, *capsys.readouterr()


def test_the_program_lists_its_commands(capsys):
    code, out, err = _said(capsys, "--help")
    assert code == 0 and err == "" and list(COMMANDS) == NAMES
    for name, command in COMMANDS.items():
        assert f"\n  {name:<12}{command.summary}\n" in out
    assert max(map(len, out.splitlines())) <= 100
    assert _said(capsys, "-h") == (0, out, "")
    assert _said(capsys) == (2, "", out)


def test_the_program_says_its_version(capsys):
    assert _said(capsys, "--version") == (0, f"recbole_dsl {__version__}\n", "")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tunee", "; did you mean tune?"),
        ("Benchmark", "; did you mean benchmark?"),
        ("--model=MF_SL", "; did you mean recbole_dsl run?"),
        ("xyz", ""),
    ],
)
def test_an_unknown_command_is_one_line_with_the_nearest(name, hint, capsys):
    code, out, err = _said(capsys, name)
    assert (code, out) == (2, "")
    assert err == f"error: unknown command {name!r} (known: {', '.join(NAMES)}){hint}\n"


@pytest.mark.parametrize("words", [["run", "list"], ["tune", "benchmark", "--jobs=2"]])
def test_a_command_behind_another_is_named(words, capsys):
    message = f"error: {words[1]!r} is a command of its own: recbole_dsl {words[1]}\n"
    assert _said(capsys, *words) == (2, "", message)


def test_the_script_knows_the_other_commands():
    command = [sys.executable, ROOT / "run_recbole_dsl.py", "tune", "--model=MF_SL"]
    done = subprocess.run(command, capture_output=True, text=True)
    message = "error: 'tune' is a command of its own: recbole_dsl tune\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_the_script_of_a_clone_that_is_not_installed_says_how():
    command = [sys.executable, "-S", ROOT / "run_recbole_dsl.py"]  # -S: no installed package
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    message = "error: the package yaml is not installed: pip install -e .\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


@pytest.mark.parametrize("name", NAMES)
def test_every_help_reads_the_same(name, capsys):
    code, out, err = _said(capsys, name, "--help")
    assert code == 0 and err == ""
    assert out.startswith(f"usage: recbole_dsl {name}")
    headings = re.findall(r"^([A-Z]\w+(?: \w+)?):$", out, re.MULTILINE)
    assert headings == ["Options", "Settings", "Examples", "Exit codes"]
    assert max(map(len, out.splitlines())) <= 100
    about = out.split("\n\n")[1]
    assert about[0].isupper() and about.endswith((".", ":"))
    assert re.search(r"^  0 +done$", out, re.MULTILINE)
    assert re.search(r"^  2 +wrong input; nothing is written$", out, re.MULTILINE)
    assert _said(capsys, name, "-h")[1] == out
    assert _said(capsys, name, "--nonsense", "--help")[:2] == (0, out)


def _in_help(text, section):
    """Names of the options that a section of a help names, and whether each takes a value."""
    block = text.split(f"\n{section}:\n")[1].split("\n\n")[0]
    return {
        match[1]: match[2] == "="
        for match in re.finditer(r"^  (?:-\w, )?--(\w+)(=|\s|$)", block, re.MULTILINE)
    }


def _sample(option):
    """A value that the option takes."""
    if option.default is not None:
        return option.default
    return "True" if option.read is as_switch else "3"


@pytest.mark.parametrize("name", NAMES)
def test_what_the_help_names_is_parsed_and_the_other_way_round(name):
    command = COMMANDS[name]
    named = _in_help(help_text(command), "Options")
    assert named.pop("help") is False
    assert list(named) == [option.name for option in command.options]
    for option in command.options:
        if not named[option.name]:
            assert option.read is as_switch
            assert command.parse([f"--{option.name}"]).options[option.name] is True
        found = command.parse([f"--{option.name}", _sample(option)])
        assert option.name in found.given and found.settings == []
        if option.short:
            assert command.parse([f"-{option.short}", "x"]).given == {option.name}
        if option.read in (as_count, as_seconds, as_value):
            assert found.options[option.name] != _sample(option)
    settings = _in_help(help_text(command), "Settings")
    if settings:
        assert "KEY" in settings
        for key in settings:
            assert command.parse([f"--{key}=1"]).settings == [(key, "1")]
    else:
        with pytest.raises(UsageError, match="unknown flag --KEY"):
            command.parse(["--KEY=1"])


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_a_command_line_that_is_taken(name):
    for example in COMMANDS[name].examples:
        COMMANDS[name].parse(shlex.split(example.replace("\\\n", "")))


def test_defaults_are_those_of_the_functions_behind():
    from recbole_dsl.data.importer.convert import import_interactions
    from recbole_dsl.data.splitting.write_files import write_split
    from recbole_dsl.experiments.diagnose_checkpoints import diagnose_checkpoints
    from recbole_dsl.experiments.tuning.search import tune

    for name, function in (
        ("import", import_interactions),
        ("split", write_split),
        ("tune", tune),
        ("diagnose", diagnose_checkpoints),
    ):
        parameters = inspect.signature(function).parameters
        for key, value in COMMANDS[name].parse([]).options.items():
            if key == "no_test":
                key, value = "tested", not value
            default = parameters[key].default
            assert value == (list(default) if isinstance(default, tuple) else default), (name, key)


def test_help_answers_without_loading_torch_recbole_numpy_or_pandas():
    code = (
        "import sys; from recbole_dsl.__main__ import COMMANDS, main\n"
        "assert not any(main(words) for words in [['-h'], *([name, '-h'] for name in COMMANDS)])\n"
        "sys.exit(str({'torch', 'recbole', 'numpy', 'pandas', 'optuna'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "set()\n"


def test_python_m_is_the_program():
    done = subprocess.run(
        [sys.executable, "-m", "recbole_dsl", "tunee"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.endswith("did you mean tune?\n")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("tau must be > 0"), 2, "error: tau must be > 0\n"),
        (ImportError("no such package"), 2, "error: no such package\n"),
        (NonFiniteLossError("nan"), 1, "error: nan\n"),
        (ProcessError("killed"), 1, "error: killed\n"),
        (NoWinnerError("none"), 1, "error: none\n"),
        (NothingToSelectOnError("none"), 1, "error: none\n"),
        (WriteError("cannot write x: No space left"), 1, "error: cannot write x: No space left\n"),
        (PermissionError(13, "Permission denied", "log"), 1, "error: log: Permission denied\n"),
        (OSError(5, "Input/output error"), 1, "error: Input/output error\n"),
        (KeyboardInterrupt(), 130, "interrupted; nothing is written\n"),
        (Stopped(signal.SIGTERM), 143, "stopped by SIGTERM; nothing is written\n"),
    ],
)
def test_each_end_has_its_line_and_exit_code(error, code, line, capsys):
    def work(given):
        raise error

    command = Command("x", "", [""], "", [], [], work)
    assert command.run([]) == code
    assert capsys.readouterr() == ("", line)


def test_a_command_reads_the_words_of_the_process(monkeypatch, capsys):
    command = Command("x", "", [""], "", [], [], lambda given: len(given.operands), operands=True)
    monkeypatch.setattr(sys, "argv", ["recbole_dsl", "a", "b", "c"])
    assert command.run() == 3


def test_what_is_no_mistake_of_the_user_keeps_its_traceback():
    def work(given):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        Command("x", "", [""], "", [], [], work).run([])


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("wandb", "pip install wandb"),
        ("optuna.samplers", 'pip install "recbole_dsl[tuning]"'),
        ("faiss", "pip install faiss-cpu"),
        ("recbole", "pip install --no-deps recbole==1.2.1"),
    ],
)
def test_a_package_that_is_not_installed_gets_its_install_line(name, install, capsys):
    assert failed(ModuleNotFoundError(f"No module named {name!r}", name=name), 2) == 2
    package = name.partition(".")[0]
    assert capsys.readouterr().err == f"error: the package {package} is not installed: {install}\n"


def test_an_error_of_several_lines_is_one_line(capsys):
    failed("a\n  b", 2)
    assert capsys.readouterr().err == "error: a b\n"
