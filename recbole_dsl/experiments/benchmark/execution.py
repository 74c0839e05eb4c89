"""Running what is missing: a process for each run, whose record goes to the store."""

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recbole_dsl.evaluation import per_user
from recbole_dsl.experiments.benchmark import jobs
from recbole_dsl.experiments.benchmark.jobs import Job
from recbole_dsl.experiments.benchmark.plan import Run
from recbole_dsl.experiments.benchmark.progress import Progress
from recbole_dsl.experiments.benchmark.store import RUNS, Store

# Of a result file, what the report does not need: it is long and lies in the run's folder.
_NOT_STORED = ("settings", "split_card", "checkpoint")


def run_missing(
    runs: Iterable[Run],
    store: Store,
    at_once: int,
    progress: Progress,
    keep_checkpoints: bool = False,
) -> None:
    """Run the runs, each in a process of its own, and store how each ended.

    A run that fails is stored with the end of its log, and the others go on. On SIGINT and SIGTERM
    the processes are ended, and the runs in flight are lost.

    Args:
        runs: what to run. store: gets their records.
        at_once: how many run at a time; each has its share of the cores as threads, unless
            OMP_NUM_THREADS says otherwise.
        progress: gets each finished record, and several times a second the running jobs.
        keep_checkpoints: else each run's checkpoint is deleted.
    Raises:
        jobs.StoppedBySignal: a signal came.
    """

    def end(job: Job) -> None:
        record = _record(job)
        if not keep_checkpoints:
            for path in job.folder.glob("*.pth"):
                path.unlink()
        store.append(record)
        progress.finished(record)

    jobs.run_jobs(runs, at_once, lambda run: _start(run, store.folder, at_once), end, progress.tick)


def _start(run: Run, folder: Path, at_once: int) -> Job:
    name = jobs.file_name(f"{run.label}-{run.dataset}-{run.seed}")
    folder = folder / RUNS / f"{name}-{run.key[:8]}"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was not finished, or failed
    words = [*run.arguments, f"--seed={run.seed}"]
    words += [f"--result_file={folder / 'result.json'}", f"--checkpoint_dir={folder}"]
    return jobs.start_worker(run, "run", folder, words, at_once)


def _record(job: Job) -> dict[str, Any]:
    """A line of the store: what ran, how it ended, what it measured."""
    run: Run = job.task
    record = {
        "key": run.key,
        "label": run.label,
        "model": run.model,
        "dataset": run.dataset,
        "seed": run.seed,
        "command": ["run_recbole_dsl.py", *run.arguments, f"--seed={run.seed}"],
        "folder": f"{RUNS}/{job.folder.name}",
        "ended": time.strftime("%Y-%m-%d %H:%M:%S"),
        "wall_seconds": time.monotonic() - job.started,
    }
    if run.tuning is not None:
        record["tuning"] = run.tuning
    jobs.close_input(job)
    if job.process.returncode:
        return {**record, "status": "failed", "error": jobs.error_text(job)}
    path = job.folder / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    result = {key: value for key, value in result.items() if key not in _NOT_STORED}
    users = per_user.path_beside(path)
    record["user_metrics"] = users.name if users.exists() else None
    return {**result, **record, "status": "ok"}
