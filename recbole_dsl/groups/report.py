"""Group metrics of a run's test sets: measured with the overall ones, reported apart from them."""

from texttable import Texttable

from recbole_dsl.evaluation import Altered, TopkCollector, unrounded_evaluator
from recbole_dsl.groups.base import key
from recbole_dsl.groups.build import build, described
from recbole_dsl.groups.options import METRICS
from recbole_dsl.metrics.fairness import fairness

_COUNTED = {"item_popularity": "items", "user_activity": "users", "user_field": "users"}


class GroupedTests:
    """Evaluates test sets with the groups of ``group_metrics``; validation is left as it is.

    Args:
        config: settings. train: the training loader.
    Raises:
        UsageError: the groups cannot be made of this data.
    """

    def __init__(self, config, train):
        self._groupings = list(config["group_metrics"])
        self.evaluator = None  # what evaluates where there are groups
        if not self._groupings:
            return
        listed = [name.lower() for name in config["metrics"]]
        wanted = [METRICS[grouping] for grouping in self._groupings]
        self._field = config["group_metrics"].get("user_field")
        self._added = [name for name in wanted if name not in listed]
        more = Altered(config, metrics=[*config["metrics"], *self._added])
        self._collector = TopkCollector(more)
        self._collector.data_collect(train)
        self.evaluator = unrounded_evaluator(more)
        self._groups = {
            grouping: described(*build(config, train._dataset, grouping))
            for grouping in self._groupings
        }

    def evaluate(self, trainer, test, **options):
        """``trainer.evaluate`` of a test set, group metrics among the others; None for no test."""
        if not self._groupings:
            return trainer.evaluate(test, **options)
        before = trainer.eval_collector, trainer.evaluator
        trainer.eval_collector, trainer.evaluator = self._collector, self.evaluator
        try:
            return trainer.evaluate(test, **options)
        finally:
            trainer.eval_collector, trainer.evaluator = before

    def overall(self, flat):
        """What :meth:`evaluate` returned, without the group metrics it added."""
        if flat is None or not self._groupings:
            return flat
        added = {
            flat_key
            for grouping in self._groupings
            if METRICS[grouping] in self._added
            for flat_key in self._keys(grouping).values()
        }
        return {name: value for name, value in flat.items() if name not in added}

    def _metric(self, grouping):
        return self.evaluator.metric_class[METRICS[grouping]]

    def _keys(self, grouping):
        """(metric, group name) -> key of a flat result."""
        return {
            (metric, group["name"]): key(metric, grouping, group["name"])
            for metric in ("users", *self._metric(grouping).metric_names())
            for group in self._groups[grouping]
        }

    def report(self, tests):
        """The ``groups`` of a result file.

        Args:
            tests: name -> what :meth:`evaluate` returned.
        Returns:
            dict: grouping -> ``{"groups", "users", "metrics", "fairness"}``: the groups
            (:func:`recbole_dsl.groups.build.described`), and for each test set the number of users
            behind each group's values, ``{metric: {group: value}}``, None where there is nothing to
            measure, and :func:`recbole_dsl.metrics.fairness.fairness` of the metrics that compare
            groups: recall of items, every metric of users. ``field`` is the user field's name.
        """
        tests = {name: flat for name, flat in tests.items() if flat is not None}
        found = {}
        for grouping in self._groupings:
            keys = self._keys(grouping)
            names = [group["name"] for group in self._groups[grouping]]
            entry = {"groups": self._groups[grouping], "users": {}, "metrics": {}, "fairness": {}}
            if grouping == "user_field":
                entry["field"] = self._field
            for test, flat in tests.items():
                entry["users"][test] = {name: int(flat[keys["users", name]]) for name in names}
                entry["metrics"][test] = metrics = {
                    metric: {name: flat.get(keys[metric, name]) for name in names}
                    for metric in self._metric(grouping).metric_names()
                }
                entry["fairness"][test] = {
                    metric: fairness(values)
                    for metric, values in metrics.items()
                    if grouping != "item_popularity" or metric.startswith("recall@")
                }
            found[grouping] = entry
        return found


def group_tables(report, decimals=4):
    """A table and a line of fairness for each grouping and test set of a result's ``groups``."""
    return [
        f"{_title(grouping, entry, test)}\n{_table(grouping, entry, test, decimals)}\n"
        f"{_fairness(entry['fairness'][test], decimals)}"
        for grouping, entry in report.items()
        for test in entry["metrics"]
    ]


def _title(grouping, entry, test):
    where = "test" if test == "test" else f"test {test}"
    if grouping == "item_popularity":
        return f"item_popularity, {where} (ndcg: contribution to the overall one)"
    return " ".join(filter(None, (grouping, entry.get("field")))) + f", {where}"


def _table(grouping, entry, test, decimals):
    metrics, users = entry["metrics"][test], entry["users"][test]
    counted = _COUNTED[grouping]
    head = ["", counted, "share of rows", "rows each", "test users", *metrics]
    drawn = Texttable(max_width=0)
    drawn.set_deco(Texttable.HEADER)
    drawn.set_cols_dtype(["t"] * len(head))
    drawn.set_cols_align(["l"] + ["r"] * (len(head) - 1))
    drawn.header(head)
    for group in entry["groups"]:
        edges, name = group["edges"], group["name"]
        drawn.add_row(
            [
                name,
                f"{group['size']:,}",
                f"{group['share']:.3f}",
                "-" if edges is None else f"{edges[0]:,} to {edges[1]:,}",
                f"{users[name]:,}",
                *(_shown(values[name], decimals) for values in metrics.values()),
            ]
        )
    return drawn.draw()


def _fairness(found, decimals):
    """``recall@10: worst tail 0.0123, spread 0.1; ...``"""
    return "; ".join(
        f"{metric}: worst {one['worst_group'] or '-'} {_shown(one['worst'], decimals)}, "
        f"spread {_shown(one['spread'], decimals)}"
        for metric, one in found.items()
    )


def _shown(value, decimals):
    return "-" if value is None else f"{value:.{decimals}f}"
