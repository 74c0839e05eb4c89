"""Whole studies, small: what they choose, what they keep, what they refuse."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import yaml

from recbole_dsl.common.errors import (
    NonFiniteLossError,
    NothingToSelectOnError,
    NoWinnerError,
    UsageError,
)
from recbole_dsl.data import pipeline
from recbole_dsl.experiments import single_run
from recbole_dsl.experiments.tuning import tune
from recbole_dsl.experiments.tuning.plan import make_plan


def _scores(found):
    """Settings -> validation score of all complete trials."""
    return {json.dumps(row["settings"]): row["valid"] for row in found["table"]}


@pytest.mark.slow
def test_a_grid_runs_every_point_once_and_the_best_is_the_best_on_validation(board, runs):
    found = tune(**board, sampler="grid")
    assert found["trials"] == {"asked": 9, "complete": 9, "pruned": 0, "failed": 0}
    assert len(_scores(found)) == 9 and found["valid"] == max(_scores(found).values())
    alone = single_run.run(
        "MF_SL", board["dataset"], config_dict={**board["config_dict"], **found["best"]}
    )
    assert alone["best_valid_score"] == found["valid"] and alone["test"] == found["test"]
    assert [run.get("tested", True) for run in runs] == [False] * 9 + [True] * 2  # ours is one


class _Sentinel:
    """The loader of the test rows, of which only their number may be asked."""

    def __init__(self, loader):
        self._dataset = loader._dataset

    def _touched(self, *_):
        raise AssertionError("the test rows are evaluated")

    __iter__ = __len__ = __bool__ = __getattr__ = _touched


@pytest.mark.slow
def test_the_search_never_evaluates_the_test_rows_and_the_winners_run_does(board, monkeypatch):
    real = pipeline.split_dataset

    def split(config, dataset):
        made = real(config, dataset)
        loaders = {**made.loaders, "test": _Sentinel(made.loaders["test"])}
        return dataclasses.replace(made, loaders=loaders)

    monkeypatch.setattr(pipeline, "split_dataset", split)
    found = tune(**board, trials=4, sampler="random", tested=False)
    assert found["trials"]["complete"] == 4 and found["test"] is None
    with pytest.raises(AssertionError, match="test rows are evaluated"):
        tune(**board, trials=4, sampler="random")


def test_a_run_that_is_not_tested_says_so(board):
    result = single_run.run(board["model"], board["dataset"], config_dict=board["config_dict"],
                        tested=False)  # fmt: skip
    assert result["test"] is None and result["test_result"] is None
    assert result["valid"]["mrr@10"] > 0
    kept = json.loads(Path(result["checkpoint"]).with_suffix(".json").read_text())
    assert kept["test"] is None


@pytest.mark.slow
def test_the_winner_is_tested_once_and_again_only_where_another_one_wins(board, runs):
    first = tune(**board, trials=3, sampler="random")
    assert len(runs) == 4
    again = tune(**board, trials=3, sampler="random")
    assert len(runs) == 4 and again["test"] == first["test"]
    more = tune(**board, trials=6, sampler="random")
    tests = sum(run.get("tested", True) for run in runs)
    assert tests == (1 if more["best"] == first["best"] else 2)
    assert more["valid"] >= first["valid"]


@pytest.mark.slow
def test_the_same_seed_draws_the_same_trials_and_another_seed_others(board):
    same = [
        _scores(tune(**board, trials=4, sampler="random", output=name, tested=False))
        for name in ("a", "b")
    ]
    assert same[0] == same[1]
    board["config_dict"]["seed"] = 7
    other = tune(**board, trials=4, sampler="random", output="c", tested=False)
    assert _scores(other) != same[0]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_study_in_two_calls_has_the_trials_of_one_call(board, sampler):
    board["ranges"] = {"tau": "0.1..0.5", "learning_rate": "1e-3..1e-1 log"}
    whole = tune(**board, trials=14, sampler=sampler, output="whole", prune=False)
    tune(**board, trials=11, sampler=sampler, output="parts", prune=False)
    parts = tune(**board, trials=14, sampler=sampler, output="parts", prune=False)
    assert _scores(parts) == _scores(whole)
    for key in ("best", "valid", "trial", "test"):
        assert parts[key] == whole[key]


def test_settings_drawn_twice_are_trained_once(board, runs):
    board["ranges"] = {"tau": [0.1, 0.2]}
    found = tune(**board, trials=6, sampler="random", tested=False)
    assert found["trials"]["complete"] == 6 and len(runs) == 2
    assert sum(row["seconds"] > 0 for row in found["table"]) == 2


def test_a_failed_trial_keeps_its_error_and_the_others_go_on(board, monkeypatch):
    real = single_run.run

    def run(**arguments):
        if arguments["config_dict"]["tau"] == 0.2:
            raise NonFiniteLossError("the loss is nan")
        return real(**arguments)

    monkeypatch.setattr(single_run, "run", run)
    board["ranges"] = {"tau": [0.1, 0.2, 0.5]}
    found = tune(**board, sampler="grid", tested=False)
    assert found["trials"] == {"asked": 3, "complete": 2, "pruned": 0, "failed": 1}
    failed = found["table"][-1]
    assert failed["settings"] == {"tau": 0.2}
    assert failed["note"] == "failed: NonFiniteLossError: the loss is nan"
    board["ranges"] = {"tau": [0.2]}
    with pytest.raises(NoWinnerError, match="no trial of x ran to its end.*loss is nan"):
        tune(**board, sampler="grid", study="x")


@pytest.mark.slow
def test_ctrl_c_loses_the_trial_in_flight_only_and_that_one_is_run_again(board, monkeypatch):
    whole = tune(**board, sampler="grid", output="whole", tested=False)
    real, made = single_run.run, []

    def run(**arguments):
        made.append(arguments)
        if len(made) == 3:
            raise KeyboardInterrupt
        return real(**arguments)

    monkeypatch.setattr(single_run, "run", run)
    with pytest.raises(KeyboardInterrupt):
        tune(**board, sampler="grid", output="cut", tested=False)
    cut = tune(**board, sampler="grid", output="cut", tested=False)
    assert _scores(cut) == _scores(whole) and cut["best"] == whole["best"]
    assert len(made) == 9 + 1


@pytest.mark.slow
def test_hopeless_trials_end_early_and_are_kept_as_such(board, monkeypatch):
    def run(config_dict, after_validation, **_):
        for epoch in range(10):
            after_validation(epoch, config_dict["tau"] * epoch)
        score = 9 * config_dict["tau"]
        return {"valid": {"mrr@10": score}, "best_valid_score": score}

    monkeypatch.setattr(single_run, "run", run)
    board["ranges"] = {"tau": [0.1 * n for n in range(1, 21)]}
    found = tune(**board, sampler="grid", prune=True, tested=False)
    assert found["trials"]["pruned"] > 0 and found["best"] == {"tau": 2.0}
    row = next(row for row in found["table"] if row["state"] == "pruned")
    assert row["valid"] is None and row["epoch"] == 4 and row["note"].startswith("ended early")
    full = tune(**board, sampler="grid", tested=False, output="full")
    assert full["trials"]["pruned"] == 0


def test_no_trial_starts_once_the_seconds_are_spent(board, runs):
    found = tune(**board, sampler="grid", max_seconds=1e-9, tested=False)
    assert len(runs) == 1 and found["trials"]["complete"] == 1


@pytest.mark.slow
def test_best_yaml_is_what_a_run_takes(board):
    found = tune(**board, trials=2, sampler="random", command="the command")
    text = Path(found["files"][0]).read_text()
    names = {"model": board["model"], "dataset": board["dataset"]}
    wanted, best = board["config_dict"] | names | found["best"], yaml.safe_load(text)
    negatives = wanted.pop("train_neg_sample_args")  # a map, merged with the defaults
    assert best.pop("train_neg_sample_args").items() >= negatives.items()
    assert best == {key: value for key, value in wanted.items() if key != "show_progress"}
    assert "# the command\n" in text and f"{found['valid']:.6f} in epoch" in text
    searched = yaml.safe_load(text.partition("# What was searched is below.\n")[2])
    assert searched == found["best"]
    result = single_run.run(config_file_list=[found["files"][0]])  # the file is enough
    assert result["test"] == found["test"]
    winner = json.loads(Path("saved/tuning/MF_SL-board/winner.json").read_text())
    assert winner["test"] == found["test"]


def test_choices_may_be_lists_maps_and_words(board):
    board["ranges"] = {
        "train_neg_sample_args": [{"sample_num": 2}, {"sample_num": "all"}],
        "learner": ["adam", "sgd"],
    }
    del board["config_dict"]["train_neg_sample_args"]
    found = tune(**board, sampler="grid", tested=False)
    assert {row["settings"]["train_neg_sample_args"]["sample_num"] for row in found["table"]} == {
        2, "all",
    }  # fmt: skip
    best = yaml.safe_load(Path(found["files"][0]).read_text())
    assert best.items() >= found["best"].items()


def test_a_metric_that_is_better_small_is_minimised(board, monkeypatch):
    def run(config_dict, **_):
        score = abs(config_dict["tau"] - 0.2)
        return {"valid": {"averagepopularity@10": score}, "best_valid_score": score}

    monkeypatch.setattr(single_run, "run", run)
    board["config_dict"] |= {
        "metrics": ["AveragePopularity"],
        "valid_metric": "AveragePopularity@10",
    }
    found = tune(**board, sampler="grid", tested=False)
    assert found["valid"] == 0 and found["best"]["tau"] == 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config_dict": {"epochs": 1}}, "epochs is 2 there and 1 here"),
        ({"config_dict": {"seed": 1}}, "seed is 2020 there and 1 here"),
        ({"model": "MF_BPR"}, "loss is 'SL' there|model is 'MF_SL' there and 'MF_BPR' here"),
        ({"ranges": {"tau": [0.1, 0.3]}}, "learning_rate is .* there and not there here"),
        ({"config_dict": {"valid_metric": "NDCG@10"}}, "valid_metric is 'MRR@10' there"),
        ({"sampler": "grid"}, "sampler is 'random' there and 'grid' here"),
    ],
)
def test_another_study_in_the_same_place_is_refused_in_one_line(board, runs, change, message):
    options = {**board, "sampler": "random", "trials": 1, "study": "one", "tested": False}
    tune(**options)
    changed = {**options, **change}
    changed["config_dict"] = {**board["config_dict"], **change.get("config_dict", {})}
    with pytest.raises(UsageError, match=message) as caught:
        tune(**changed)
    assert "\n" not in str(caught.value) and "--study=NAME" in str(caught.value)
    assert len(runs) == 1


@pytest.mark.slow
def test_two_studies_share_a_storage_under_two_names(board):
    for name in ("one", "two"):
        found = tune(**board, sampler="random", trials=2, study=name, storage="s.log",
                     tested=False)  # fmt: skip
        assert found["trials"]["complete"] == 2


@pytest.mark.slow
def test_where_a_run_computes_does_not_tie_a_study(board):
    tune(**board, sampler="random", trials=1, tested=False)
    board["config_dict"]["checkpoint_dir"] = "elsewhere"
    assert tune(**board, sampler="random", trials=1, tested=False)["trials"]["complete"] == 1


def test_without_validation_rows_there_is_nothing_to_select_on(board):
    board["config_dict"] |= {"benchmark_filename": ["train", "test"], "benchmark_valid": 0}
    with pytest.raises(NothingToSelectOnError, match="no validation score to select on"):
        tune(**board, sampler="grid")


def test_the_models_own_ranges_are_searched_less_what_is_set():
    settings = {"epochs": 1, "learning_rate": 0.01}
    run = dict(model="MF_DSL", dataset="ml-100k", config_file_list=None, config_dict=settings,
               arguments=[("beta", "1.0")])  # fmt: skip
    plan = make_plan(run, **{**_OPTIONS, "sampler": "grid"})
    assert set(plan.ranges) == {"gamma", "reg_weight", "tau"}
    assert plan.trials == len(plan.grid()) == 3 * 4 * 7
    assert len({str(point) for point in plan.grid()}) == plan.trials
    capped = make_plan(run, **{**_OPTIONS, "sampler": "grid", "trials": 7})
    assert capped.trials == 7 and capped.max_seconds == math.inf


_OPTIONS = dict(trials=None, sampler="tpe", ranges=None, params_file=None, prune=None,
                max_seconds=math.inf, jobs=1, storage=None, study=None, output=None,
                command="", events=None)  # fmt: skip
