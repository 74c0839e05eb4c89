"""The bookkeeping, on trials made by hand."""

import subprocess
import sys

import pytest

from recbole_dsl.tuning import slots

optuna = pytest.importorskip("optuna")
STATES = optuna.trial.TrialState


def _study(*trials):
    """Trials of (state, slot, value or attributes), numbered in order."""
    study = optuna.create_study(direction="maximize")
    for state, slot, more in trials:
        attributes = {"slot": slot, **(more if isinstance(more, dict) else {})}
        value = None if isinstance(more, dict) else more
        study.add_trial(
            optuna.trial.create_trial(state=STATES[state], value=value, user_attrs=attributes)
        )
    return study.get_trials()


def test_a_killed_attempt_opens_its_slot_again_and_an_error_does_not():
    trials = _study(("COMPLETE", 0, 0.5), ("FAIL", 1, {}), ("FAIL", 2, {"error": "nan"}))
    found = slots.sort(trials, 4)
    assert found.open == [1, 3] and set(found.done) == {0, 2} and not found.finished


def test_a_slot_that_kills_its_process_again_and_again_is_given_up():
    killed = [("FAIL", 0, {})] * (slots.ATTEMPTS - 1)
    assert slots.sort(_study(*killed), 1).open == [0]
    found = slots.sort(_study(*killed, ("FAIL", 0, {})), 1)
    assert found.finished and list(found.given_up) == [0]


@pytest.mark.parametrize("why", ["surplus", "interrupted"])
def test_ctrl_c_and_doubles_are_no_deaths(why):
    assert slots.sort(_study(*[("FAIL", 0, {why: True})] * 5), 1).open == [0]


def test_of_two_attempts_at_a_slot_the_later_is_one_too_many():
    first, second = _study(("WAITING", 0, {}), ("RUNNING", 0, {}))
    assert slots.taken(second, [first, second]) and not slots.taken(first, [first, second])
    first, second = _study(("FAIL", 0, {}), ("RUNNING", 0, {}))
    assert not slots.taken(second, [first, second])


@pytest.mark.parametrize(("bigger", "winner"), [(True, 1), (False, 3)])
def test_the_best_follows_the_direction_and_the_lowest_slot_wins_a_tie(bigger, winner):
    trials = _study(
        ("COMPLETE", 3, 0.1), ("COMPLETE", 2, 0.9), ("COMPLETE", 1, 0.9), ("COMPLETE", 4, 0.1),
        ("PRUNED", 0, {}),
    )  # fmt: skip
    assert slots.best(slots.sort(trials, 5), bigger)[0] == winner


def test_slots_beyond_the_number_asked_for_do_not_count():
    found = slots.sort(_study(("COMPLETE", 0, 0.1), ("COMPLETE", 1, 0.9)), 1)
    assert slots.best(found, True)[0] == 0 and found.finished


def test_a_process_is_dead_once_it_has_ended_or_its_number_is_used_again():
    here = slots.this_process()
    assert not slots.is_dead(here)
    assert slots.is_dead({**here, "started": here["started"] - 100})
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert slots.is_dead({**here, "pid": child.pid})
    assert not slots.is_dead({**here, "pid": child.pid, "host": "another"})
