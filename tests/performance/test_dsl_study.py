"""dsl_study.py at work: its data, one training, only what is missing, no test row in a trial."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import dsl_study
import dsl_study_comparison as comparison
import dsl_study_data as study_data
import dsl_study_jobs as jobs
import dsl_study_plan as plan
import dsl_study_settings as tried
import dsl_study_training as training
import numpy as np
import pytest
from dsl_study_data import DATA, IID, POPULARITY, DataSet
from dsl_study_jobs import Runs
from dsl_study_plan import Cell
from dsl_study_settings import DSL, MF, SL
from recbole.utils import early_stopping
from study_stores import (
    SHIFTED,
    SL_CELL,
    TWO,
    every_trial,
    trial_row,
)


def test_only_what_is_missing_runs_and_a_failed_run_has_no_line(store, monkeypatch, capsys):
    asked = []

    def run_alone(job, data, path):
        asked.append(job["trial"])
        if len(asked) == 2:
            raise RuntimeError("failed")
        return {**trial_row(job), "seconds": 1.0}

    monkeypatch.setattr(dsl_study, "run_alone", run_alone)
    monkeypatch.setattr(dsl_study, "prepare", lambda name, data: None)
    monkeypatch.setattr(jobs, "steps", lambda parts: [plan.Step("a", SL_CELL, "first")])
    dsl_study.run_missing("data", ["a"], 1, None, store)
    kept = [json.loads(line)["trial"] for line in store.read_text().splitlines()]
    assert asked == list(range(6)) and kept == [0, *range(2, 6)]
    dsl_study.run_missing("data", ["a"], 2, 0, store)
    assert len(asked) == 6  # no minute is left
    dsl_study.run_missing("data", ["a"], 2, 5, store)
    assert asked[6:] == [1]
    said = capsys.readouterr()
    assert "failed" in said.err and f"trial, {SHIFTED}, MF, SL, trial 3, iid 0.1000" in said.out


def test_a_training_goes_on_while_either_validation_gains(monkeypatch):
    """RecBole's early stopping on what it gets to see: the last gain is the shifted one's."""
    scores = {IID: [1, 2, *[1] * 20], POPULARITY: [1, 1, 1, 3, *[2] * 20]}
    trainer = object.__new__(training.TwoValidations)
    trainer.recorder = SimpleNamespace(epochs_done=[])
    trainer.eval_collector = trainer.evaluator = None
    trainer.curves = {IID: [], POPULARITY: []}

    def iid_epoch(self, loader, show_progress):
        now = {"ndcg@20": scores[IID][len(self.recorder.epochs_done)]}
        self.recorder.epochs_done.append({"valid": now})
        return now["ndcg@20"], {}

    monkeypatch.setattr(training.PairTrainer, "_valid_epoch", iid_epoch)
    trainer.measure = lambda *_, **__: (
        {"ndcg@20": scores[POPULARITY][len(trainer.curves[POPULARITY])]},
        None,
    )
    best, waited, stop, epochs = -math.inf, 0, False, 0
    while not stop:
        score, _ = trainer._valid_epoch(None)
        best, waited, stop, _ = early_stopping(score, best, waited, plan.PATIENCE)
        epochs += 1
    assert epochs == 4 + plan.PATIENCE + 1
    assert [epoch["ndcg@20"] for epoch in trainer.curves[POPULARITY]] == scores[POPULARITY][:10]


@pytest.fixture
def shop(own_folder, monkeypatch):
    """A data set of the study: 60 users by 40 items, popularity falling off, two test rows each."""
    rng = np.random.default_rng(0)
    train, test = [], []
    for user in range(60):
        items = rng.permutation(np.unique(rng.geometric(0.06, 40) % 40))
        train += [(user, item) for item in items[2:]]
        test += [(user, item) for item in items[:2]]
    home = own_folder / "dataset" / "shop"
    home.mkdir(parents=True)
    for part, rows in (("train", train), ("test", test)):
        write(home / f"shop.{part}.inter", rows)
    ready = DataSet((POPULARITY,), {"sample_num": "all"})
    monkeypatch.setitem(DATA, "shop", ready)
    split = DataSet((IID, POPULARITY), {"sample_num": "all"}, "shop", study_data._PS)
    monkeypatch.setitem(DATA, "shop-ps", split)
    return home


def write(path, rows):
    lines = [f"u{user}\ti{item}\n" for user, item in rows]
    path.write_text("user_id:token\titem_id:token\n" + "".join(lines))


def lines_of(name, *parts):
    texts = [Path(f"dataset/{name}/{name}.{part}.inter").read_text() for part in parts]
    return [line for text in texts for line in text.splitlines()[1:]]


def test_the_rows_of_the_trials_are_training_rows(shop):
    study_data.prepare("shop", "dataset")
    parts, train = study_data.SELECTION_PARTS, lines_of("shop", "train")
    assert sorted(lines_of("shop-selection", *parts)) == sorted(train)
    shares = [len(lines_of("shop-selection", part)) / len(train) for part in parts]
    assert [round(share, 1) for share in shares] == [0.8, 0.1, 0.1]
    assert not set(train) & set(lines_of("shop", "test"))


def test_a_shifted_split_is_made_of_all_rows_and_its_trials_of_the_training_rows(shop):
    study_data.prepare("shop-ps", "dataset")
    parts = DATA["shop-ps"].parts
    assert sorted(lines_of("shop-ps", *parts)) == sorted(lines_of("shop", "train", "test"))
    assert parts[1] == "valid" and not lines_of("shop-ps", "valid")
    trials = lines_of("shop-ps-selection", *study_data.SELECTION_PARTS)
    assert sorted(trials) == sorted(lines_of("shop-ps", "train"))


def one_trial(name="shop", epochs=6, loss=DSL, number=9):
    """The line of a trial, without its seconds."""
    job = {**every_trial(Cell(SHIFTED, MF, loss))[number], "dataset": name}
    study_data.prepare(name, "dataset")
    found = training.trial({**job, "epochs": epochs}, "dataset")
    return {key: value for key, value in found.items() if key != "epoch_seconds"}


@pytest.mark.slow
def test_no_trial_reads_a_test_row(shop):
    """Sentinel: with test rows of other users and items, or no test file, all is equal."""
    found = one_trial()
    assert "tests" not in found and "test" not in found
    write(shop / "shop.test.inter", [(user + 50, user + 9) for user in range(30)])
    assert one_trial() == found
    (shop / "shop.test.inter").unlink()
    assert one_trial() == found
    other = (shop / "shop.train.inter").read_text().splitlines(keepends=True)
    (shop / "shop.train.inter").write_text("".join(other[:-30]))
    assert one_trial() != found  # it does read train


@pytest.mark.slow
@pytest.mark.parametrize("loss", [DSL, tried.BSL, tried.FACTOR, tried.HARDNESS, tried.CENTRE])
def test_the_shared_first_round_is_sls(loss, shop):
    assert one_trial(loss=loss, number=2, epochs=3) == one_trial(loss=SL, number=2, epochs=3)


@pytest.mark.slow
def test_a_trial_has_both_validations_of_every_epoch_and_the_best_of_each(shop, monkeypatch):
    found = one_trial(epochs=40)
    lengths = {len(curve) for curve in found["curves"].values()}
    [epochs] = lengths
    assert found["curves"][IID] != found["curves"][POPULARITY]
    latest = 0
    for kind, curve in found["curves"].items():
        best = found["valid"][kind]
        assert round(best["ndcg@20"], 5) == max(curve) == curve[best["best_epoch"]]
        latest = max(latest, best["best_epoch"])
    assert epochs in (40, latest + plan.PATIENCE + 2)  # RecBole stops after more than patience


@pytest.mark.slow
def test_the_iid_validation_of_a_trial_is_that_of_a_run(shop):
    import recbole_dsl

    found = one_trial(epochs=4, loss=SL, number=4)
    job = jobs.first_jobs(Runs(), SL_CELL)[4]
    values = {
        **training._values({**job, "dataset": "shop", "epochs": 4}, "dataset"),
        "benchmark_filename": study_data.SELECTION_PARTS, "mask_at_test": "train",
    }  # fmt: skip
    run = recbole_dsl.run("MF_SL", "shop-selection", config_dict=values)
    best = found["valid"][IID]
    assert run["best_epoch"] == best["best_epoch"]
    assert run["valid"] == {name: best[name] for name in run["valid"]}
    if best["best_epoch"] == found["valid"][POPULARITY]["best_epoch"]:
        assert run["test"]["ndcg@20"] == found["valid"][POPULARITY]["ndcg@20"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shop", "shop-ps"])
def test_a_final_run_trains_on_all_training_rows_and_keeps_what_each_user_got(name, shop):
    study_data.prepare(name, "dataset")
    job = jobs.first_jobs(Runs(), SL_CELL)[4]
    job = {**job, "stage": "final", "dataset": name, "epochs": 3, "seed": 2021}
    found = training.final(job, "dataset", "users.npz")
    assert tuple(found["tests"]) == tuple(found["users"]) == DATA[name].tests
    result = json.loads(Path("result.json").read_text())
    assert result["splits"]["train"]["rows"] == len(lines_of(name, "train"))
    assert result["splits"]["valid"]["rows"] == 0 and len(result["epochs"]) == 3
    with np.load("users.npz") as values:
        for test, metrics in found["tests"].items():
            assert values[test].mean() == pytest.approx(metrics["ndcg@20"], rel=1e-5)
            assert sum(found["groups"][test].values()) == pytest.approx(metrics["ndcg@20"])


@pytest.mark.slow
def test_the_command_runs_a_process_and_keeps_its_answer(tmp_path, monkeypatch):
    """In a process of its own, with the study's real data sets: ml-100k comes with RecBole."""
    study_data.prepare(TWO, tmp_path)
    job = jobs.first_jobs(Runs(), Cell(TWO, MF, SL))[0]
    row = dsl_study.run_alone({**job, "epochs": 1}, tmp_path, tmp_path / "dsl_study.jsonl")
    assert row["valid"][IID]["ndcg@20"] > row["valid"][POPULARITY]["ndcg@20"] > 0
    final = {**job, "stage": "final", "seed": 2021, "epochs": 1}
    row = dsl_study.run_alone(final, tmp_path, tmp_path / "dsl_study.jsonl")
    with np.load(comparison.users_file(row, tmp_path / "dsl_study.jsonl")) as values:
        assert sorted(values) == [IID, POPULARITY]
    with pytest.raises(RuntimeError, match="unknown dataset 'ml-100k-ps-selection'"):
        dsl_study.run_alone({**job, "dataset": TWO}, tmp_path / "nowhere", tmp_path / "x.jsonl")
