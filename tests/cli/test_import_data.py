"""``recbole_dsl import``: its flags, its words, its exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest
from import_files import HEADER, lines, write
from quick import ROOT

from recbole_dsl.cli.import_data import main


@pytest.mark.parametrize(
    "arguments",
    [
        ["r.csv", "--dataset=mine", "--sep=;", "--rating=None"],
        ["--sep", ";", "--rating", "None", "--dataset", "mine", "r.csv"],
        ["-d", "mine", "--overwrite", "r.csv", "--sep=;", "--rating="],
        ["-d", "mine", "--overwrite", "True", "r.csv", "--sep=;", "--rating=None"],
        [
            "-d",
            "mine",
            "r.csv",
            "--sep=;",
            "--rating=None",
            "--header",
            "True",
            "--overwrite=False",
        ],
    ],
)
def test_main_takes_flags_in_any_order_and_prints_the_summary(capsys, arguments):
    write("r.csv", "user;item;rating\na;b;bad\n")
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.startswith("columns: user = user, item = item (recognised by name)\npart  rows")
    assert f"wrote {Path('dataset/mine/mine.inter')}\n" in out and err == ""
    assert out.endswith("--dataset=mine reads mine.yaml: load_col: {inter: [user_id, item_id]}\n")
    assert lines() == [HEADER, "a\tb"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--dataset=NAME is missing: the name of the dataset to make"),
        (["--dataset=d"], "no file is given: FILE, or --train=FILE --test=FILE (see --help)"),
        (["a.csv", "b.csv"], "one FILE at a time, got a.csv and b.csv; a split has flags"),
        (["a.csv", "--usr=x"], "unknown flag --usr; did you mean user? (see --help)"),
        (["a.csv", "--user=x", "--user=y"], "--user is given twice: 'x' and 'y'"),
        (["a.csv", "--header=maybe"], "--header must be True or False, got 'maybe'"),
        (["a.csv", "--dataset"], "--dataset needs a value: --dataset=VALUE"),
        (
            ["a.csv", "--dataset=d"],
            "cannot read a.csv: [Errno 2] No such file or directory: 'a.csv'",
        ),
    ],
)
def test_main_says_in_one_line_what_is_wrong_and_returns_two(capsys, arguments, message):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {message}\n")
    assert not Path("dataset").exists()


def test_help_runs_as_a_module_and_fits_a_terminal():
    text = _python("-m", "recbole_dsl", "import", "--help")
    for flag in ("--dataset", "--train", "--valid", "--test", "--header", "--sep", "--overwrite"):
        assert flag in text
    assert max(map(len, text.splitlines())) <= 100


def _python(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout
