"""Whole runs: what they leave, and how they end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from quick import QUICK, QUICK_PAIR, SCRIPT

from recbole_dsl.common.errors import NonFiniteLossError, UsageError
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation.collector import TopkCollector
from recbole_dsl.experiments import launch
from recbole_dsl.experiments.load_checkpoint import load
from recbole_dsl.experiments.result import machine
from recbole_dsl.experiments.run_result import Result
from recbole_dsl.experiments.single_run import run
from recbole_dsl.models.registry import pair_names
from recbole_dsl.training.trainer import trainer_class

# Each loss with state of its own, each backbone, RecBole's kinds; test_matrix.py trains every pair.
WHOLE_RUNS = [
    "LightGCN_DSL", "LightGCN_AdvInfoNCE", "XSimGCL_SLatK", "NGCF_AdapTau", "LightGCN++_BC",
    "SimGCL_DirectAU", "MF_SCE", "BPR", "LightGCN", "NGCF", "EASE", "MultiVAE", "SimpleX",
]  # fmt: skip


def _quick(model):
    if model in pair_names():  # DirectAU's time grows with the square of train_batch_size
        return {**QUICK_PAIR, "epochs": 2, "train_batch_size": 2048}
    return {**QUICK, "epochs": 2}


@pytest.mark.parametrize(
    "model", ["MF_BPR", *(pytest.param(name, marks=pytest.mark.slow) for name in WHOLE_RUNS)]
)
def test_every_model_trains_writes_its_result_and_loads_again(model, own_folder):
    result = run(model, "ml-100k", config_dict={**_quick(model), "result_file": "x.json"})
    written = json.loads((own_folder / "x.json").read_text())
    assert list(written) == [
        "model", "dataset", "splits", "split_card", "train_noise", "settings", "seed", "versions",
        "parameters", "epochs", "best_epoch", "valid", "test", "seconds", "machine",
        "peak_memory_mb", "world_size", "backend", "checkpoint", "groups",
    ]  # fmt: skip
    assert (written["model"], written["dataset"], written["seed"]) == (model, "ml-100k", 2020)
    assert written["splits"]["train"] == {"rows": 80808, "users": 943, "items": 1655}
    assert written["settings"]["epochs"] == {"value": 2, "from": "config dict"}
    assert written["versions"]["recbole"] == "1.2.1"
    assert written["machine"] == machine(torch.device("cpu"))
    assert written["test"] == result["test"] and set(written["test"]) == set(written["valid"])
    assert 0 < written["test"]["ndcg@10"] < 1
    epochs = written["epochs"]
    assert [set(epoch) for epoch in epochs] == [
        {"epoch", "train_loss", "mean_loss", "train_seconds", "valid", "eval_seconds"}
    ] * len(epochs)
    scores = [epoch["valid"]["mrr@10"] for epoch in epochs]
    assert written["valid"]["mrr@10"] == max(scores)
    assert written["valid"] == epochs[written["best_epoch"]]["valid"]

    torch.load(written["checkpoint"], weights_only=True)
    loaded = load(written["checkpoint"])
    assert (loaded.config["model"], loaded.dataset.item_num) == (model, 1683)
    assert loaded.config["epochs"] == 2 and not loaded.model.training
    again = _test_metrics(loaded)
    for name, value in written["test"].items():
        assert again[name] == pytest.approx(value, abs=1e-6), name


def _test_metrics(loaded):
    train, _, test = split_dataset(loaded.config, load_dataset(loaded.config)).loaders.values()
    trainer = trainer_class(loaded.config)(loaded.config, loaded.model)
    trainer.tensorboard.close()
    trainer.eval_collector.data_collect(train)
    return trainer.evaluate(test, load_best_model=False)


@pytest.mark.slow
def test_a_run_leaves_checkpoint_result_and_tensorboard(own_folder):
    result = run("MF_SL", "ml-100k", config_dict={**QUICK_PAIR, "state": "INFO"})
    checkpoint = Path(result["checkpoint"])
    assert checkpoint.parent.name == "saved" and checkpoint.name.startswith("MF_SL-ml-100k-")
    assert checkpoint.with_suffix(".json").is_file()
    assert not list(own_folder.rglob("*.part"))
    log = next((own_folder / "log" / "MF_SL").glob("MF_SL-ml-100k-*.log"))
    assert list((own_folder / "log_tensorboard" / log.stem).rglob("events*"))


@pytest.mark.slow
def test_nothing_is_saved_when_asked_not_to(own_folder):
    result = run("MF_SL", "ml-100k", config_dict=QUICK_PAIR, saved=False)
    assert result["checkpoint"] is None and not list(own_folder.rglob("*.pth"))


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where():
    with pytest.raises(
        NonFiniteLossError, match=r"loss of MF_BPR is (nan|inf) in epoch \d, batch \d+ at tau"
    ):
        run("MF_BPR", "ml-100k", config_dict={**QUICK_PAIR, "learning_rate": 1e30, "epochs": 5})


@pytest.mark.slow
def test_a_split_without_validation_tests_the_last_epoch():
    settings = {**QUICK_PAIR, "epochs": 2, "eval_args": {"split": {"RS": [0.8, 0.0, 0.2]}}}
    result = run("MF_SL", "ml-100k", config_dict=settings)
    assert result["valid"] is None and result["best_epoch"] == 1 and result["test"]["recall@10"] > 0
    assert result["splits"]["valid"] == {"rows": 0, "users": 0, "items": 0}


@pytest.mark.slow
@pytest.mark.parametrize("groups", [True, False])
def test_test_rows_are_evaluated_only_where_they_may_be(groups, monkeypatch):
    settings = {**QUICK_PAIR} if groups else {**QUICK_PAIR, "group_metrics": {}}
    ranked = _rows_ranked(monkeypatch)
    tested = run("MF_SL", "ml-100k", config_dict=settings, saved=False)
    assert ranked.pop() == tested["splits"]["test"]["users"] and len(ranked) == 1
    ranked.clear()
    untested = run("MF_SL", "ml-100k", config_dict=settings, saved=False, tested=False)
    assert ranked == [tested["splits"]["valid"]["users"]]
    assert untested["test"] is None and untested["test_result"] is None
    assert not {"tests", "groups"} & set(untested)
    assert untested["valid"] == tested["valid"] and ("groups" in tested) == groups
    assert untested["best_valid_score"] == tested["best_valid_score"]


def _rows_ranked(monkeypatch):
    """A list that grows by the number of users of each loader that is evaluated."""
    found = []
    original = TopkCollector.collect

    def collect(self, model, loader, *rest):
        found.append(len(loader.held_out.users))
        return original(self, model, loader, *rest)

    monkeypatch.setattr(TopkCollector, "collect", collect)
    return found


def test_what_is_asked_of_a_run_reaches_its_processes(monkeypatch):
    launched = []
    monkeypatch.setattr(launch, "launch", lambda *given: launched.append(given) or {"seed": 3})
    settings = {**QUICK_PAIR, "nproc": 2, "device": "cpu"}
    options = dict(saved=False, tested=False, command=["x"], of_script=True)
    result = run("MF_SL", "ml-100k", config_dict=settings, arguments=[("seed", "3")], **options)
    assert type(result) is Result and result == {"seed": 3}
    ((function, config, arguments),) = launched
    assert function is run and config["seed"] == 3
    assert arguments == dict(
        model="MF_SL",
        dataset="ml-100k",
        config_file_list=None,
        config_dict=settings,
        arguments=[("seed", "3")],
        resume=None,
        **options,
    )


@pytest.mark.slow
def test_each_validation_is_reported_and_may_end_the_run():
    seen = []

    def watch(epoch, score):
        seen.append((epoch, score))
        if epoch == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run("MF_SL", "ml-100k", config_dict={**QUICK_PAIR, "epochs": 9}, after_validation=watch)
    assert [epoch for epoch, _ in seen] == [0, 1] and all(0 < score < 1 for _, score in seen)


@pytest.mark.slow
def test_a_users_own_class_runs_and_loads(own_folder, monkeypatch):
    (own_folder / "my_models.py").write_text(
        "from recbole.model.general_recommender import BPR\n\n\nclass Mine(BPR):\n    pass\n"
    )
    monkeypatch.syspath_prepend(own_folder)
    settings = {**QUICK, "embedding_size": 8}
    result = run("my_models:Mine", "ml-100k", config_dict=settings)
    assert result["model"] == "Mine"
    monkeypatch.delitem(sys.modules, "my_models")
    with pytest.raises(UsageError, match="of a class of its own, my_models:Mine: no class is impo"):
        load(result["checkpoint"])
    assert "my_models" not in sys.modules
    with pytest.raises(UsageError, match="is of the model my_models:Mine, not of BPR"):
        load(result["checkpoint"], model="BPR")
    loaded = load(result["checkpoint"], model="my_models:Mine")
    assert type(loaded.model).__name__ == "Mine"


@pytest.mark.slow
def test_data_loaders_can_be_saved_and_read_again():
    settings = {**QUICK_PAIR, "save_dataloaders": True}
    first = run("MF_SL", "ml-100k", config_dict=settings, saved=False)
    second = run("MF_SL", "ml-100k", config_dict=settings, saved=False)
    assert first["splits"] == second["splits"]


def _script(*arguments):
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_the_script_ends_in_a_table(own_folder):
    done = _script(
        "-m", "MF_SL", "--epochs", "1", "--train_neg_sample_args={sample_num: 5}",
        "--result_file=out/x.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    starts = [line.split()[0] for line in lines if line.strip()]
    at = starts.index("valid")
    assert starts[at : at + 2] == ["valid", "test"]
    assert starts[-4:] == ["head", "mid", "tail", "recall@10:"]
    assert "\x1b[" not in done.stderr and "it/s]" not in done.stderr
    assert "Warning" not in done.stderr
    assert json.loads((own_folder / "out" / "x.json").read_text())["model"] == "MF_SL"


@pytest.mark.slow
def test_a_mistake_gets_one_line_and_exit_code_two(own_folder):
    """cli/test_run.py tries more of them, within its own process."""
    done = _script("--state=ERROR", "--tau", "0")
    assert done.returncode == 2
    assert "tau must be a number > 0, got 0" in done.stderr and "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line]) == 1
    assert not (own_folder / "saved").exists()
