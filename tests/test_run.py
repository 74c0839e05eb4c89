"""Whole runs: what they leave, that they repeat, that they load again."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import recbole_dsl
from recbole_dsl import checkpoint
from recbole_dsl.registry import pair_names
from recbole_dsl.runner import load, run
from recbole_dsl.settings import UsageError
from recbole_dsl.trainer import NonFiniteLossError

HOST_QUICK = {"epochs": 2, "state": "ERROR", "train_batch_size": 8192}
QUICK = {
    **HOST_QUICK,
    "train_batch_size": 2048,
    "train_neg_sample_args": {"sample_num": 20},
    "embedding_size": 16,
}
SCRIPT = Path(__file__).parent.parent / "run_recbole_dsl.py"
# Each loss with state of its own and each backbone; test_matrix.py trains every pair.
OWN = [
    "MF_BPR", "LightGCN_DSL", "LightGCN_AdvInfoNCE", "XSimGCL_SLatK", "NGCF_AdapTau",
    "LightGCN++_BC", "SimGCL_DirectAU", "MF_SCE",
]  # fmt: skip
HOST = ["BPR", "LightGCN", "NGCF", "EASE", "MultiVAE", "SimpleX"]


def _quick(model):
    return QUICK if model in pair_names() else HOST_QUICK


@pytest.mark.parametrize("model", [*OWN, *HOST])
def test_every_model_trains_writes_its_result_and_loads_again(model, own_folder):
    result = run(model, "ml-100k", config_dict={**_quick(model), "result_file": "x.json"})
    written = json.loads((own_folder / "x.json").read_text())
    assert list(written) == [
        "model", "dataset", "splits", "split_card", "train_noise", "settings", "seed", "versions",
        "parameters", "epochs", "best_epoch", "valid", "test", "seconds", "peak_memory_mb",
        "world_size", "backend", "checkpoint", "groups",
    ]  # fmt: skip
    assert (written["model"], written["dataset"], written["seed"]) == (model, "ml-100k", 2020)
    assert written["splits"]["train"] == {"rows": 80808, "users": 943, "items": 1655}
    assert written["settings"]["epochs"] == {"value": 2, "from": "config dict"}
    assert written["versions"]["recbole"] == "1.2.1"
    assert written["test"] == result["test"] and set(written["test"]) == set(written["valid"])
    assert 0 < written["test"]["ndcg@10"] < 1
    epochs = written["epochs"]
    assert [set(epoch) for epoch in epochs] == [
        {"epoch", "train_loss", "train_seconds", "valid", "eval_seconds"}
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
    from recbole_dsl.data import load_dataset, split_dataset
    from recbole_dsl.trainer import trainer_class

    train, _, test = split_dataset(loaded.config, load_dataset(loaded.config))
    trainer = trainer_class(loaded.config)(loaded.config, loaded.model)
    trainer.tensorboard.close()
    trainer.eval_collector.data_collect(train)
    return trainer.evaluate(test, load_best_model=False)


@pytest.fixture
def two_threads():
    """Several threads are what makes sums depend on the order they happen to finish in."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", ["LightGCN_DSL", "LightGCN"])
def test_the_same_seed_gives_the_same_numbers_twice_and_another_does_not(model, two_threads):
    first, second, other = (
        run(model, "ml-100k", config_dict={**_quick(model), "seed": seed}) for seed in (1, 1, 2)
    )
    for key in ("valid", "test", "splits"):
        assert first[key] == second[key]
    weights, again = (checkpoint.read(r["checkpoint"])["state_dict"] for r in (first, second))
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert first["test"] != other["test"]


def test_a_run_leaves_log_checkpoint_result_and_tensorboard(own_folder):
    result = run("MF_SL", "ml-100k", config_dict={**QUICK, "state": "INFO"})
    checkpoint = Path(result["checkpoint"])
    assert checkpoint.parent.name == "saved" and checkpoint.name.startswith("MF_SL-ml-100k-")
    assert checkpoint.with_suffix(".json").is_file()
    assert not list(own_folder.rglob("*.part"))
    log = next((own_folder / "log" / "MF_SL").glob("MF_SL-ml-100k-*.log"))
    text = log.read_text()
    for line in ("device: cpu", "split: train 80,808 rows / 943 users", "epoch 1 training"):
        assert line in text
    assert re.search(r"test +0\.\d{4}", text)
    assert list((own_folder / "log_tensorboard" / log.stem).rglob("events*"))


def test_two_runs_in_one_process_write_two_logs_and_clean_up(own_folder):
    handlers = logging.getLogger().handlers[:]
    run("MF_SL", "ml-100k", config_dict={**QUICK, "state": "INFO"}, saved=False)
    run("MF_BPR", "ml-100k", config_dict={**QUICK, "state": "INFO"}, saved=False)
    first = next((own_folder / "log" / "MF_SL").glob("*.log")).read_text()
    second = next((own_folder / "log" / "MF_BPR").glob("*.log")).read_text()
    assert "BPRLoss" not in first and "BPRLoss" in second
    assert logging.getLogger().handlers == handlers


def test_nothing_is_saved_when_asked_not_to(own_folder):
    result = run("MF_SL", "ml-100k", config_dict=QUICK, saved=False)
    assert result["checkpoint"] is None and not list(own_folder.rglob("*.pth"))


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where():
    with pytest.raises(
        NonFiniteLossError, match=r"loss of MF_BPR is (nan|inf) in epoch \d, batch \d+ at tau"
    ):
        run("MF_BPR", "ml-100k", config_dict={**QUICK, "learning_rate": 1e30, "epochs": 5})


def test_a_split_without_validation_tests_the_last_epoch():
    settings = {**QUICK, "eval_args": {"split": {"RS": [0.8, 0.0, 0.2]}}}
    result = run("MF_SL", "ml-100k", config_dict=settings)
    assert result["valid"] is None and result["best_epoch"] == 1 and result["test"]["recall@10"] > 0
    assert result["splits"]["valid"] == {"rows": 0, "users": 0, "items": 0}


def test_loading_refuses_data_that_has_changed(make_dataset, own_folder):
    pairs = [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3]
    make_dataset("toy", pairs)
    path = run("MF_SL", "toy", config_dict=QUICK)["checkpoint"]
    assert load(path).dataset.user_num > 1
    file = own_folder / "dataset" / "toy" / "toy.inter"
    file.write_text(file.read_text() + "u1\ti2\n")
    with pytest.raises(UsageError, match="the training rows of 'toy' are not those it was trained"):
        load(path)


def test_loading_does_not_depend_on_later_settings(make_dataset, monkeypatch, tmp_path):
    path = run("MF_SL", "ml-100k", config_dict={**QUICK, "embedding_size": 8})["checkpoint"]
    loaded = recbole_dsl.load(path)
    assert loaded.config["embedding_size"] == 8
    assert loaded.model.backbone.user_embedding.weight.shape == (944, 8)


def test_a_users_own_class_runs_and_loads(own_folder, monkeypatch):
    (own_folder / "my_models.py").write_text(
        "from recbole.model.general_recommender import BPR\n\n\nclass Mine(BPR):\n    pass\n"
    )
    monkeypatch.syspath_prepend(own_folder)
    settings = {"epochs": 1, "state": "ERROR", "embedding_size": 8}
    result = run("my_models:Mine", "ml-100k", config_dict=settings)
    assert result["model"] == "Mine"
    assert type(load(result["checkpoint"]).model).__name__ == "Mine"


def test_data_loaders_can_be_saved_and_read_again():
    settings = {**QUICK, "save_dataloaders": True}
    first = run("MF_SL", "ml-100k", config_dict=settings, saved=False)
    second = run("MF_SL", "ml-100k", config_dict=settings, saved=False)
    assert first["splits"] == second["splits"]


def _script(*arguments):
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=LightGCN_DLS"], "did you mean LightGCN_DSL?"),
        (["--train_batchsize=3"], "did you mean train_batch_size?"),
        (["--tau", "0"], "tau must be > 0, got 0"),
        (["--result_file=."], "is a folder"),
        (["--config_files=none.yaml"], "cannot read settings file none.yaml"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_two(arguments, message, own_folder):
    done = _script("--state=ERROR", *arguments)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line]) == 1
    assert not (own_folder / "saved").exists()
