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
from recbole_dsl.common.property_files import presets, read_yaml


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
    assert _asked("--config_files=preset:popularity_shift a.yaml")[1] == []


def test_presets_name_neither_model_nor_dataset_so_that_defaults_stay():
    files, pairs = _asked("--model=MF_DSL", "--config_files=preset:popularity_shift")
    assert files == ["preset:popularity_shift"]
    assert pairs == [("model", "MF_DSL"), ("dataset", "ml-100k")]
    for path in presets().values():
        assert not {"model", "dataset"} & set(read_yaml(path))


FILES = {
    "a_list.yaml": "- seed: 1\n",
    "twice.yaml": "seed: 1\nseed: 2\n",
    "endless.yaml": "seed: &a [*a]\n",
}


def _assert_refused(words, message, capsys, own_folder):
    Path("a_folder").mkdir()
    for name, text in FILES.items():
        Path(name).write_text(text)
    before = sorted(own_folder.rglob("*"))
    assert run.main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and message in err and err.count("\n") == 1
    assert sorted(own_folder.rglob("*")) == before


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
    _assert_refused(words, message, capsys, own_folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--result_file=saved"], "names a folder, not a file"),
        (["--model=:"], "':' is no package.module:Class"),
        (["--model=a:"], "'a:' is no package.module:Class"),
        (["--valid_metric=MRR"], "did you mean MRR@10?"),
        (["--valid_metric=GAUC@10"], "valid_metric 'GAUC@10' is not among the metrics"),
        (["--metric_decimal_place=None"], "metric_decimal_place must be an integer in"),
        (["--metric_decimal_place=-1"], "metric_decimal_place must be an integer in"),
        (["--learning_rate=.nan"], "learning_rate must be a number >= 0, got nan"),
        (["--train_neg_sample_args={alpha: .inf}"], "alpha of train_neg_sample_args must be a num"),
        (["--eval_args={mode: {valid: full, test: labeled}}"], "mode labeled (test) does not go"),
        (["--eval_args={mode: {val: uni10}}"], "did you mean valid?"),
        (["--eval_args={mode: uni0}"], "uniN or popN with N >= 1 candidates"),
        (["--eval_args={split: {}}"], "split must be a map of one split"),
        (["--eval_args={split: {RS: [0.9, -0.1, 0.2]}}"], "split RS takes the shares"),
        (["--eval_args={split: {RS: [0.9]}}"], "split RS takes the shares"),
        (["--eval_args={split: {RS: [0.7, 0.1, 0.1, 0.1]}}"], "split RS takes the shares"),
        (["--eval_args={group_by: 7}"], "group_by of eval_args must be user, none or empty, got 7"),
        (["--val_interval={rating: '>=3'}"], "rating of val_interval must be a list or an interv"),
        (["--user_inter_num_interval=5"], "user_inter_num_interval must be an interval such as"),
        (["--threshold={price: 3}"], "threshold: the column 'price' is not loaded"),
        (["--state=NOPE"], "state must be INFO"),
        (["--seed="], "seed must be an integer in"),
        (["--load_col=inter"], "load_col must be a map"),
        (["--benchmark_filename=train"], "benchmark_filename must be a list"),
        (["--field_separator="], "field_separator must be one character"),
        (["--eval_setting=RO_RS,full"], "use eval_args, such as"),
        (["--config_files=a_folder"], "cannot read settings file a_folder"),
        (
            ["--config_files=a_list.yaml"],
            "settings file a_list.yaml must hold lines of `key: value`",
        ),
        (["--config_files=twice.yaml"], "the key 'seed' is there twice"),
        (["--config_files=endless.yaml"], "an anchor that refers to itself"),
    ],
)
def test_so_are_more_of_every_kind(words, message, capsys, own_folder):
    _assert_refused(words, message, capsys, own_folder)


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
