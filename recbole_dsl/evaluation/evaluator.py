"""RecBole's evaluator without its rounding.

The metrics themselves are RecBole's classes, untouched; what they are given is the same.
"""

from collections.abc import Mapping
from typing import Any

from recbole.evaluator import Evaluator

from recbole_dsl.compat.settings_override import SettingsOverride


def unrounded_evaluator(config: Any) -> Evaluator:
    """RecBole's Evaluator, reporting metrics to the last digit.

    RecBole rounds to ``metric_decimal_place`` before early stopping compares with >=, so that a
    change in the fifth digit counts as no change; here rounding is for display only.
    """
    more_than_a_float_has = 20
    return Evaluator(SettingsOverride(config, metric_decimal_place=more_than_a_float_has))


def plain_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """Metric name -> Python float, in the order computed."""
    return {name: float(value) for name, value in result.items()}


def rounded(metrics: Mapping[str, float], decimals: int) -> dict[str, float]:
    """The metrics as they are shown."""
    return {name: round(value, decimals) for name, value in metrics.items()}
