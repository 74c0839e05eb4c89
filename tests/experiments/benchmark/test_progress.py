import io
import re
import sys
import time
from types import SimpleNamespace

import pytest

from recbole_dsl.common.text import duration
from recbole_dsl.experiments.benchmark.jobs import Job
from recbole_dsl.experiments.benchmark.progress import Estimate, Progress, headline
from recbole_dsl.experiments.events import FILE, EpochEvents, EventReader

A, B = ("A", "d"), ("B", "d")


def test_the_time_left_is_that_of_the_runs_to_come_by_their_kind():
    estimate = Estimate([A, B, A, B], jobs=1)
    assert estimate.left() is None
    estimate.done(A, 10)
    assert estimate.left() == 30  # of B nothing is known: as long as A
    estimate.done(B, 100)
    assert estimate.left() == 110
    assert estimate.left([(A, 4)]) == 106
    assert estimate.left([(A, 40)]) == 100  # late, but no earlier than now
    estimate.done(A, 20)
    assert estimate.left() == 100
    assert estimate.left([(B, 99.7)]) is None  # "about 0 s left" would say that all is done
    assert estimate.left([(B, 300)]) is None


def test_jobs_share_the_time_left_and_earlier_runs_are_known():
    assert Estimate([A, A, A, A], 2, {A: [10, 20, 30]}).left() == 40
    assert Estimate([A], 4, {A: [10]}).left() == 10


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(4.4, "4 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (12000, "3 h 20 min")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_a_headline_says_how_a_run_ended():
    record = dict(
        label="A", dataset="d", seed=3, wall_seconds=7, status="ok", test={"ndcg@10": 0.5}
    )
    assert headline(record, "ndcg@10") == "A on d, seed 3: test ndcg@10 0.5000, 7 s"
    failed = {**record, "status": "failed", "error": "Traceback\nOops: it broke"}
    assert headline(failed, "ndcg@10") == "A on d, seed 3: failed after 7 s: Oops: it broke"


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_what_is_running_and_in_which_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := _Terminal())
    progress = Progress(2, 0, Estimate([A, A], 1), {"d": "ndcg@10"})
    run = SimpleNamespace(key="k", label="A", dataset="d", seed=3)
    job = Job(run, tmp_path, None, time.monotonic() - 4, EventReader(tmp_path / FILE))
    progress.tick([job])
    assert re.search(r"A 3 \d s", terminal.getvalue())
    EpochEvents(tmp_path / FILE)(11, 0.5)
    EpochEvents(tmp_path / FILE)(12, 0.5)
    time.sleep(0.5)
    progress.tick([job])
    assert re.search(r"A 3 epoch 12, \d s", terminal.getvalue())
    record = dict(key="k", label="A", dataset="d", seed=3, status="ok", test={"ndcg@10": 0.5})
    progress.finished({**record, "wall_seconds": 7})
    assert "[1/2] A on d, seed 3: test ndcg@10 0.5000, 7 s; about 7 s left" in terminal.getvalue()
    progress.close()
