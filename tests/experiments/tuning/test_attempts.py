"""The bookkeeping, on trials made by hand."""

import subprocess
import sys

import pytest

from recbole_dsl.experiments.tuning import attempts

optuna = pytest.importorskip("optuna")
STATES = optuna.trial.TrialState


def _study(*trials):
    """Trials of (state, planned trial, value or attributes), numbered in order."""
    study = optuna.create_study(direction="maximize")
    for state, number, more in trials:
        attributes = {attempts.PLANNED: number, **(more if isinstance(more, dict) else {})}
        value = None if isinstance(more, dict) else more
        study.add_trial(
            optuna.trial.create_trial(state=STATES[state], value=value, user_attrs=attributes)
        )
    return study.get_trials()


def test_a_killed_trial_is_unclaimed_again_and_one_with_an_error_is_not():
    trials = _study(("COMPLETE", 0, 0.5), ("FAIL", 1, {}), ("FAIL", 2, {"error": "nan"}))
    found = attempts.study_state(trials, 4)
    assert found.unclaimed == [1, 3] and set(found.done) == {0, 2} and not found.finished


def test_a_trial_whose_process_is_killed_again_and_again_is_given_up():
    killed = [("FAIL", 0, {})] * (attempts.MAX_ATTEMPTS - 1)
    assert attempts.study_state(_study(*killed), 1).unclaimed == [0]
    found = attempts.study_state(_study(*killed, ("FAIL", 0, {})), 1)
    assert found.finished and list(found.given_up) == [0]


@pytest.mark.parametrize("why", ["unneeded", "interrupted"])
def test_ctrl_c_and_duplicates_do_not_count_as_killed(why):
    assert attempts.study_state(_study(*[("FAIL", 0, {why: True})] * 5), 1).unclaimed == [0]


def test_of_two_attempts_at_a_trial_the_later_is_a_duplicate():
    first, second = _study(("WAITING", 0, {}), ("RUNNING", 0, {}))
    assert attempts.is_duplicate(second, [first, second]) and not attempts.is_duplicate(
        first, [first, second]
    )
    first, second = _study(("FAIL", 0, {}), ("RUNNING", 0, {}))
    assert not attempts.is_duplicate(second, [first, second])


@pytest.mark.parametrize(("bigger", "winner"), [(True, 1), (False, 3)])
def test_the_best_follows_the_direction_and_the_lowest_number_wins_a_tie(bigger, winner):
    trials = _study(
        ("COMPLETE", 3, 0.1), ("COMPLETE", 2, 0.9), ("COMPLETE", 1, 0.9), ("COMPLETE", 4, 0.1),
        ("PRUNED", 0, {}),
    )  # fmt: skip
    assert attempts.best_trial(attempts.study_state(trials, 5), bigger)[0] == winner


def test_trials_beyond_the_number_planned_do_not_count():
    found = attempts.study_state(_study(("COMPLETE", 0, 0.1), ("COMPLETE", 1, 0.9)), 1)
    assert attempts.best_trial(found, True)[0] == 0 and found.finished


def test_a_process_is_dead_once_it_has_ended_or_its_number_is_used_again():
    here = attempts.this_process()
    assert not attempts.is_dead(here)
    assert attempts.is_dead({**here, "started": here["started"] - 100})
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert attempts.is_dead({**here, "pid": child.pid})
    assert not attempts.is_dead({**here, "pid": child.pid, "host": "another"})
