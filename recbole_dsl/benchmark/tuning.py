"""Equal budgets: a study for each model and dataset, before any of their runs.

A study is tuned in one process, so that with a seed it finds the same whatever --jobs is: several
studies run at once, never several trials of one.
"""

import json
import math
import shutil
from pathlib import Path
from typing import NamedTuple

from recbole_dsl.benchmark import execution, plan
from recbole_dsl.settings import UsageError
from recbole_dsl.tuning import plan as tuning_plan
from recbole_dsl.tuning import ranges, search

FOLDER = "tuning"
_STUDY, _OUTCOME = "study.json", "outcome.json"
# What the store and the report keep of an outcome; the rest lies in the study's folder.
_KEPT = ("trials", "seconds", "best", "trial", "valid", "metric", "best_epoch")


class Study(NamedTuple):
    """The tuning of a model on a dataset.

    Attributes:
        label, dataset: what is tuned. folder: holds its storage, log and outcome.
        asked: {"trials", "seconds"}, the same for all; seconds None: no limit.
        arguments: of :func:`recbole_dsl.tuning.tune`. ranges: setting -> text of its range.
        why_not: why it has nothing to tune, or None.
        seed: of its trials. sampler: of the tuning.
    """

    label: str
    dataset: str
    folder: Path
    asked: dict
    arguments: dict
    ranges: dict
    why_not: str | None
    seed: int
    sampler: str


def studies(entries, asked):
    """The studies of all entries on all datasets, checked; their trials have the first seed.

    Args:
        entries: list of :class:`recbole_dsl.benchmark.entries.Entry`.
        asked: :class:`recbole_dsl.benchmark.options.Options`.
    Raises:
        UsageError: Optuna is missing, or a range or an option is wrong; nothing is written.
    """
    search.need_optuna()
    found = []
    for dataset in asked.datasets:
        files = None
        for entry in entries:
            config, given = plan.check(entry, dataset, asked.config_files, asked.shared)
            files = plan.digests(config) if files is None else files
            if config["split_seed"] is None and len(asked.seeds) > 1:
                raise UsageError(
                    "--tune needs one split for all seeds: with split_seed None, rows that other "
                    "seeds test would have been tuned on"
                )
            try:
                found.append(_study(entry, dataset, asked, config, given, files))
            except UsageError as error:
                raise UsageError(f"--tune of {entry.label}: {error}") from error
    return found


def _study(entry, dataset, asked, config, given, files):
    tried, why_not = _ranges(entry, config, asked.shared)
    cap = None if math.isinf(asked.tune_seconds) else asked.tune_seconds
    common = dict(
        label=entry.label, dataset=dataset, asked={"trials": asked.tune, "seconds": cap},
        ranges={name: str(ranges.parse(name, tried[name], config.layered.get(name)))
                for name in sorted(tried)},
        why_not=why_not, seed=asked.seeds[0], sampler=asked.tune_sampler,
    )  # fmt: skip
    # Of what a trial measures, only the validation score is of use.
    fixed = {**given, "seed": asked.seeds[0], "user_metrics": False}
    run = dict(
        model=entry.model, dataset=dataset, config_dict=fixed,
        config_file_list=[*asked.config_files, *entry.config_files],
    )  # fmt: skip
    arguments = dict(
        trials=asked.tune, sampler=asked.tune_sampler, ranges=tried,
        max_seconds=asked.tune_seconds, command=f"recbole_dsl.benchmark --tune={asked.tune}",
    )  # fmt: skip
    root = asked.output / FOLDER
    if not tried:
        tuning_plan.check_searchable(asked.tune_sampler, {})
        return Study(folder=root, arguments={}, **common)
    made = search.make_plan(
        {**run, "arguments": []}, **arguments, params_file=None, prune=None, jobs=1, storage=None,
        study=None, output=str(root),
    )  # fmt: skip
    key = plan.digest({"study": made.identity, "files": files})
    name = execution.file_name(f"{entry.label}-{dataset}")
    return Study(folder=root / f"{name}-{key[:8]}", arguments={**run, **arguments}, **common)


def _ranges(entry, config, shared):
    """What to search, less what is given for all, and why there is nothing."""
    if entry.search is None:
        there, fixed = config.search, config.external_config_dict
    else:
        there, fixed = entry.search, shared
        for name in there:
            if name in entry.settings:
                raise UsageError(f"{name} has a value and a range under search: give one of them")
    left = {name: span for name, span in there.items() if name not in fixed}
    if left:
        return left, None
    return left, "all of its ranges are given values" if there else "no ranges"


def outcomes(found, jobs, progress, retry_failed=False):
    """What the studies come to; those that are not complete are gone on with.

    Args:
        found: list of :class:`Study`. jobs: how many at once.
        progress: :class:`recbole_dsl.benchmark.trials.TuningProgress`.
        retry_failed: begin those again in which no trial could win.
    Returns:
        (label, dataset) -> dict: label, dataset, asked, ranges, sampler, seed; trials (asked,
        complete, pruned, failed), seconds, best (settings), valid (score of ``metric``) and
        best_epoch; or ``error`` in place of the last four.
    Raises:
        execution.Stopped: a signal came; the finished trials are kept.
    """
    there = {}
    for study in found:
        outcome = _untuned(study) if study.why_not else _read(study)
        if outcome and "error" in outcome and retry_failed:
            shutil.rmtree(study.folder)
            outcome = None
        there[study.label, study.dataset] = outcome
    missing = [study for study in found if there[study.label, study.dataset] is None]

    def ended(job):
        study, job_outcome = job.run, _read(job.run)
        job.process.stdin.close()
        if job_outcome is None:
            job_outcome = _outcome(study, {"error": execution.error_of(job)})
        there[study.label, study.dataset] = job_outcome
        progress.finished(job, job_outcome)

    progress.begin(missing)
    execution.each(missing, jobs, lambda study: _start(study, jobs), ended, progress.tick)
    return there


def _start(study, jobs):
    study.folder.mkdir(parents=True, exist_ok=True)
    arguments = dict(study.arguments)
    if study.asked["seconds"] is None:
        del arguments["max_seconds"]  # JSON has no infinity
    given = {"asked": study.asked, "arguments": arguments}
    (study.folder / _STUDY).write_text(json.dumps(given, indent=1) + "\n")
    return execution.launch(study, "tune", [str(study.folder)], study.folder, jobs)


def _read(study):
    """The outcome that a study's folder holds, if it is of the budget asked for, or None."""
    path = study.folder / _OUTCOME
    if not path.is_file():
        return None
    outcome = json.loads(path.read_text())
    return _outcome(study, outcome) if outcome["asked"] == study.asked else None


def _untuned(study):
    trials = dict.fromkeys(("asked", "complete", "pruned", "failed"), 0)
    return _outcome(study, {"trials": trials, "seconds": 0.0, "best": {}})


def _outcome(study, found):
    common = study._asdict()
    kept = ("label", "dataset", "asked", "ranges", "why_not", "sampler", "seed")
    rest = ("error",) if "error" in found else _KEPT
    return {key: common[key] for key in kept} | {key: found[key] for key in rest if key in found}
