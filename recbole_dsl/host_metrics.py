"""RecBole's table of metrics: its slow ones made fast, and new ones added.

``register`` reads a module of metric classes as RecBole reads its own.
"""

from recbole_dsl.metrics import coverage, ranking


def speed_up():
    """Symptom: TailPercentage takes most of a minute for 100,000 users, AveragePopularity seconds.

    Versions: RecBole 1.2.1 on any stack, whose coverage metrics look up each place of each list in
    a Python list or dict, and whose MRR, MAP and NDCG loop over users. The methods that do are
    replaced by array code with the same numbers.
    """
    from recbole.evaluator import metrics

    def get_tail(self, item_matrix, count_items):
        return coverage.tail(item_matrix, count_items, self.tail)

    for owner, name, fast in (
        (metrics.ItemCoverage, "get_coverage", coverage.coverage),
        (metrics.AveragePopularity, "get_pop", coverage.popularity),
        (metrics.ShannonEntropy, "get_entropy", coverage.entropy),
        (metrics.GiniIndex, "get_gini", coverage.gini),
    ):
        setattr(owner, name, staticmethod(fast))
    metrics.TailPercentage.get_tail = get_tail
    for owner, fast in (
        (metrics.MRR, ranking.mrr),
        (metrics.MAP, ranking.average_precision),
        (metrics.NDCG, ranking.ndcg),
    ):
        owner.metric_info = staticmethod(fast)


def register(module_name):
    """Add the metric classes of an imported module to RecBole's tables; a second call does nothing.

    Args:
        module_name: full name of a module whose own classes are metrics, and no other classes.
    Raises:
        ValueError: a metric of that name is there already, and it is another class.
    """
    from recbole.evaluator import register as tables

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
