"""RecBole's tables of metrics: its slow metrics made fast, and new ones added."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from recbole.evaluator import metrics as host_metrics
from recbole.evaluator import register as tables

from recbole_dsl.evaluation.metrics import coverage, ranking


def speed_up() -> None:
    """Replace RecBole's slow methods by array code with the same numbers.

    RecBole 1.2.1's coverage metrics look up each place of each list in a Python list or dict, so
    that TailPercentage takes most of a minute for 100,000 users; its MRR, MAP and NDCG loop over
    users.
    """

    def get_tail(self: Any, item_matrix: np.ndarray, count_items: Mapping[int, int]) -> np.ndarray:
        return coverage.tail(item_matrix, count_items, self.tail)

    for owner, name, fast in (
        (host_metrics.ItemCoverage, "get_coverage", coverage.coverage),
        (host_metrics.AveragePopularity, "get_pop", coverage.popularity),
        (host_metrics.ShannonEntropy, "get_entropy", coverage.entropy),
        (host_metrics.GiniIndex, "get_gini", coverage.gini),
    ):
        setattr(owner, name, staticmethod(fast))
    host_metrics.TailPercentage.get_tail = get_tail
    for owner, metric_info in (
        (host_metrics.MRR, ranking.mrr),
        (host_metrics.MAP, ranking.average_precision),
        (host_metrics.NDCG, ranking.ndcg),
    ):
        owner.metric_info = staticmethod(metric_info)


def register(module_name: str) -> None:
    """Add the metric classes of an imported module to RecBole's tables; a second call does nothing.

    Args:
        module_name: full name of a module whose own classes are metrics, and no other classes;
            RecBole reads its own module of metrics in the same way.
    Raises:
        ValueError: a metric of that name is there already, and it is another class.
    """
    smaller, needs, types, classes = tables.cluster_info(module_name)
    for name, metric in classes.items():
        known = tables.metrics_dict.get(name, metric)
        if known is not metric:
            raise ValueError(
                f"RecBole has a metric {name} already, {known.__module__}.{known.__name__}: "
                f"{module_name}.{metric.__name__} does not replace it"
            )
    tables.metrics_dict.update(classes)
    tables.metric_information.update(needs)
    tables.metric_types.update(types)
    tables.smaller_metrics.extend(name for name in smaller if name not in tables.smaller_metrics)
