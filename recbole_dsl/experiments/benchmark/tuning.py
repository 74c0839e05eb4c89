"""Tuning before the runs: each study in a process of its own, and what came of it.

A study is tuned in one process, so that with a seed it finds the same whatever --jobs is: several
studies run at once, never several trials of one.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from recbole_dsl.common.files import write_atomically
from recbole_dsl.experiments.benchmark import jobs
from recbole_dsl.experiments.benchmark.jobs import Job
from recbole_dsl.experiments.benchmark.shapes import OUTCOME, mismatch
from recbole_dsl.experiments.benchmark.studies import Study
from recbole_dsl.experiments.benchmark.tuning_progress import TuningProgress

_STUDY, _OUTCOME = "study.json", "outcome.json"
# What the store and the report keep of an outcome; the rest lies in the study's folder.
_STORED = ("trials", "seconds", "best", "trial", "valid", "metric", "best_epoch")
Outcome = dict[str, Any]


def outcomes(
    studies: Iterable[Study], at_once: int, progress: TuningProgress, retry_failed: bool = False
) -> dict[tuple[str, str], Outcome]:
    """What the studies found; those that are not complete are continued.

    Args:
        at_once: how many studies run at once. progress: reports their trials.
        retry_failed: begin those again in which no trial could win.
    Returns:
        (label, dataset) -> dict: label, dataset, budget, ranges, why_not, sampler, seed; trials
        (asked, complete, pruned, failed), seconds, best (settings), trial, valid (score of
        ``metric``) and best_epoch; or ``error`` in place of those from trials on.
    Raises:
        jobs.StoppedBySignal: a signal came; the finished trials are kept.
    """
    found: dict[tuple[str, str], Outcome] = {}
    missing = []
    for study in studies:
        outcome = _no_tuning(study) if study.why_not else _read(study)
        if outcome and "error" in outcome and retry_failed:
            shutil.rmtree(study.folder)
            outcome = None
        if outcome is None:
            missing.append(study)
        # In the order of the studies, also those that are still to run.
        found[study.label, study.dataset] = outcome or {}

    def end(job: Job) -> None:
        study: Study = job.task
        jobs.close_input(job)
        outcome = _read(study)
        if outcome is None:
            outcome = _outcome(study, {"error": jobs.error_text(job)})
        found[study.label, study.dataset] = outcome
        progress.finished(job, outcome)

    progress.begin(missing)
    jobs.run_jobs(missing, at_once, lambda study: _start(study, at_once), end, progress.tick)
    return found


def _start(study: Study, at_once: int) -> Job:
    study.folder.mkdir(parents=True, exist_ok=True)
    content = {"budget": study.budget, "arguments": study.arguments}
    text = json.dumps(content, indent=1) + "\n"
    write_atomically(study.folder / _STUDY, lambda temporary: temporary.write_text(text, "utf-8"))
    return jobs.start_worker(study, "tune", study.folder, [], at_once)


def _read(study: Study) -> Outcome | None:
    """The outcome that a study's folder holds, if it is whole and of the same budget, or None.

    Of a damaged one nothing is lost: the study, gone on with, has the same one again.
    """
    path = study.folder / _OUTCOME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None
    if mismatch(content, {"budget": dict, "error": str} if "error" in content else OUTCOME):
        return None
    return _outcome(study, content) if content["budget"] == study.budget else None


def _no_tuning(study: Study) -> Outcome:
    trials = dict.fromkeys(("asked", "complete", "pruned", "failed"), 0)
    return _outcome(study, {"trials": trials, "seconds": 0.0, "best": {}})


def _outcome(study: Study, content: Mapping[str, Any]) -> Outcome:
    common = study._asdict()
    stored = ("label", "dataset", "budget", "ranges", "why_not", "sampler", "seed")
    rest = ("error",) if "error" in content else _STORED
    return {key: common[key] for key in stored} | {
        key: content[key] for key in rest if key in content
    }
