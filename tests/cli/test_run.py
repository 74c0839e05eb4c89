"""``recbole_dsl run`` and ``python run_recbole_dsl.py``."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from quick import QUICK_PAIR, SCRIPT

from recbole_dsl.__main__ import main
from recbole_dsl.cli import run
from recbole_dsl.cli.run_options import files_and_settings


def _asked(*words):
    return files_and_settings(run.COMMAND.parse(words))


def test_files_and_settings_are_told_apart():
    files, pairs = _asked(
        "-m", "MF_SL", "--dataset=d", "--config_files=a.yaml b.yaml", "--tau", "0.1", "--nproc=2"
    )
    assert files == ["a.yaml", "b.yaml"]
    assert pairs == [("model", "MF_SL"), ("dataset", "d"), ("tau", "0.1"), ("nproc", "2")]


def test_model_and_dataset_have_defaults_unless_a_file_may_name_them():
    assert _asked()[1] == [("model", "LightGCN_DSL"), ("dataset", "ml-100k")]
    assert _asked("--config_files=a.yaml")[1] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-x", "1"], "unknown flag -x"),
        (["word"], "unexpected argument 'word'"),
        (["--model=LightGCN_DLS"], "did you mean LightGCN_DSL?"),
        (["--model=MF_SL", "--train_batchsize=512"], "did you mean train_batch_size?"),
        (["--model=MF_SL", "--tau=0"], "tau must be a number > 0, got 0"),
        (["--dataset=ml-10k"], "did you mean ml-100k?"),
        (["--config_files=none.yaml"], "cannot read settings file none.yaml"),
        (["--result_file=."], "is a folder"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(words, message, capsys, own_folder):
    assert run.main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and message in err and err.count("\n") == 1
    assert not list(own_folder.iterdir())


def test_list_is_the_list_command(capsys):
    assert run.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert main(["list"]) == 0
    assert capsys.readouterr().out == text


def _result(name):
    """A result file without times, places and memory."""
    result = json.loads(Path(name).read_text())
    for key in ("seconds", "peak_memory_mb", "checkpoint"):
        del result[key]
    for epoch in result["epochs"]:
        del epoch["train_seconds"], epoch["eval_seconds"]
    assert result["settings"].pop("result_file")["from"] == "command line"
    return result


@pytest.mark.slow
def test_the_script_is_the_run_command(checkerboard, monkeypatch):
    settings = {**QUICK_PAIR, "model": "MF_SL", "dataset": checkerboard, "epochs": 2}
    words = [f"--{key}={value}" for key, value in settings.items()]
    assert main(["run", *words, "--result_file=command.json"]) == 0
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words, "--result_file=script.json"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 0
    result = _result("command.json")
    assert result == _result("script.json")
    assert result["model"] == "MF_SL" and len(result["epochs"]) == 2
    assert result["settings"]["epochs"] == {"value": 2, "from": "command line"}
