"""Benchmarks that tune first: equal budgets, studies gone on with, what the report says."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from browsing import opened
from in_process import Popen, workers_in_this_process
from planted_sequences import write_sequences
from quick import ROOT

from recbole_dsl.cli import benchmark
from recbole_dsl.experiments import single_run

pytest.importorskip("optuna")
from recbole_dsl.experiments.tuning.storage import open_storage

MODELS = """\
MF_SL: {search: {tau: [0.1, 0.3], learning_rate: [0.001, 0.1]}}
BPR: {search: {learning_rate: 1e-3..1e-1 log}, embedding_size: 8}
Pop: {train_neg_sample_args: {distribution: None}}
"""
ASKED = [
    "--models_file=models.yaml", "--dataset=tiny", "--seeds=3,4", "--epochs=1", "--topk=5",
    "--valid_metric=NDCG@5", "--output=out", "--tune=2",
]  # fmt: skip
SHORT = [word for word in ASKED if not word.startswith("--seeds")] + ["--seeds=3"]


@pytest.fixture
def quick(tiny, own_folder, monkeypatch):
    """MODELS on tiny, with studies and runs in this process."""
    (own_folder / "models.yaml").write_text(MODELS)
    workers_in_this_process(monkeypatch)


def _trials(made):
    return [given for given in made if given.get("tested") is False]


def _records():
    return [json.loads(line) for line in Path("out/results.jsonl").read_text().splitlines()]


def _budgets(folder="out"):
    found = json.loads((Path(folder) / "plan.json").read_text())["tuning"]
    return {outcome["label"]: outcome for outcome in found}


@pytest.mark.slow
def test_every_model_gets_the_same_trials_its_runs_the_winner_and_a_rerun_does_nothing(
    quick, runs, capsys
):
    assert benchmark.main(ASKED) == 0
    said = capsys.readouterr()
    budgets = _budgets()
    for label in ("MF_SL", "BPR"):
        counted = budgets[label]["trials"]
        assert counted == {"asked": 2, "complete": 2, "pruned": 0, "failed": 0}
        assert budgets[label]["seconds"] > 0
    assert budgets["Pop"]["trials"]["asked"] == 0 and budgets["Pop"]["why_not"] == "no ranges"
    trials = _trials(runs)
    assert len(trials) == 4 and {given["config_dict"]["seed"] for given in trials} == {3}
    assert {given["config_dict"]["split_seed"] for given in trials} == {2020}
    records = _records()
    assert len(records) == 6
    for record in records:
        best = budgets[record["label"]]["best"]
        assert record["tuning"]["best"] == best
        for name, value in best.items():
            assert f"--{name}={json.dumps(value)}" in record["command"]
        if record["seed"] == 3 and best:  # runs as the winning trial was
            assert record["valid"]["ndcg@5"] == budgets[record["label"]]["valid"]
    assert "tuned BPR on tiny: ndcg@5" in said.err

    Popen.started.clear()
    assert benchmark.main(ASKED) == 0
    assert Popen.started == [] and "6 of 6 runs are there" in capsys.readouterr().err

    # One more trial each is added to the two that are there.
    assert benchmark.main([*ASKED[:-1], "--tune=3"]) == 0
    assert len(_trials(runs)) == 6 and _budgets()["BPR"]["trials"]["complete"] == 3
    assert len(list(Path("out/tuning").iterdir())) == 2


@pytest.mark.slow
def test_the_report_says_what_each_model_got(quick, capsys):
    assert benchmark.main(SHORT) == 0
    printed = capsys.readouterr().out
    note = (
        "Tuned first: 2 trials for each model and dataset, by tpe, hopeless trials ended early, on "
        "validation alone, with seed 3. Not tuned, 0 trials: Pop."
    )
    rate = f"learning_rate: {_budgets()['BPR']['best']['learning_rate']:.4g}"
    markdown = Path("out/table.md").read_text()
    for text in (printed, markdown):
        assert note in text and rate in text and "not tuned: no ranges" in text
    row = next(line for line in markdown.splitlines() if rate in line)
    assert [cell.strip() for cell in row.split("|")][1:6] == ["BPR", "2", "2", "0", "0"]
    with opened(Path("out/report.html").resolve()) as (page, errors):
        assert errors == [] and page.locator("h2").all_inner_texts()[-1] == "Tuning"
        cells = page.locator("table").last.locator("tr").nth(2).locator("td").all_inner_texts()
        assert cells[:5] == ["BPR", "2", "2", "0", "0"] and cells[-1] == rate
        assert note in page.inner_text("body")


@pytest.mark.slow
def test_a_benchmark_that_is_stopped_while_it_tunes_goes_on_and_finds_the_same(
    quick, runs, monkeypatch, capsys
):
    assert benchmark.main([w for w in SHORT if w != "--output=out"] + ["--output=whole"]) == 0
    wanted = _budgets("whole")
    counting, runs[:] = single_run.run, []

    def run(*places, **arguments):
        if len(_trials(runs)) == 3:  # in the second trial of the second model
            raise KeyboardInterrupt
        return counting(*places, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(single_run, "run", run)
        assert benchmark.main(SHORT) == 130
    assert "stopped; the same command goes on from here" in capsys.readouterr().err
    assert not Path("out/plan.json").exists() and len(_trials(runs)) == 3
    assert benchmark.main(SHORT) == 0
    assert len(_trials(runs)) == 4
    for label, found in _budgets().items():
        assert found["best"] == wanted[label]["best"]
        assert found.get("valid") == wanted[label].get("valid")


@pytest.mark.slow
def test_a_benchmark_that_is_killed_ends_its_study_which_says_that_it_was_interrupted(
    tiny, own_folder
):
    (own_folder / "models.yaml").write_text(MODELS)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    endless = ["--model=BPR", "--epochs=1000000", "--stopping_step=1000000"]
    words = [word for word in ASKED if word != "--epochs=1"] + endless
    with open("said.txt", "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "recbole_dsl", "benchmark", *words],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stderr=file,
        )
    ends = time.monotonic() + 60
    while not (states := [trial.state.name for trial in _stored()]) or "RUNNING" not in states:
        assert time.monotonic() < ends and process.poll() is None, "waited in vain"
        time.sleep(0.1)
    time.sleep(1)  # into the epochs
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.kill()
    process.wait(timeout=30)
    assert not psutil.wait_procs(children, timeout=10)[1], "the study has outlived its benchmark"
    trial = _stored()[0]
    assert trial.state.name == "FAIL" and trial.user_attrs["interrupted"]


def _stored():
    """The trials of the one study that there is."""
    paths = list(Path("out/tuning").glob("*/study.log")) if Path("out/tuning").exists() else []
    if not paths or b"BPR-tiny" not in paths[0].read_bytes():
        return []
    return open_storage(str(paths[0])).get_all_trials(0)


@pytest.mark.slow
def test_a_study_without_a_winner_fails_alone_and_is_tried_again_when_asked(
    quick, runs, monkeypatch, capsys
):
    counting = single_run.run

    def run(*places, **arguments):
        if arguments.get("model") == "BPR" and arguments.get("tested") is False:
            raise RuntimeError("out of luck")
        return counting(*places, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(single_run, "run", run)
        assert benchmark.main(ASKED) == 1
    error = "failed: tuning of BPR on tiny: no trial of BPR-tiny ran to its end: RuntimeError"
    assert error in capsys.readouterr().err
    assert {record["label"] for record in _records()} == {"MF_SL", "Pop"}
    assert "failed, see below" in Path("out/table.md").read_text()
    runs.clear()
    assert benchmark.main(ASKED) == 1 and runs == []
    assert benchmark.main([*ASKED, "--retry_failed"]) == 0
    assert len(_trials(runs)) == 2 and len(_records()) == 6


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("BPR: {search: 3}", "search of BPR must hold lines of `setting: range`, got 3"),
        ("BPR: {search: {learning_rate: 2..1}}", "--tune of BPR: range of learning_rate"),
        ("BPR: {search: {learning_rat: [1]}}", "did you mean learning_rate?"),
        ("MF_SL: {search: {tau: [0.1, -1]}}", "tau must be a number > 0, got -1"),
        ("MF_SL: {search: {tau: [0.1]}, tau: 0.2}", "tau has a value and a range"),
    ],
)
def test_a_wrong_range_stops_it_before_anything_is_written(
    section, message, tiny, own_folder, capsys
):
    (own_folder / "models.yaml").write_text(section + "\n")
    assert benchmark.main(ASKED) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    assert not Path("out").exists()


def test_without_optuna_one_line_says_how_to_get_it(quick, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert benchmark.main(ASKED) == 2
    assert capsys.readouterr().err == (
        "error: tuning needs Optuna: pip install recbole_dsl[tuning]\n"
    )
    assert not Path("out").exists()


def test_a_split_for_each_seed_is_refused_since_some_would_be_tuned_on_their_test_rows(
    tiny, own_folder, capsys
):
    (own_folder / "models.yaml").write_text(MODELS)
    assert benchmark.main([*ASKED, "--split_seed=None"]) == 2
    assert "--tune needs one split for all seeds" in capsys.readouterr().err
    assert not Path("out").exists()


SEQUENTIAL = """\
GRU4Rec_SL: {search: {tau: [0.1, 0.3]}, train_neg_sample_args: {sample_num: 6}}
GRU4Rec: {loss_type: CE, train_neg_sample_args: null, search: {learning_rate: [0.001, 0.01]}}
"""


@pytest.mark.slow
def test_a_sequential_model_of_recboles_is_tuned_with_a_loss_and_with_its_own(
    own_folder, monkeypatch, runs, capsys
):
    write_sequences(own_folder)
    (own_folder / "models.yaml").write_text(SEQUENTIAL)
    workers_in_this_process(monkeypatch)
    columns = '--load_col={"inter": ["user_id", "item_id", "timestamp"]}'
    asked = [word for word in SHORT if not word.startswith("--dataset")]
    sizes = ["--embedding_size=8", "--hidden_size=8", "--tune_sampler=grid"]
    assert benchmark.main([*asked, "--dataset=ring", columns, *sizes]) == 0
    assert {label: found["trials"]["complete"] for label, found in _budgets().items()} == {
        "GRU4Rec_SL": 2, "GRU4Rec": 2,
    }  # fmt: skip
    assert [record["status"] for record in _records()] == ["ok", "ok"]
    assert "GRU4Rec_SL" in capsys.readouterr().out
