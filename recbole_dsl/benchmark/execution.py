"""Running what is missing: a process for each task, several at once, all ended with this one."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import recbole_dsl
from recbole_dsl import user_metrics
from recbole_dsl.benchmark.store import RUNS

# sys.path of this process may not be that of a new one, such as in a checkout run from elsewhere.
_START = (
    "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.insert(0, root); "
    "from recbole_dsl.benchmark import child; child.{}()"
)
_ROOT = str(Path(recbole_dsl.__file__).parent.parent)
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PATIENCE = 10  # seconds that a process is given to end
# Of a result file, what the report does not need: it is long and lies in the run's folder.
_LEFT_OUT = ("settings", "split_card", "checkpoint")
_ERROR_LINES = 5


class Stopped(BaseException):
    """The user, or the system, has asked to stop; ``number`` is the signal."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


class Job(NamedTuple):
    """A run, or a study, in its process: ``folder`` holds its log and what it leaves, ``started``
    is of ``time.monotonic``."""

    run: object
    folder: Path
    process: subprocess.Popen
    started: float


def run_all(runs, store, jobs, progress, keep_checkpoints=False):
    """Run the runs, each in a process of its own, and store how each ended.

    A run that fails is stored with the end of its log, and the others go on. On SIGINT and SIGTERM
    the processes are ended, and the runs in flight are lost.

    Args:
        runs: list of :class:`recbole_dsl.benchmark.plan.Run`. store: what they are added to.
        jobs: how many at once; each is given the cores / jobs as threads, unless
            OMP_NUM_THREADS says otherwise.
        progress: told of each finished record, and several times a second of the running jobs.
    Raises:
        Stopped: a signal came.
    """

    def ended(job):
        record = _record(job)
        _tidy(job, keep_checkpoints)
        store.append(record)
        progress.finished(record)

    each(runs, jobs, lambda run: _start(run, store.folder, jobs), ended, progress.tick)


def each(tasks, jobs, start, ended, tick):
    """Start a process for each task, ``jobs`` at once, until all have ended.

    Args:
        tasks: list. start: task -> :class:`Job`. ended: called with each job whose process ended.
        tick: called with the running jobs, several times a second.
    Raises:
        Stopped: a signal came; the processes are ended.
    """
    waiting, running = list(tasks), []
    with _stoppable():
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(start(waiting.pop(0)))
                for job in [job for job in running if job.process.poll() is not None]:
                    running.remove(job)
                    ended(job)
                tick(running)
                time.sleep(0.05)
        finally:
            _end(running)


@contextlib.contextmanager
def _stoppable():
    def stop(number, frame):
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def threads(jobs):
    """Threads of each of several jobs: their share of the cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(cores // jobs, 1)


def _start(run, folder, jobs):
    name = file_name(f"{run.label}-{run.dataset}-{run.seed}")
    folder = folder / RUNS / f"{name}-{run.key[:8]}"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was not finished, or failed
    folder.mkdir(parents=True)
    words = [*run.arguments, f"--seed={run.seed}"]
    words += [f"--result_file={folder / 'result.json'}", f"--checkpoint_dir={folder}"]
    return launch(run, "main", words, folder, jobs)


def file_name(text):
    """A text with what does not belong into the name of a file replaced."""
    return re.sub(r"[^\w.+-]+", "_", text)


def launch(run, function, words, folder, jobs):
    """Start a function of :mod:`recbole_dsl.benchmark.child` in a process of its own: a Job.

    Args:
        run: what it is for. words: its command line. folder: gets its log.
        jobs: how many run at once; each has its share of the cores.
    """
    command = [sys.executable, "-c", _START.format(function), _ROOT, *words]
    given = {name: os.environ.get("OMP_NUM_THREADS", str(threads(jobs))) for name in _THREADS}
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **given},
            start_new_session=True,  # Ctrl-C comes to this process alone, which ends the others
        )
    return Job(run, folder, process, time.monotonic())


def _record(job):
    """A line of the store: what ran, how it ended, what it measured."""
    run = job.run
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
    job.process.stdin.close()
    if job.process.returncode:
        return {**record, "status": "failed", "error": error_of(job)}
    path = job.folder / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    result = {key: value for key, value in result.items() if key not in _LEFT_OUT}
    users = user_metrics.path_beside(path)
    record["user_metrics"] = users.name if users.exists() else None
    return {**result, **record, "status": "ok"}


def error_of(job):
    """The last lines of a log, the error of the run; where a signal ended it, which one."""
    code, log = job.process.returncode, job.folder / "log.txt"
    lines = [line.rstrip() for line in log.read_text(errors="replace").splitlines()]
    last = [line for line in lines if line][-_ERROR_LINES:]
    if code > 0:
        return "\n".join(last) or f"exit code {code}"
    name = signal.Signals(-code).name
    hint = ", often for lack of memory" if name == "SIGKILL" else ""
    return "\n".join([*last, f"the run was ended by {name}{hint}"])


def _tidy(job, keep_checkpoints):
    for path in () if keep_checkpoints else job.folder.glob("*.pth"):
        path.unlink()


def _end(jobs):
    """End what still runs, with all processes of it, and wait until it has."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for job in jobs:
            if job.process.poll() is None:
                os.killpg(job.process.pid, number)
        ends = time.monotonic() + _PATIENCE
        for job in jobs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.process.wait(max(ends - time.monotonic(), 0.01))
