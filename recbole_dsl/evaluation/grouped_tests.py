"""Group metrics of a run's test sets, measured with the overall ones, reported apart from them."""

from collections.abc import Mapping
from typing import Any

from recbole_dsl.compat.settings_override import SettingsOverride
from recbole_dsl.evaluation.group_metrics.base import result_key
from recbole_dsl.evaluation.group_metrics.build import build_groups, describe_groups
from recbole_dsl.evaluation.group_metrics.settings import METRIC_OF_GROUPING
from recbole_dsl.evaluation.measures import Measures
from recbole_dsl.evaluation.metrics.fairness import fairness

# Metrics of a test set by name; None for an empty one.
Flat = Mapping[str, float] | None


class GroupedTests:
    """Measures for the test sets: the run's metrics, and those of the groups of ``group_metrics``.

    Validation has measures of its own.

    Args:
        config: settings.
        train: the training loader.

    Attributes:
        measures: what the test sets are to be evaluated by.

    Raises:
        UsageError: the groups cannot be made of this data.
    """

    def __init__(self, config: Any, train: Any) -> None:
        listed = [name.lower() for name in config["metrics"]]
        wanted = [METRIC_OF_GROUPING[grouping] for grouping in config["group_metrics"]]
        self._field = config["group_metrics"].get("user_field")
        self._added = [name for name in wanted if name not in listed]
        self.measures = Measures.of(
            SettingsOverride(config, metrics=[*config["metrics"], *self._added])
        )
        self.measures.collector.data_collect(train)
        self._groups = {
            grouping: describe_groups(*build_groups(config, train._dataset, grouping))
            for grouping in config["group_metrics"]
        }

    def overall(self, flat: Flat) -> Flat:
        """The metrics of a test set without the group metrics that were added."""
        if flat is None:
            return None
        added = {
            key
            for grouping in self._groups
            if METRIC_OF_GROUPING[grouping] in self._added
            for key in self._keys(grouping).values()
        }
        return {name: value for name, value in flat.items() if name not in added}

    def _metric_names(self, grouping: str) -> list[str]:
        metric = self.measures.evaluator.metric_class[METRIC_OF_GROUPING[grouping]]
        return metric.metric_names()

    def _keys(self, grouping: str) -> dict[tuple[str, str], str]:
        """(metric, group name) -> key of a flat result."""
        return {
            (metric, group["name"]): result_key(metric, grouping, group["name"])
            for metric in ("users", *self._metric_names(grouping))
            for group in self._groups[grouping]
        }

    def report(self, tests: Mapping[str, Flat]) -> dict[str, Any]:
        """The ``groups`` of a result file.

        Args:
            tests: name of a test set -> its metrics by :attr:`measures`.
        Returns:
            dict: grouping -> ``{"groups", "users", "metrics", "fairness"}``: the groups
            (:func:`recbole_dsl.evaluation.group_metrics.build.describe_groups`), and for each test
            set the number of users behind each group's values, ``{metric: {group: value}}``, None
            where there is nothing to measure, and
            :func:`recbole_dsl.evaluation.metrics.fairness.fairness` of the metrics that compare
            groups: recall of items, every metric of users. ``field`` is the user field's name.
        """
        report = {}
        for grouping, groups in self._groups.items():
            entry: dict[str, Any] = {"groups": groups, "users": {}, "metrics": {}, "fairness": {}}
            if grouping == "user_field":
                entry["field"] = self._field
            for test, flat in tests.items():
                if flat is not None:
                    users, metrics = self._of_test(grouping, flat)
                    entry["users"][test], entry["metrics"][test] = users, metrics
                    entry["fairness"][test] = {
                        metric: fairness(values)
                        for metric, values in metrics.items()
                        if grouping != "item_popularity" or metric.startswith("recall@")
                    }
            report[grouping] = entry
        return report

    def _of_test(
        self, grouping: str, flat: Mapping[str, float]
    ) -> tuple[dict[str, int], dict[str, dict[str, float | None]]]:
        """Group -> how many users its values are of, and metric -> group -> value."""
        keys = self._keys(grouping)
        names = [group["name"] for group in self._groups[grouping]]
        users = {name: int(flat[keys["users", name]]) for name in names}
        metrics = {
            metric: {name: flat.get(keys[metric, name]) for name in names}
            for metric in self._metric_names(grouping)
        }
        return users, metrics
