"""The numbers of dsl_study.py's page: a loss against another on one test, over users and seeds."""

import statistics
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.stats
from dsl_study_jobs import finals_of
from dsl_study_plan import METRIC

from recbole_dsl.experiments.benchmark.report.significance import compare, holm

RESAMPLES = 1000


def users_file(row, store):
    """Where NDCG@20 of each user of a final run is kept."""
    loss = "".join(letter if letter.isalnum() else "_" for letter in row["loss"])
    chosen_by = f"-{row['selection']}" if row["selection"] else ""
    name = f"{row['dataset']}-{row['backbone']}-{loss}-{row['trial']}{chosen_by}"
    name += f"-{row['epochs']}-{row['seed']}"
    store = Path(store)
    return store.with_name(f"{store.stem}_users") / f"{name}.npz"


class Result(NamedTuple):
    """What the final runs of a cell by one selection found on one test set.

    Attributes:
        runs: seed -> row of the store. users: seed -> (N,) NDCG@20 of each user.
        test: "iid" or "popularity".
    """

    runs: dict
    users: dict
    test: str

    def values(self, metric=METRIC):
        """The metric of each seed."""
        return [row["tests"][self.test][metric] for row in self.runs.values()]

    @property
    def mean(self):
        """Mean NDCG@20 over the seeds."""
        return statistics.mean(self.values())

    def shown(self, metric=METRIC):
        """Mean and standard deviation over the seeds, as text."""
        values = self.values(metric)
        if len(values) < 2:
            return f"{values[0]:.4f}"
        return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"

    def groups(self):
        """Group of items -> its contribution to NDCG@20, mean over the seeds."""
        found = [row["groups"][self.test] for row in self.runs.values()]
        return {name: statistics.mean(groups[name] for groups in found) for name in found[0]}


def result(done, store, cell, selection, test):
    """The :class:`Result` of a cell; None where no final run of it has been tested.

    Args:
        done: :class:`dsl_study_jobs.Runs`. store: their store's path.
    """
    runs = {row["seed"]: row for row in finals_of(done, cell, selection) if "tests" in row}
    if not runs or test not in next(iter(runs.values()))["tests"]:
        return None
    users = {}
    for seed, row in runs.items():
        with np.load(users_file(row, store)) as arrays:
            users[seed] = arrays[test].astype(np.float64)
    return Result(runs, users, test)


class Gain(NamedTuple):
    """A loss against another on one test.

    Attributes:
        seeds: how many both have. relative: mean over mean, minus 1. low, high: its 95 % interval,
            by a bootstrap over users. p_users, p_seeds: of paired t-tests, corrected by
            :func:`corrected`; None where there is nothing to test.
    """

    seeds: int
    relative: float
    low: float
    high: float
    p_users: float | None
    p_seeds: float | None


def gain(ours, other):
    """The :class:`Gain` of one :class:`Result` over another, over the seeds that both have.

    A user's value is the mean over the seeds. Raises ValueError where the users are not the same.
    """
    seeds = sorted(ours.runs.keys() & other.runs.keys())
    if not seeds:
        return None
    digests = {result.runs[seed]["users"][result.test] for result in (ours, other)
               for seed in seeds}  # fmt: skip
    if len(digests) > 1:
        raise ValueError(f"runs of one test set were tested on other users: {sorted(digests)}")
    first, second = (np.mean([r.users[seed] for seed in seeds], axis=0) for r in (ours, other))
    interval = scipy.stats.bootstrap(
        (first, second), _relative, paired=True, vectorized=True, n_resamples=RESAMPLES, batch=50,
        method="percentile", random_state=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    by_seed = [[r.runs[seed]["tests"][r.test][METRIC] for seed in seeds] for r in (ours, other)]
    return Gain(
        len(seeds), float(_relative(first, second)), float(interval.low), float(interval.high),
        compare(first, second).p, compare(*by_seed).p,
    )  # fmt: skip


def _relative(first, second, axis=-1):
    return first.mean(axis=axis) / second.mean(axis=axis) - 1


def corrected(gains):
    """The gains of one table, their p-values by Holm's method over the table."""
    users, seeds = (
        holm([None if gain is None else getattr(gain, name) for gain in gains])
        for name in ("p_users", "p_seeds")
    )
    return [
        None if gain is None else gain._replace(p_users=p_users, p_seeds=p_seeds)
        for gain, p_users, p_seeds in zip(gains, users, seeds, strict=True)
    ]
