"""Studies of several processes, and of processes that are killed."""

import dataclasses
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import psutil
import pytest
import tuners
from quick import ROOT

from recbole_dsl.experiments.tuning import attempts, tune, worker
from recbole_dsl.experiments.tuning.plan import make_plan
from recbole_dsl.experiments.tuning.study import open_study, queue_trials, quiet

_CONTEXT = multiprocessing.get_context("spawn")


def _killed(options, number):
    """Run the study in a process of its own, which is killed in its run of that number."""
    process = _CONTEXT.Process(target=tuners.killed_in_run, args=(number, options))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def _states(storage):
    (name,) = optuna.get_all_study_names(storage)
    return [
        trial.state.name for trial in optuna.load_study(study_name=name, storage=storage).trials
    ]


def _journal(path):
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_a_killed_study_goes_on_to_the_same_trials_and_winner(board, sampler):
    if sampler == "random":
        board["ranges"] = {"tau": "0.1..0.5", "learning_rate": "1e-3..1e-1 log"}
    options = {**board, "sampler": sampler, "trials": 6}
    whole = tune(**options, output="whole")
    _killed({**options, "output": "cut"}, 3)
    states = _states(_journal("cut/study.log"))
    assert states == ["COMPLETE"] * 2 + ["RUNNING"] + ["WAITING"] * 3
    cut = tune(**options, output="cut")
    for key in ("best", "valid", "trial", "best_epoch", "trials", "test"):
        assert cut[key] == whole[key], key
    rows = [sorted((row["trial"], row["valid"], str(row["settings"])) for row in found["table"])
            for found in (whole, cut)]  # fmt: skip
    assert rows[0] == rows[1]
    states = _states(_journal("cut/study.log"))
    assert states.count("COMPLETE") == 6 and states.count("FAIL") == 1


def _plan(board, **options):
    run = {name: board[name] for name in ("model", "dataset", "config_dict")}
    defaults = dict(trials=12, sampler="random", ranges=board["ranges"], params_file=None,
                    prune=None, max_seconds=1e9, jobs=1, storage=None, study=None, output="out",
                    command="", events=None)  # fmt: skip
    run |= {"config_file_list": None, "arguments": []}
    return make_plan(run, **{**defaults, **options})


@pytest.mark.slow
def test_two_processes_share_the_trials_and_do_none_twice(board):
    board["ranges"] = {"tau": "0.1..0.5"}
    plan = _plan(board)
    with quiet():
        study = open_study(plan, create=True)
        queue_trials(study, plan)
    barrier = _CONTEXT.Barrier(2)
    workers = [
        _CONTEXT.Process(target=tuners.work_together, args=(plan, barrier, "noted"))
        for _ in range(2)
    ]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
        assert process.exitcode == 0
    noted = [line.split(" ", 1) for line in Path("noted").read_text().splitlines()]
    assert len({process for process, _ in noted}) == 2
    assert len(noted) == len({settings for _, settings in noted}) == plan.trials
    with quiet():
        assert queue_trials(study, plan).finished
    counted = [t for t in study.trials if t.state.name == "COMPLETE"]
    assert sorted(t.user_attrs[attempts.PLANNED] for t in counted) == list(range(plan.trials))


@pytest.mark.slow
def test_two_commands_that_queue_at_once_do_no_trial_twice(board):
    plan = _plan(board, trials=3, ranges={"tau": "0.1..0.5"})
    with quiet():
        study = open_study(plan, create=True)
        for number in (0, 0, 1, 1, 2):  # as if neither had seen what the other queued
            study.enqueue_trial({}, user_attrs={attempts.PLANNED: number})
    found = tune(**{**board, "ranges": {"tau": "0.1..0.5"}}, trials=3, sampler="random",
                 output="out", tested=False)  # fmt: skip
    assert found["trials"]["complete"] == 3
    states = _states(_journal("out/study.log"))
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "FAIL", "COMPLETE"]


@pytest.mark.slow
def test_an_interrupt_before_a_trial_trains_counts_as_one(board, monkeypatch):
    plan = _plan(board, trials=1, ranges={"tau": [0.1]})

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(attempts, "is_duplicate", interrupted)
    with quiet():
        study = open_study(plan, create=True)
        queue_trials(study, plan)
        with pytest.raises(KeyboardInterrupt):
            study.optimize(worker.Objective(plan), n_trials=1)
    assert study.trials[0].user_attrs["interrupted"]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_sigterm_ends_all_workers_and_counts_as_ctrl_c_not_as_a_kill(jobs, checkerboard):
    words = [
        "--model=MF_SL", "--dataset=board", "--benchmark_filename=[train, valid, test]",
        "--epochs=1000000", "--stopping_step=1000000", "--embedding_size=8", "--output=out",
        f"--jobs={jobs}",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "recbole_dsl", "tune", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )

    def running():
        path = Path("out/study.log")
        states = _states(_journal(path)) if path.exists() and path.stat().st_size > 500 else []
        return states.count("RUNNING")

    ends = time.monotonic() + 60
    while running() < jobs:
        assert time.monotonic() < ends and process.poll() is None
        time.sleep(0.3)
    children = psutil.Process(process.pid).children(recursive=True)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143 and "Traceback" not in err
    assert err.splitlines()[-1].startswith("stopped by SIGTERM; the finished trials are kept, and")
    assert not psutil.wait_procs(children, timeout=2)[1]
    trials = optuna.load_study(study_name="MF_SL-board", storage=_journal("out/study.log")).trials
    assert sum(trial.user_attrs.get("interrupted", False) for trial in trials) == jobs
    assert not any(map(attempts.was_killed, trials))
    assert not list(Path("out").rglob("*.part"))


# SQLAlchemy leaves SQLite's connections to the garbage collector, which Python 3.13 warns of.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed database")
def test_a_database_keeps_trials_and_tells_by_the_heartbeat_who_is_gone(board, monkeypatch):
    # Any database is reached by the same path; SQLite, which needs no server, has one process here.
    plan = dataclasses.replace(_plan(board, trials=3), storage="sqlite:///x.db")
    monkeypatch.setattr("recbole_dsl.experiments.tuning.storage.HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr("recbole_dsl.experiments.tuning.storage.GRACE_SECONDS", 2)
    with quiet():
        study = open_study(plan, create=True)
        queue_trials(study, plan)
        gone = optuna.load_study(study_name=plan.study, storage=plan.storage).ask()
        elsewhere = {"host": "another", "pid": 1, "started": 0.0}
        gone.set_user_attr("process", elsewhere)
        study._storage.record_heartbeat(gone._trial_id)
        assert list(queue_trials(study, plan).running) == [0]
        time.sleep(3.5)
        found = queue_trials(study, plan)
        assert not found.running and set(found.queued) == {0, 1, 2}
        worker.work(plan)
        assert queue_trials(study, plan).finished
    assert sorted(_states(plan.storage)) == ["COMPLETE"] * 3 + ["FAIL"]
    kept = study.trials[1]
    stored = {attempts.PLANNED, "valid", "best_epoch", "seconds", "seed", "process"}
    assert stored <= set(kept.user_attrs)
    assert set(kept.params) == {"tau", "learning_rate"}
    assert kept.intermediate_values.keys() == {0, 1}
    del study, gone, kept
    gc.collect()  # here, where the warning is expected, not in a later test


@pytest.mark.slow
def test_jobs_give_the_result_of_one_process(board):
    one = tune(**board, sampler="grid", output="one", tested=False)
    two = tune(**board, sampler="grid", output="two", jobs=2, tested=False)
    assert [(row["trial"], row["valid"]) for row in two["table"]] == [
        (row["trial"], row["valid"]) for row in one["table"]
    ]


@pytest.mark.slow
def test_optuna_is_needed_for_tuning_alone_and_its_lack_is_one_line(tmp_path):
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "import recbole_dsl, recbole_dsl.experiments.single_run, recbole_dsl.experiments.tuning\n"
        "from recbole_dsl.cli.tune import main\n"
        "sys.exit(main(['--model=MF_SL']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: tuning needs Optuna: pip install recbole_dsl[tuning]\n"
    assert not list(tmp_path.iterdir())
