import pytest

from recbole_dsl.benchmark.progress import Estimate, duration, headline

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
