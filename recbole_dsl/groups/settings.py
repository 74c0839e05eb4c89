"""The setting ``group_metrics`` beside the metrics of a run."""

from recbole.evaluator import metric_types
from recbole.utils import EvaluatorType

from recbole_dsl.groups import options


def check_settings(values, *, given):
    """Check ``group_metrics`` before any data is read; {} where there are to be none.

    Args:
        values: the settings, of which ``group_metrics`` is replaced by what is to be measured.
        given: whether the user set it; else it is the default.
    Returns:
        A list of warnings.
    Raises:
        UsageError: as :func:`recbole_dsl.groups.options.check` and ``fit``.
    """
    kinds = {metric_types[name.lower()] for name in values["metrics"]}
    values["group_metrics"], warning = options.fit(
        options.check(values["group_metrics"]),
        values["metrics"],
        str(values["valid_metric"]),
        ranking=kinds == {EvaluatorType.RANKING},
        given=given,
    )
    return [warning] if warning else []
