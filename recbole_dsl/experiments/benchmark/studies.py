"""What is tuned before the runs: a study for each model and dataset, all with the same budget."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.experiments.benchmark import jobs, plan
from recbole_dsl.experiments.benchmark.entries import Entry
from recbole_dsl.experiments.benchmark.request import Request
from recbole_dsl.experiments.tuning import search_space
from recbole_dsl.experiments.tuning.plan import check_sampler, make_plan
from recbole_dsl.experiments.tuning.study import need_optuna

FOLDER = "tuning"


class Study(NamedTuple):
    """The tuning of a model on a dataset.

    Attributes:
        label, dataset: what is tuned. folder: holds its storage, log, events and outcome.
        budget: {"trials", "seconds"}, the same for all studies; seconds None: no limit.
        arguments: of :func:`recbole_dsl.experiments.tuning.search.tune`.
        ranges: setting -> text of its range. why_not: why it has nothing to tune, or None.
        seed: of its trials. sampler: of the tuning.
    """

    label: str
    dataset: str
    folder: Path
    budget: dict[str, Any]
    arguments: dict[str, Any]
    ranges: dict[str, str]
    why_not: str | None
    seed: int
    sampler: str


def studies(entries: Iterable[Entry], request: Request) -> list[Study]:
    """The studies of all entries on all datasets, checked; their trials have the first seed.

    Raises:
        UsageError: Optuna is missing, or a range or an option is wrong; nothing is written.
    """
    need_optuna()
    found = []
    for dataset in request.datasets:
        files = None
        for entry in entries:
            config, given = plan.check(entry, dataset, request.config_files, request.shared)
            files = plan.digests(config) if files is None else files
            if config["split_seed"] is None and len(request.seeds) > 1:
                raise UsageError(
                    "--tune needs one split for all seeds: with split_seed None, rows that other "
                    "seeds test would have been tuned on"
                )
            try:
                found.append(_study(entry, dataset, request, config, given, files))
            except UsageError as error:
                raise UsageError(f"--tune of {entry.label}: {error}") from error
    return found


def _study(
    entry: Entry,
    dataset: str,
    request: Request,
    config: Config,
    given: Mapping[str, Any],
    files: Mapping[str, str],
) -> Study:
    ranges, why_not = _ranges(entry, config, request.shared)
    unlimited = math.isinf(request.tune_seconds)
    study = Study(
        label=entry.label,
        dataset=dataset,
        folder=request.output / FOLDER,
        budget={
            "trials": request.tune,
            "seconds": None if unlimited else request.tune_seconds,
        },
        arguments={},
        ranges={
            name: str(search_space.parse(name, ranges[name], config.layered.get(name)))
            for name in sorted(ranges)
        },
        why_not=why_not,
        seed=request.seeds[0],
        sampler=request.tune_sampler,
    )
    if not ranges:
        check_sampler(request.tune_sampler, {})
        return study
    # Of the metrics of a trial, only the validation score is of use.
    fixed = {**given, "seed": request.seeds[0], "user_metrics": False}
    run = dict(
        model=entry.model, dataset=dataset, config_dict=fixed,
        config_file_list=[*request.config_files, *entry.config_files],
    )  # fmt: skip
    command = f"recbole_dsl benchmark --tune={request.tune}"
    tuning_plan = make_plan(
        {**run, "arguments": []}, trials=request.tune, sampler=request.tune_sampler, ranges=ranges,
        max_seconds=request.tune_seconds, command=command, params_file=None, prune=None, jobs=1,
        storage=None, study=None, output=str(study.folder), events=None,
    )  # fmt: skip
    options: dict[str, Any] = dict(
        trials=request.tune, sampler=request.tune_sampler, ranges=ranges, command=command
    )
    if not unlimited:  # JSON has no infinity
        options["max_seconds"] = request.tune_seconds
    content = {"study": tuning_plan.identity, "files": files}
    key = plan.digest({**content, **plan.code_of(config)})
    name = jobs.file_name(f"{entry.label}-{dataset}")
    return study._replace(folder=study.folder / f"{name}-{key[:8]}", arguments={**run, **options})


def _ranges(
    entry: Entry, config: Config, shared: Mapping[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """What to search, less what is given for all, and why there is nothing to search."""
    if entry.search is None:
        ranges: Mapping[str, Any] = config.search
        fixed: Mapping[str, Any] = config.external_config_dict
    else:
        ranges, fixed = entry.search, shared
        for name in ranges:
            if name in entry.settings:
                raise UsageError(f"{name} has a value and a range under search: give one of them")
    left = {name: span for name, span in ranges.items() if name not in fixed}
    if left:
        return left, None
    return left, "all of its ranges are given values" if ranges else "no ranges"
