"""What the group metrics share, as RecBole metrics."""

from typing import Any

import numpy as np
from recbole.evaluator.base_metric import AbstractMetric, TopkMetric
from recbole.evaluator.collector import DataStruct
from recbole.evaluator.register import metrics_dict
from recbole.utils import EvaluatorType


def result_key(metric: str, grouping: str, group: str) -> str:
    """The key of a group's metric in RecBole's results: ``recall_item_popularity_head@10``."""
    name, at, k = metric.partition("@")
    return f"{name}_{grouping}_{group}{at}{k}"


class GroupMetric(AbstractMetric):
    """A RecBole metric with a value for each group.

    Attributes:
        grouping: key of ``group_metrics``; the collector supplies its groups as
            ``data.<grouping>``.
    """

    metric_type = EvaluatorType.RANKING
    grouping: str

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.topk = config["topk"]

    def calculate_metric(self, dataobject: DataStruct) -> dict[str, float]:
        """RecBole's flat result, by :func:`result_key`; a group with nothing to measure has no
        key."""
        names = dataobject.get(f"data.{self.grouping}").names
        return {
            result_key(metric, self.grouping, name): round(float(value), self.decimal_place)
            for metric, values in self.by_group(dataobject).items()
            for name, value in zip(names, values, strict=True)
            if not np.isnan(value)
        }

    def by_group(self, dataobject: DataStruct) -> dict[str, np.ndarray]:
        """Metric -> (G,) values, nan where a group has nothing to measure; with ``users``, how many
        users each group's values are of."""
        raise NotImplementedError

    def metric_names(self) -> list[str]:
        """The keys of :meth:`by_group` but for ``users``, in the order shown."""
        raise NotImplementedError


class UserGroupMetric(GroupMetric):
    """The run's metrics of single users, RecBole's own, averaged over each group's users."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        classes = {name.lower(): metrics_dict[name.lower()] for name in config["metrics"]}
        self._metrics = {
            name: metric(config)
            for name, metric in classes.items()
            if issubclass(metric, TopkMetric)
        }

    def metric_names(self) -> list[str]:
        return [f"{name}@{k}" for name in self._metrics for k in self.topk]

    def by_group(self, dataobject: DataStruct) -> dict[str, np.ndarray]:
        groups = dataobject.get(f"data.{self.grouping}")
        lists = dataobject.get("rec.topk")  # (N, K + 1)
        member = groups.member[dataobject.get("rec.users").numpy()]  # (N,)
        n_groups = len(groups.names)
        found: dict[str, np.ndarray] = {"users": np.bincount(member, minlength=n_groups)}
        found.update((name, np.full(n_groups, np.nan)) for name in self.metric_names())
        for group in np.flatnonzero(found["users"]):
            of_group = DataStruct()
            of_group.set("rec.topk", lists[member == group])
            for metric in self._metrics.values():
                for name, value in metric.calculate_metric(of_group).items():
                    found[name][group] = value
        return found
