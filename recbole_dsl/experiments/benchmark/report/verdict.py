"""What a benchmark comes to, in sentences: who is best, by how much, and how sure that is."""

from recbole_dsl.experiments.benchmark.report.significance import significant
from recbole_dsl.experiments.benchmark.report.summary import Summary, Tested, smaller_is_better


def verdict(summary: Summary, test_set: str, metric: str) -> str:
    """The best model by a metric on a test set, against the reference; where the reference is best,
    against the next one. Then how many models differ from the reference.

    The difference, its interval and its p-value are those of :func:`tables.comparisons`.
    """
    means = {label: summary.results[test_set, label, metric].mean for label in summary.labels}
    ranked = sorted(means, key=lambda label: means[label], reverse=not smaller_is_better(metric))
    best = [label for label in ranked if means[label] == means[ranked[0]]]
    head = (
        f"{_listed(best)} {'has' if len(best) == 1 else 'have'} the "
        f"{'lowest' if smaller_is_better(metric) else 'highest'} {metric} on "
        f"{summary.dataset}{'' if test_set == 'test' else f', {test_set} test'}: "
        f"{means[best[0]]:.4f}"
    )
    if len(means) == 1:
        return f"{head}. There is no other model to compare it with."
    if summary.reference not in means:
        return f"{head}. Nothing is tested, since {summary.reference} has no result."
    if len(best) == len(means):
        return f"{head}, the same for all."
    reference_is_best = summary.reference in best
    model = ranked[len(best)] if reference_is_best else best[0]
    found = summary.results[test_set, model, metric]
    beaten = f"{model}, the next" if reference_is_best else summary.reference
    if found.tested is None:
        return f"{head}. The difference from {beaten} is not tested: there is nothing to pair."
    lead = _lead(found.tested, reference_is_best, smaller_is_better(metric), beaten)
    return f"{head}, {lead}{_evidence(summary, test_set, metric, found.tested)}. " + _counts(
        summary, test_set, metric
    )


def _lead(tested: Tested, reference_is_best: bool, smaller: bool, beaten: str) -> str:
    """By how much the best is ahead, with the interval."""
    pair = tested.pair
    sign = (-1 if reference_is_best else 1) * (-1 if smaller else 1)
    base = pair.base + pair.difference if reference_is_best else pair.base
    ahead = sign * pair.difference
    share = f" ({100 * ahead / base:.1f} %)" if base else ""
    text = f"{ahead:.4f}{share} ahead of {beaten}"
    if pair.interval is None:
        return text
    low, high = sorted(sign * end for end in pair.interval)
    return f"{text} (95 % interval {low:.4f} to {high:.4f})"


def _evidence(summary: Summary, test_set: str, metric: str, tested: Tested) -> str:
    if tested.p is None:
        return "; the difference is not tested"
    word = "which is significant" if significant(tested.p) else "which is not significant"
    p = "p < 0.0001" if tested.p < 0.0001 else f"p = {tested.p:.4f}"
    runs = {len(rows) for rows in summary.records.values()}
    seeds = "one seed" if runs == {1} else "mean over seeds"
    over = f"{tested.pair.n:,} {tested.over}" + (f", {seeds}" if tested.over == "users" else "")
    count = len(_tests(summary, test_set, metric))
    side = "one-sided " if summary.alternative == "better" else ""
    holm = "" if count == 1 else f" by Holm's correction for {count} models"
    return f", {word}: {p}{holm}, {side}paired t-test over {over}"


def _tests(summary: Summary, test_set: str, metric: str) -> list[Tested]:
    """What was tested against the reference."""
    found = [summary.results[test_set, label, metric].tested for label in summary.labels]
    return [tested for tested in found if tested is not None and tested.p is not None]


def _counts(summary: Summary, test_set: str, metric: str) -> str:
    """How many models are better and worse than the reference; nothing of a single one."""
    tests = _tests(summary, test_set, metric)
    if len(tests) < 2:
        return ""
    sign = -1 if smaller_is_better(metric) else 1
    better = sum(significant(one.p) and sign * one.pair.difference > 0 for one in tests)
    worse = sum(significant(one.p) and sign * one.pair.difference < 0 for one in tests)
    same = len(tests) - better - worse
    counted = {"significantly better": better, "significantly worse": worse}
    if summary.alternative == "better":  # which does not ask who is better than the reference
        del counted["significantly better"]
    counted["not significantly different"] = same
    parts = [f"{count or 'none'} {what}" for what, count in counted.items()]
    return f"Of {len(tests)} models tested against {summary.reference}: {', '.join(parts)}."


def _listed(labels: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
