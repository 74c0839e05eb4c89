"""Whole benchmarks in processes of their own: killed, stopped, failing, gone on with."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from in_process import workers_in_this_process
from quick import ROOT

from recbole_dsl.cli import benchmark
from recbole_dsl.experiments.benchmark import jobs
from recbole_dsl.experiments.events import EventReader

QUICK = [
    "--dataset=tiny", "--train_neg_sample_args={sample_num: 5}", "--topk=5",
    "--valid_metric=NDCG@5", "--jobs=2", "--output=out",
]  # fmt: skip


def _merged(arguments):
    """QUICK, less what is given."""
    given = {word.split("=")[0] for word in arguments}
    return [word for word in QUICK if word.split("=")[0] not in given] + list(arguments)


def _start(*arguments):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "recbole_dsl", "benchmark", *_merged(arguments)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process, timeout=120):
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def _records():
    """The whole lines of the store."""
    path = Path("out/results.jsonl")
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def _wait_for(condition, seconds=240):  # a busy machine takes two minutes to start
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.05)


def _table(folder):
    """The figures of a report, but for the seconds, which differ from run to run."""
    return pd.read_csv(Path(folder) / "table.csv").drop(columns="seconds")


def _main(capsys, *arguments):
    """The command in this process, which has imported torch already."""
    capsys.readouterr()
    code = benchmark.main(_merged(arguments))
    return code, capsys.readouterr().err


@pytest.fixture
def one_thread():
    """As a process of two jobs on two cores has; more threads add up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_table_of_an_undisturbed_one(
    tiny, capsys, monkeypatch, one_thread
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    asked = ["--model=Pop,EASE,MF_SL", "--seeds=0..1", "--epochs=1"]
    with monkeypatch.context() as patch:
        workers_in_this_process(patch)
        assert _main(capsys, *asked, "--output=whole")[0] == 0
    draw, orphans = random.Random(1), []
    for done in (0, 2):
        process = _start(*asked)
        _wait_for(lambda many=done: len(_records()) >= many and Path("out/runs").is_dir())
        time.sleep(draw.uniform(0, 1.5))
        orphans += psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert orphans, "nothing was in flight: the test tests nothing"
    _, alive = psutil.wait_procs(orphans, timeout=10)
    assert not alive, "runs have outlived their benchmark"
    with open("out/results.jsonl", "ab") as file:
        file.write(b'{"key": "torn')  # what a machine that went down may leave
    done = len(_records())
    code, err = _main(capsys, *asked)
    assert code == 0
    assert 2 <= done < 6 and f"{done} of 6 runs are there already" in err and "was torn" in err
    records = _records()
    assert len(records) == len({r["key"] for r in records}) == 6
    pd.testing.assert_frame_equal(_table("out"), _table("whole"), check_exact=True)
    assert {r["user_metrics"] for r in records} == {"result.users.npz"}
    assert not list(Path("out").rglob("*.pth"))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_loses_only_the_runs_in_flight_and_ends_them(number, code, tiny, own_folder):
    (own_folder / "models.yaml").write_text(
        "EASE:\nMF_SL: {epochs: 1000000, stopping_step: 1000000}\n"
    )
    process = _start("--models_file=models.yaml", "--seeds=0")
    _wait_for(lambda: len(_records()) == 1)
    events = EventReader(next(Path("out/runs").glob("MF_SL*")) / "events.jsonl")
    _wait_for(lambda: any(event["epoch"] >= 3 for event in events.new()))
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(number)
    ended, out, err = _finish(process, 30)
    assert ended == code, err
    assert not psutil.wait_procs(children, timeout=1)[1]
    assert "stopped; the same command goes on" in err and "1 of 2 runs are missing" in err
    assert "Traceback" not in err and "EASE" in out
    assert [record["label"] for record in _records()] == ["EASE"]


@pytest.mark.slow
def test_a_failed_run_is_recorded_the_others_go_on_and_it_is_retried_when_asked(
    tiny, own_folder, capsys, monkeypatch
):
    workers_in_this_process(monkeypatch)
    (own_folder / "models.yaml").write_text(
        "diverging: {model: MF_BPR, learning_rate: 1e30, epochs: 20}\nEASE:\n"
    )
    asked = ["--models_file=models.yaml", "--seeds=0"]
    code, err = _main(capsys, *asked)
    assert code == 1
    by_label = {record["label"]: record for record in _records()}
    assert by_label["EASE"]["status"] == "ok" and by_label["diverging"]["status"] == "failed"
    assert "the loss of MF_BPR is" in by_label["diverging"]["error"]
    assert "failed: diverging on tiny, seed 0: error: the loss of MF_BPR is" in err
    assert "| EASE" in Path("out/table.md").read_text()
    code, err = _main(capsys, *asked)
    assert code == 1 and "2 of 2 runs are there already" in err and len(_records()) == 2
    code, err = _main(capsys, *asked, "--retry_failed")
    assert code == 1 and "1 of 2 runs are there already" in err
    assert [record["label"] for record in _records()].count("diverging") == 2


def test_a_run_that_the_system_kills_is_recorded_with_the_signal(tiny, monkeypatch, capsys):
    start = jobs.start_worker

    def killed(*arguments):
        job = start(*arguments)
        os.killpg(job.process.pid, signal.SIGKILL)
        return job

    monkeypatch.setattr(jobs, "start_worker", killed)
    code, err = _main(capsys, "--model=EASE", "--seeds=0")
    assert code == 1 and "ended by SIGKILL, often for lack of memory" in err
    assert _records()[0]["status"] == "failed"


def test_a_typo_stops_it_before_anything_is_written(tiny, own_folder, capsys):
    code, err = _main(capsys, "--model=EASE,LightGCN_DLS")
    assert code == 2 and err.startswith("error: ") and len(err.splitlines()) == 1
    assert not (own_folder / "out").exists()


def test_a_column_that_is_not_measured_stops_it_before_anything_is_written(tiny, capsys):
    code, said = _main(capsys, "--model=Pop", "--columns=recall@5,ndcg@50")
    assert code == 2 and not Path("out").exists()
    assert said.startswith("error: --columns: ndcg@50 is not measured: recall@5, ")


@pytest.mark.slow
def test_a_report_takes_another_reference_and_refuses_a_wrong_one(tiny, capsys, monkeypatch):
    workers_in_this_process(monkeypatch)
    assert _main(capsys, "--model=Pop,EASE", "--seeds=0..1", "--epochs=1")[0] == 0
    before = Path("out/table.md").read_text()
    code, err = _main(capsys, "--report", "--reference=EAES")
    assert code == 2 and "--reference=EAES is not among the models Pop, EASE" in err
    assert Path("out/table.md").read_text() == before and "against Pop" in before
    assert _main(capsys, "--report", "--reference=EASE", "--alternative=better")[0] == 0
    after = Path("out/table.md").read_text()
    assert "against EASE" in after and "one-sided" in after
    assert _main(capsys, "--report")[0] == 0  # the plan is what it was
    assert Path("out/table.md").read_text() == before


def test_each_worker_gets_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    assert [jobs.threads(at_once) for at_once in (1, 2, 3, 20)] == [8, 4, 2, 1]
