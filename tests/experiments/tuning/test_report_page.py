"""The sentence on a study's winner, from trials whose scores are known."""

from types import SimpleNamespace

import pytest

from recbole_dsl.experiments.tuning.attempts import StudyState
from recbole_dsl.experiments.tuning.report_page import verdict


def _study(scores, bigger=True, same_as=None):
    """Plan and state of a study whose trial n has the n-th score; some have those of others."""
    done = {}
    for number, score in enumerate(scores):
        attributes = {"best_epoch": number}
        if number in (same_as or {}):
            attributes["same_as"] = same_as[number]
        done[number] = SimpleNamespace(
            state=SimpleNamespace(name="COMPLETE"), values=[score], user_attrs=attributes,
            params={"tau": number / 10, "beta": -1},
        )  # fmt: skip
    plan = SimpleNamespace(bigger=bigger, metric="ndcg@5", seed=7, decode=dict)
    return plan, StudyState(done, {}, {}, [], {})


def test_the_winner_is_told_with_its_settings_and_its_lead():
    said = verdict(*_study([0.30, 0.25, 0.42, 0.10]))
    assert said.startswith(
        "Trial 2 is the best: beta -1, tau 0.2; ndcg@5 0.4200 on validation in epoch 3, "
        "0.1200 ahead of trial 0, the next, and 0.1450 ahead of the median of 4 trials. "
    )
    assert said.endswith("with seed 7: whether the next one is worse was not tested.")


def test_a_trial_with_the_winners_settings_is_not_the_next():
    said = verdict(*_study([0.4, 0.4, 0.3], same_as={1: 0}))
    assert "0.1000 ahead of trial 2, the next, and 0.0500 ahead of the median of 2 trials" in said


@pytest.mark.parametrize("bigger", [True, False])
def test_a_lead_is_never_below_zero(bigger):
    said = verdict(*_study([0.4, 0.1, 0.3], bigger=bigger))
    assert (", 0.1000 ahead of trial 2" if bigger else ", 0.2000 ahead of trial 2") in said


def test_one_trial_has_no_next():
    assert verdict(*_study([0.4])).endswith("epoch 1. It is the only one that ran to its end.")
