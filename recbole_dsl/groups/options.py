"""Checks of the setting ``group_metrics``, before anything is read. Knows nothing of RecBole."""

from recbole_dsl.metrics.grouping import check_groups
from recbole_dsl.settings import UsageError, did_you_mean

# Grouping -> the RecBole metric that measures by it, in lower case as RecBole's tables have it.
METRICS = {
    "item_popularity": "itempopularitygroups",
    "user_activity": "useractivitygroups",
    "user_field": "userfieldgroups",
}
# RecBole's metrics of single users; what the groups of users are measured by.
_PER_USER = ("recall", "mrr", "ndcg", "hit", "precision", "map")


def check(value):
    """``group_metrics`` as a map of groupings, {} where it is empty.

    Raises:
        UsageError: an unknown grouping, or groups that are not what it takes.
    """
    if value is None:
        return {}
    for grouping, spec in value.items():
        if grouping not in METRICS:
            raise UsageError(
                f"group_metrics has no key {grouping!r} (known: {', '.join(METRICS)})"
                f"{did_you_mean(grouping, METRICS)}"
            )
        if grouping == "user_field":
            if not isinstance(spec, str) or not spec:
                raise UsageError(
                    "group_metrics: user_field must be the name of a token field of the .user "
                    f"file, got {spec!r}"
                )
            continue
        try:
            check_groups(spec)
        except ValueError as error:
            raise UsageError(f"group_metrics: {grouping}: {error}") from error
        if isinstance(spec, dict) and len(set(map(str, spec))) < len(spec):
            raise UsageError(f"group_metrics: {grouping}: two groups have one name in {spec!r}")
    return value


def fit(groupings, metrics, valid_metric, *, ranking, given):
    """Whether the metrics of a run can be had by group.

    Args:
        groupings: what :func:`check` returns. metrics, valid_metric: the settings of these names.
        ranking: whether the metrics are of ranked lists, not of single scores as AUC.
        given: whether the user set ``group_metrics``; else it is the default.
    Returns:
        (groupings, warning): the groupings to measure, and a line that says why they are none, or
        None.
    Raises:
        UsageError: a group metric among the metrics has no groups, ``valid_metric`` is one, or the
            user asks for groups of what has none.
    """
    lower = [metric.lower() for metric in metrics]
    for grouping, metric in METRICS.items():
        if metric in lower and grouping not in groupings:
            raise UsageError(f"metrics: {metric} needs {grouping} in group_metrics")
        if valid_metric.partition("@")[0].lower() == metric:
            raise UsageError(
                f"valid_metric {valid_metric!r} has a value for each group, and one is needed"
            )
    if groupings and not ranking:
        reason = f"group_metrics are of ranked lists, and the metrics {metrics} rank nothing"
        if given:
            raise UsageError(f"{reason}: leave it out")
        return {}, f"{reason}: no groups are reported"
    users = [grouping for grouping in groupings if grouping != "item_popularity"]
    if users and not set(lower) & set(_PER_USER):
        raise UsageError(
            f"group_metrics: {users[0]} averages metrics of single users, of which metrics "
            f"{metrics} has none (known: {', '.join(_PER_USER)})"
        )
    return groupings, None
