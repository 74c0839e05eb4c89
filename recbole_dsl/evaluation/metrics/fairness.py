"""How far apart the groups of a metric are. Needs no other library."""

from collections.abc import Mapping
from typing import TypedDict


class Fairness(TypedDict):
    """See :func:`fairness`."""

    worst: float | None
    worst_group: str | None
    spread: float | None


def fairness(values: Mapping[str, float | None]) -> Fairness:
    """Worst group and spread of a metric of which more is better.

    Args:
        values: group name -> value, None for a group with nothing to measure.
    Returns:
        dict: ``worst``, the lowest value; ``worst_group``, its group, the first one of equals;
        ``spread``, the highest value minus the lowest. Each None where no group has a value.

    Example:
        >>> fairness({"head": 0.5, "mid": None, "tail": 0.25})
        {'worst': 0.25, 'worst_group': 'tail', 'spread': 0.25}
    """
    known = {name: value for name, value in values.items() if value is not None}
    if not known:
        return {"worst": None, "worst_group": None, "spread": None}
    worst = min(known, key=known.__getitem__)
    return {
        "worst": known[worst],
        "worst_group": worst,
        "spread": max(known.values()) - known[worst],
    }
