"""What a benchmark is asked to do."""

from pathlib import Path
from typing import Any, NamedTuple

ALTERNATIVES = ("two-sided", "better")


class Request(NamedTuple):
    """What to run, how, and where it goes.

    Attributes:
        models: list of labels or model names; None: all of ``models_file``.
        datasets: list of names. seeds: list of int. jobs: runs at once.
        output: folder of store and report.
        models_file: path of the YAML with labels, or None. config_files: list of paths, for all.
        shared: setting -> value, for all.
        reference: label that the others are compared with; None: the first.
        alternative: "two-sided" or "better"; None, with report_only: that of the last plan.
        tune: trials for each model on each dataset before its runs; None: nothing is tuned.
        tune_seconds: what the trials of a model on a dataset may take together.
        tune_sampler: "tpe", "random" or "grid".
        retry_failed: whether failed runs and studies are run again.
        keep_checkpoints: whether the runs' checkpoints are kept.
        report_only: nothing is run; the last plan of ``output`` is reported, with another
            reference, alternative or columns where they are given.
        columns: metrics of table.tex, in its order; None: those of the last plan, or NDCG and
            recall.
    """

    models: list[str] | None
    datasets: list[str]
    seeds: list[int]
    jobs: int
    output: Path
    models_file: str | None
    config_files: list[str]
    shared: dict[str, Any]
    reference: str | None
    alternative: str | None
    tune: int | None
    tune_seconds: float
    tune_sampler: str
    retry_failed: bool
    keep_checkpoints: bool
    report_only: bool
    columns: list[str] | None = None
