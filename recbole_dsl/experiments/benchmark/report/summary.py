"""From records of runs to what a table or a plot shows: means, deviations, comparisons."""

import functools
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from recbole.evaluator.register import metrics_dict

from recbole_dsl.common.errors import UsageError
from recbole_dsl.evaluation import per_user
from recbole_dsl.experiments.benchmark.report import significance

VALID = "valid"
Record = dict[str, Any]  # a line of the store


class Result(NamedTuple):
    """A model's metric on a test set.

    Attributes:
        mean, std: over the seeds; std with n - 1, None for one seed. seeds: how many there are.
        users, over_seeds: :class:`significance.Comparison` of this model with the reference, over
            users and over seeds; None for the reference, and where there is nothing to pair.
        p_users, p_seeds: their p-values by Holm's method, over the models compared.
    """

    mean: float
    std: float | None
    seeds: int
    users: significance.Comparison | None = None
    over_seeds: significance.Comparison | None = None
    p_users: float | None = None
    p_seeds: float | None = None

    @property
    def tested(self) -> "Tested | None":
        """Against the reference over users, else over seeds; None where nothing could be paired."""
        if self.users is not None:
            return Tested("users", self.users, self.p_users)
        return self.over_seeds and Tested("seeds", self.over_seeds, self.p_seeds)


class Tested(NamedTuple):
    """A comparison: over "users" or "seeds", its pairs, and its p-value by Holm's method."""

    over: str
    pair: significance.Comparison
    p: float | None


class Summary(NamedTuple):
    """The results on a dataset.

    Attributes:
        dataset: its name. labels: those with a result, in the plan's order. reference: one of the
            plan's labels. alternative: "two-sided" or "better".
        test_sets, metrics: names, in the order measured. valid_metric: the one that chose the best
            epoch.
        results: (test set, label, metric) -> :class:`Result`; under VALID in place of a test set,
            ``valid_metric`` on validation.
        seconds: label -> median seconds of a run. parameters: label -> int.
        records: label -> its records, by seed.
        failed: records of runs that failed. missing: how many runs are neither.
    """

    dataset: str
    labels: list[str]
    reference: str
    alternative: str
    test_sets: list[str]
    metrics: list[str]
    valid_metric: str
    results: dict[tuple[str, str, str], Result]
    seconds: dict[str, float]
    parameters: dict[str, int]
    records: dict[str, list[Record]]
    failed: list[Record]
    missing: int

    @property
    def main_metric(self) -> str:
        """The metric that chose the best epoch, where it is one of the test's, else the first."""
        return self.valid_metric if self.valid_metric in self.metrics else self.metrics[0]


def smaller_is_better(metric: str) -> bool:
    """Whether smaller values of ``metric``, such as "giniindex@10", are better, as RecBole says."""
    smaller: bool = metrics_dict[metric.split("@")[0].lower()].smaller
    return smaller


def summarise(
    dataset: str,
    runs: Iterable[Mapping[str, Any]],
    records: Mapping[str, Record],
    *,
    valid_metric: str,
    reference: str,
    alternative: str,
    folder: Path,
) -> Summary:
    """The summary of a dataset.

    Args:
        runs: those of the plan, dicts with ``key``, ``label`` and ``dataset``.
        records: key -> record of the store.
        valid_metric: such as "MRR@10". reference, alternative: of the comparisons.
        folder: that of the store; below it lie the values by user.
    """
    mine = [run for run in runs if run["dataset"] == dataset]
    found = [records[run["key"]] for run in mine if run["key"] in records]
    by_label = _by_label([run["label"] for run in mine], found)
    first = next(iter(by_label.values()))[0] if by_label else None
    test_sets = list(tests_of(first)) if first else []
    metrics = list(first["test"]) if first else []
    for rows in by_label.values():
        _check_same_metrics(rows, test_sets, metrics, valid_metric.lower())
    results: dict[tuple[str, str, str], Result] = {}
    for test_set in test_sets:
        users = {label: _ByUser(rows, test_set, folder) for label, rows in by_label.items()}
        for metric in metrics:
            column = _column(by_label, users, test_set, metric, reference, alternative)
            results.update({(test_set, label, metric): r for label, r in column.items()})
    valid_metric = valid_metric.lower()
    for label, rows in by_label.items():
        if all(record["valid"] for record in rows):
            column = pd.Series([record["valid"][valid_metric] for record in rows])
            results[VALID, label, valid_metric] = _result(column)
    return Summary(
        dataset=dataset,
        labels=list(by_label),
        reference=reference,
        alternative=alternative,
        test_sets=test_sets,
        metrics=metrics,
        valid_metric=valid_metric,
        results=results,
        seconds={
            label: float(np.median([record["seconds"] for record in rows]))
            for label, rows in by_label.items()
        },
        parameters={label: rows[0]["parameters"] for label, rows in by_label.items()},
        records=by_label,
        failed=[record for record in found if record["status"] == "failed"],
        missing=len(mine) - len(found),
    )


def finished(summaries: Iterable[Summary]) -> list[Record]:
    """The records that summaries were made of."""
    return [r for summary in summaries for rows in summary.records.values() for r in rows]


def _by_label(labels: Iterable[str], found: Iterable[Record]) -> dict[str, list[Record]]:
    """Label -> its records with a test, by seed; labels without one are left out."""
    by_label: dict[str, list[Record]] = {label: [] for label in labels}
    for record in found:
        if record["status"] == "ok" and record["test"]:
            by_label[record["label"]].append(record)
    return {
        label: sorted(rows, key=lambda record: record["seed"])
        for label, rows in by_label.items()
        if rows
    }


def tests_of(record: Record) -> dict[str, dict[str, float]]:
    """Test set -> metrics of a record; the one test set of most runs is called ``test``."""
    return record.get("tests") or {"test": record["test"]}


def _check_same_metrics(
    records: Iterable[Record], test_sets: Sequence[str], metrics: Sequence[str], valid_metric: str
) -> None:
    """Raise UsageError where a record lacks something that the first one has measured."""
    for record in records:
        tests, valid = tests_of(record), record["valid"]
        lacks = [f"{m} of {s}" for s in test_sets for m in metrics if m not in tests.get(s, {})]
        lacks += [f"{valid_metric} of valid"] if valid and valid_metric not in valid else []
        if lacks:
            raise UsageError(
                f"results.jsonl: {record['label']} on {record['dataset']}, seed {record['seed']}, "
                f"has no {lacks[0]}"
            )


def _column(
    by_label: Mapping[str, Sequence[Record]],
    users: "Mapping[str, _ByUser]",
    test_set: str,
    metric: str,
    reference: str,
    alternative: str,
) -> dict[str, Result]:
    """Label -> result by one metric, the comparisons corrected over the labels."""
    values = {
        label: pd.Series({r["seed"]: tests_of(r)[test_set][metric] for r in rows})
        for label, rows in by_label.items()
    }
    compare = functools.partial(
        _compare, alternative=alternative, smaller=smaller_is_better(metric)
    )
    others = [label for label in values if label != reference and reference in values]
    over_seeds = [compare(values[reference], values[label]) for label in others]
    over_users = [
        compare(*_of_common_seeds(users[reference], users[label], metric)) for label in others
    ]
    p_seeds = significance.holm([c and c.p for c in over_seeds])
    p_users = significance.holm([c and c.p for c in over_users])
    rows = zip(over_users, over_seeds, p_users, p_seeds, strict=True)
    compared = dict(zip(others, rows, strict=True))
    return {label: _result(column, *compared.get(label, ())) for label, column in values.items()}


def _result(column: pd.Series, *compared: Any) -> Result:
    std = float(column.std()) if len(column) > 1 else None
    return Result(float(column.mean()), std, len(column), *compared)


def _compare(
    reference: pd.Series | None, other: pd.Series | None, **options: Any
) -> significance.Comparison | None:
    """Over the seeds or users that both have; None where there are none."""
    if reference is None or other is None:
        return None
    common = reference.index.intersection(other.index)
    if not len(common):
        return None
    return significance.compare(reference[common], other[common], **options)


def _of_common_seeds(reference: "_ByUser", other: "_ByUser", metric: str) -> list[pd.Series | None]:
    """A metric by user of two models, over the seeds that both have: a seed that one lacks would
    show a difference between seeds, not between models."""
    common = tuple(sorted(reference.tables.keys() & other.tables.keys()))
    return [model.means(common).get(metric) for model in (reference, other)]


class _ByUser:
    """A model's values by user: ``tables``, seed -> DataFrame; empty where none were stored."""

    def __init__(self, records: Iterable[Record], test_set: str, folder: Path) -> None:
        self.tables: dict[int, pd.DataFrame] = {}
        self._means: dict[tuple[int, ...], dict[str, pd.Series]] = {}
        for record in records:
            if record["user_metrics"] is not None:
                path = folder / record["folder"] / record["user_metrics"]
                self.tables[record["seed"]] = _read(path, test_set, record["key"])

    def means(self, seeds: tuple[int, ...]) -> dict[str, pd.Series]:
        """Metric -> Series by user, the mean over those of the seeds in which it was tested."""
        if seeds not in self._means:
            tables = [self.tables[seed] for seed in seeds]
            means = pd.concat(tables).groupby("users", sort=True).mean() if tables else {}
            self._means[seeds] = {name: means[name] for name in means}
        return self._means[seeds]


def _read(path: Path, test_set: str, key: str) -> pd.DataFrame:
    """The values by user of a run on a test set.

    Raises:
        UsageError: the file is missing or damaged.
    """
    try:
        return pd.DataFrame(per_user.read(path)[test_set])
    except FileNotFoundError:
        reason = "is missing"
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = f"is damaged ({' '.join(str(error).split()) or type(error).__name__})"
    raise UsageError(
        f"{path} {reason}: take the line of key {key} out of results.jsonl, and the benchmark "
        "makes that run again"
    )
