"""The lines that a benchmark prints while it tunes, from the events of its studies."""

import time
from types import SimpleNamespace

import pytest

from recbole_dsl.experiments.benchmark.jobs import Job
from recbole_dsl.experiments.benchmark.tuning_progress import TuningProgress
from recbole_dsl.experiments.events import FILE, EventReader, append


def _study(folder, label, trials=4, seconds=None, ago=0.0):
    budget = {"trials": trials, "seconds": seconds}
    study = SimpleNamespace(label=label, dataset="d", budget=budget)
    (folder / label).mkdir()
    started = time.monotonic() - ago
    return Job(study, folder / label, None, started, EventReader(folder / label / FILE))


def _end(job, ended, seconds):
    event = {"event": "trial", "trial": ended - 1, "ended": ended, "value": 0.5, "text": "a trial"}
    append(job.folder / FILE, {**event, "planned": 4, "seconds": seconds})


@pytest.fixture
def jobs(tmp_path):
    return [_study(tmp_path, "A"), _study(tmp_path, "B", seconds=25)]


def test_each_trial_is_printed_once_with_the_time_that_all_studies_need(jobs, capsys):
    first, second = jobs
    progress = TuningProgress(jobs=1)
    progress.begin([job.task for job in jobs])
    _end(first, 1, 10.0)
    progress.tick(jobs)
    # A has three trials to come, B four, of which 25 s have room.
    assert capsys.readouterr().err == "tuning A on d: a trial; about 55 s of tuning left\n"
    _end(second, 1, 20.0)
    outcome = {"metric": "ndcg@5", "valid": 0.5, "best": {"tau": 0.1}}
    progress.finished(second, outcome)
    assert capsys.readouterr().err.splitlines() == [
        "tuning B on d: a trial; about 35 s of tuning left",
        "tuned B on d: ndcg@5 0.5000 with tau: 0.1; studies left: 1",
    ]
    _end(first, 4, 10.0)
    progress.finished(first, {"error": "one\nno trial"})
    assert capsys.readouterr().err.splitlines() == [
        "tuning A on d: a trial", "tuned A on d: failed: no trial",
    ]  # fmt: skip


def test_studies_that_run_at_once_share_the_time(jobs, capsys):
    progress = TuningProgress(jobs=2)
    progress.begin([job.task for job in jobs])
    _end(jobs[0], 3, 10.0)
    progress.tick(jobs)
    assert "about 18 s of tuning left" in capsys.readouterr().err  # (10 + 25) / 2


def test_studies_that_have_yet_to_start_need_their_start_up_too(tmp_path, capsys):
    # 15 s after its process was started, a trial of 10 s has ended.
    first, second = _study(tmp_path, "A", ago=15), _study(tmp_path, "B", seconds=25)
    progress = TuningProgress(jobs=1)
    progress.begin([first.task, second.task])
    _end(first, 1, 10.0)
    progress.tick([first])
    assert "about 60 s of tuning left" in capsys.readouterr().err  # 3 x 10, then 5 + 25
