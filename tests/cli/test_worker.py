"""The processes of a benchmark: what they do, report and leave, and how they end."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest
from quick import QUICK, ROOT

from recbole_dsl.cli import worker
from recbole_dsl.experiments.benchmark import jobs
from recbole_dsl.experiments.events import FILE, EventReader

SETTINGS = {**QUICK, "benchmark_filename": ["train", "valid", "test"], "epochs": 2}


def _words(dataset, **settings):
    values = {"model": "MF_BPR", "dataset": dataset, **SETTINGS, **settings}
    return [f"--{key}={json.dumps(v) if isinstance(v, list) else v}" for key, v in values.items()]


@pytest.mark.slow
def test_a_run_reports_its_epochs_and_leaves_its_result(checkerboard, tmp_path):
    words = _words(checkerboard, result_file=tmp_path / "r.json", checkpoint_dir=tmp_path)
    assert worker.main(["run", str(tmp_path), *words]) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    events = EventReader(tmp_path / FILE).new()
    assert [(e["event"], e["epoch"]) for e in events] == [("epoch", 0), ("epoch", 1)]
    assert events[-1]["score"] == result["epochs"][-1]["valid"]["mrr@10"]


def test_config_files_are_read_and_the_command_line_wins(checkerboard, tmp_path):
    for name, epochs in (("a", 7), ("b", 1)):
        (tmp_path / f"{name}.yaml").write_text(f"epochs: {epochs}\nlearning_rate: 0.5\n")
    words = _words(checkerboard, result_file=tmp_path / "r.json", learning_rate=0.25)
    words.remove("--epochs=2")
    assert worker.main(["run", str(tmp_path), "--config_files=a.yaml b.yaml", *words]) == 0
    settings = json.loads((tmp_path / "r.json").read_text())["settings"]
    assert settings["epochs"]["value"] == 1 and settings["learning_rate"]["value"] == 0.25


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"model": "MF_BPRR"}, 2, "error: "),
        ({"learning_rate": 1e30, "epochs": 20}, 1, "error: the loss of MF_BPR is"),
    ],
)
def test_an_error_is_the_last_line_and_an_exit_code(
    settings, code, message, checkerboard, tmp_path, capsys
):
    assert worker.main(["run", str(tmp_path), *_words(checkerboard, **settings)]) == code
    assert capsys.readouterr().err.splitlines()[-1].startswith(message)


def test_a_study_reports_its_trials_and_leaves_its_outcome(checkerboard, tmp_path):
    pytest.importorskip("optuna")
    arguments = dict(
        model="MF_BPR", dataset=checkerboard, config_dict=SETTINGS, trials=2, sampler="random",
        ranges={"learning_rate": [0.01, 0.1, 0.2]}, command="x",
    )  # fmt: skip
    budget = {"trials": 2, "seconds": None}
    (tmp_path / "study.json").write_text(json.dumps({"arguments": arguments, "budget": budget}))
    assert worker.main(["tune", str(tmp_path)]) == 0
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["budget"] == budget and outcome["test"] is None
    events = [event for event in EventReader(tmp_path / FILE).new() if event["event"] == "trial"]
    assert [(e["trial"], e["ended"], e["planned"]) for e in events] == [(0, 1, 2), (1, 2, 2)]
    assert max(event["value"] for event in events) == outcome["valid"]
    by_trial = {row["trial"]: row for row in outcome["table"]}
    assert all(event["seconds"] == by_trial[event["trial"]]["seconds"] for event in events)
    assert events[0]["text"].startswith(f"1 of 2: trial 0 mrr@10 {events[0]['value']:.4f} in epoch")


@pytest.mark.slow
def test_a_worker_ends_when_its_input_is_closed(checkerboard, tmp_path):
    endless = _words(checkerboard, epochs=1000000, stopping_step=1000000, checkpoint_dir=tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "recbole_dsl.cli.worker", "run", str(tmp_path), *endless],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    reader, deadline = EventReader(tmp_path / FILE), time.monotonic() + 60
    while not reader.new():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.stdin.close()
    assert process.wait(timeout=10) == 1
    assert not psutil.pid_exists(process.pid)


def test_a_worker_imports_the_package_of_the_benchmark(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(jobs.subprocess, "Popen", lambda *_, env, **__: given.update(env))
    for before, after in (("", [str(ROOT)]), ("elsewhere", [str(ROOT), "elsewhere"])):
        monkeypatch.setenv("PYTHONPATH", before)
        jobs.start_worker(None, "run", tmp_path, [], 1)
        assert given["PYTHONPATH"].split(os.pathsep) == after
