"""A study on a real database server: machines that die, a server that is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest
from postgres import running_server
from quick import ROOT

from recbole_dsl.experiments.tuning import attempts, tune
from recbole_dsl.experiments.tuning.storage import open_storage
from recbole_dsl.experiments.tuning.study import quiet

MACHINE = ROOT / "tests" / "support" / "machine.py"
TRIALS = 20


def _start(name, url):
    """The command on a machine that has its own folder, with a copy of the data."""
    folder = Path(name)
    if not folder.exists():
        shutil.copytree("dataset", folder / "dataset")
    words = [
        "--model=MF_SL", "--dataset=board", "--benchmark_filename=[train, valid, test]",
        "--epochs=2", "--embedding_size=8", "--train_neg_sample_args={sample_num: 16}",
        "--params_file=ranges.yaml", f"--trials={TRIALS}", "--sampler=random", f"--storage={url}",
        "--output=found",
    ]  # fmt: skip
    shutil.copy("ranges.yaml", folder)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, MACHINE, name, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _trials(url):
    """All attempts that the database has; () before there is a study."""
    with quiet():
        storage = open_storage(url, patient=True)
        studies = storage.get_all_studies()
        found = storage.get_all_trials(studies[0]._study_id) if studies else ()
        storage._backend.engine.dispose()
    return found


def _wait(url, condition):
    ends = time.monotonic() + 300
    while not condition(found := _trials(url)):
        assert time.monotonic() < ends, Counter(trial.state.name for trial in found)
        time.sleep(0.3)


def _complete(trials):
    return [trial for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]


def _states_on(trials, name):
    """Names of the states of the trials that a machine of that name has begun."""
    return {
        trial.state.name
        for trial in trials
        if trial.user_attrs.get("process", {}).get("host") == name
    }


@pytest.fixture
def started():
    """Processes that are ended with the test."""
    processes = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
def test_two_machines_end_as_planned_though_one_and_the_server_are_killed(board, started):
    ranges = {"tau": "0.1..0.5", "learning_rate": "1e-3..1e-1 log"}
    Path("ranges.yaml").write_text(json.dumps(ranges))
    undisturbed = tune(**{**board, "ranges": ranges}, trials=TRIALS, sampler="random")
    with running_server() as server:
        first, second = _start("first", server.url), _start("second", server.url)
        started += [first, second]
        _wait(server.url, lambda found: _states_on(found, "second") >= {"COMPLETE", "RUNNING"})
        second.send_signal(signal.SIGKILL)
        second.wait()
        before = len(_complete(_trials(server.url)))
        _wait(server.url, lambda found: len(_complete(found)) > before)
        server.kill()
        time.sleep(2)
        assert first.poll() is None, first.communicate()[0]
        server.start()
        again = _start("second", server.url)
        started.append(again)
        said = {"first": first.communicate(timeout=300)[0], "second": again.communicate()[0]}
        found = _trials(server.url)
    for process, text in ((first, said["first"]), (again, said["second"])):
        assert process.returncode == 0, text
        assert "Traceback" not in text and "secret" not in text
    assert "is back after" in said["first"]
    ended = attempts.study_state(found, TRIALS)
    assert ended.finished and not ended.given_up
    values = {number: trial.value for number, trial in ended.complete.items()}
    assert values == {row["trial"]: row["valid"] for row in undisturbed["table"]}
    assert {trial.user_attrs["process"]["host"] for trial in ended.done.values()} == {
        "first", "second",
    }  # fmt: skip
    assert any(trial.state.name == "FAIL" for trial in found)  # of the machine that was killed
    winners = [
        path for path in map(Path, ("first", "second")) if (path / "found/winner.json").exists()
    ]
    assert winners
    for machine in winners:
        winner = json.loads((machine / "found" / "winner.json").read_text())
        assert winner["test"] == undisturbed["test"]
    assert "secret" not in Path("first/found/best.yaml").read_text()
