"""Checks of the setting ``group_metrics``, before any data is read."""

from collections.abc import Iterable, Mapping
from typing import Any

from recbole.evaluator import metric_types
from recbole.utils import EvaluatorType

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.evaluation.metrics.groups import check_groups

# Grouping -> the RecBole metric that measures by it, in lower case as RecBole's tables have it.
METRIC_OF_GROUPING = {
    "item_popularity": "itempopularitygroups",
    "user_activity": "useractivitygroups",
    "user_field": "userfieldgroups",
}
# RecBole's metrics of single users; what the groups of users are measured by.
_METRICS_OF_USERS = ("recall", "mrr", "ndcg", "hit", "precision", "map")


def check_group_metrics(
    values: Mapping[str, Any], *, given: bool
) -> tuple[dict[str, Any], str | None]:
    """Check ``group_metrics`` by itself, and beside the metrics of a run.

    Args:
        values: the settings; ``group_metrics``, ``metrics`` (checked) and ``valid_metric`` are
            read.
        given: whether the user set ``group_metrics``; else it is the default.
    Returns:
        (groupings, warning): the groupings to measure, and a line that says why they are none, or
        None.
    Raises:
        UsageError: an unknown grouping, or groups that are not what it takes; a group metric among
            the metrics has no groups, ``valid_metric`` is one, or the user asks for groups of what
            has none.
    """
    groupings, metrics = values["group_metrics"] or {}, values["metrics"]
    for grouping, groups in groupings.items():
        _check_grouping(grouping, groups)
    _check_listed(groupings, metrics, str(values["valid_metric"]))
    kinds = {metric_types[name.lower()] for name in metrics}
    if groupings and kinds != {EvaluatorType.RANKING}:
        reason = f"group_metrics are of ranked lists, and the metrics {metrics} rank nothing"
        if given:
            raise UsageError(f"{reason}: leave it out")
        return {}, f"{reason}: no groups are reported"
    of_users = [grouping for grouping in groupings if grouping != "item_popularity"]
    if of_users and not {name.lower() for name in metrics} & set(_METRICS_OF_USERS):
        raise UsageError(
            f"group_metrics: {of_users[0]} averages metrics of single users, of which metrics "
            f"{metrics} has none (known: {', '.join(_METRICS_OF_USERS)})"
        )
    return groupings, None


def _check_grouping(grouping: str, groups: Any) -> None:
    """An entry of ``group_metrics``: a known grouping, and groups that it takes."""
    if grouping not in METRIC_OF_GROUPING:
        raise UsageError(
            f"group_metrics has no key {grouping!r} (known: {', '.join(METRIC_OF_GROUPING)})"
            f"{did_you_mean(grouping, METRIC_OF_GROUPING)}"
        )
    if grouping == "user_field":
        if not isinstance(groups, str) or not groups:
            raise UsageError(
                "group_metrics: user_field must be the name of a token field of the .user "
                f"file, got {groups!r}"
            )
        return
    try:
        check_groups(groups)
    except ValueError as error:
        raise UsageError(f"group_metrics: {grouping}: {error}") from error
    if isinstance(groups, dict) and len(set(map(str, groups))) < len(groups):
        raise UsageError(f"group_metrics: {grouping}: two groups have one name in {groups!r}")


def _check_listed(groupings: Mapping[str, Any], metrics: Iterable[str], valid_metric: str) -> None:
    """A group metric listed in ``metrics`` has groups, and none is ``valid_metric``."""
    listed = [name.lower() for name in metrics]
    for grouping, metric in METRIC_OF_GROUPING.items():
        if metric in listed and grouping not in groupings:
            raise UsageError(f"metrics: {metric} needs {grouping} in group_metrics")
        if valid_metric.partition("@")[0].lower() == metric:
            raise UsageError(
                f"valid_metric {valid_metric!r} has a value for each group, and one is needed"
            )
