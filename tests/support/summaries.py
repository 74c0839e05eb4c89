"""Summaries of benchmarks made of values by user, without runs and files."""

import numpy as np

from recbole_dsl.experiments.benchmark.report.significance import compare, holm
from recbole_dsl.experiments.benchmark.report.summary import Result, Summary, smaller_is_better


def summary_of(values, reference, *, dataset="tiny", sets=("test",), alternative="two-sided"):
    """A summary whose models have these values by user.

    Args:
        values: metric -> label -> (seeds, users) values, the same on all test sets.
    """
    results = {}
    for metric, of_metric in values.items():
        for at in sets:
            others = [label for label in of_metric if label != reference]
            results |= _results(at, metric, of_metric, reference, others, alternative)
    labels = list(next(iter(values.values())))
    n_seeds = len(next(iter(next(iter(values.values())).values())))
    return Summary(
        dataset=dataset, labels=labels, reference=reference, alternative=alternative,
        test_sets=list(sets), metrics=list(values), valid_metric=next(iter(values)),
        results=results, seconds=dict.fromkeys(labels, 1.0), parameters=dict.fromkeys(labels, 1),
        records={label: [{"seed": seed, "epochs": []} for seed in range(n_seeds)]
                 for label in labels},
        failed=[], missing=0,
    )  # fmt: skip


def _results(at, metric, values, reference, others, alternative):
    side = dict(alternative=alternative, smaller=smaller_is_better(metric))
    users = {o: compare(values[reference].mean(0), values[o].mean(0), **side) for o in others}
    p_users = dict(zip(users, holm([found.p for found in users.values()]), strict=True))
    found = {}
    for label, column in values.items():
        means = column.mean(1)
        std = float(means.std(ddof=1)) if len(means) > 1 else None
        found[at, label, metric] = Result(
            float(means.mean()), std, len(means), users.get(label), None, p_users.get(label), None
        )
    return found


def draws(levels, *, seeds=2, users=200, noise=0.05, seed=0):
    """label -> (seeds, users) values: each user has a level of its own, shared by all models."""
    draw = np.random.default_rng(seed)
    own = draw.normal(0, 0.1, users)
    return {
        label: level + own + draw.normal(0, noise, (seeds, users))
        for label, level in levels.items()
    }
