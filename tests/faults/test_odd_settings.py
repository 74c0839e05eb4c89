"""A quick, repeatable share of the campaign of campaign.py."""

import pytest
from hypothesis import HealthCheck, given, settings
from odd_settings import MODELS, drawn_settings, outcome


@pytest.mark.parametrize("model", MODELS)
def test_odd_settings_are_accepted_or_refused_in_one_line(model):
    @settings(
        max_examples=6,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn=drawn_settings(model))
    def check(drawn):
        assert outcome(model, drawn) in ("accepted", "refused")

    check()
