"""Running what is missing: a process for each run, several at once, all ended with this one."""

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
    "from recbole_dsl.benchmark.child import main; main()"
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
    """A run in its process: ``folder`` holds its log and what it leaves, ``started`` is of
    ``time.monotonic``."""

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
    waiting, running = list(runs), []
    with _stoppable():
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_start(waiting.pop(0), store.folder, jobs))
                for job in [job for job in running if job.process.poll() is not None]:
                    running.remove(job)
                    record = _record(job)
                    _tidy(job, keep_checkpoints)
                    store.append(record)
                    progress.finished(record)
                progress.tick(running)
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
    name = re.sub(r"[^\w.+-]+", "_", f"{run.label}-{run.dataset}-{run.seed}")
    folder = folder / RUNS / f"{name}-{run.key[:8]}"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was not finished, or failed
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", _START, _ROOT, *run.arguments, f"--seed={run.seed}"]
    command += [f"--result_file={folder / 'result.json'}", f"--checkpoint_dir={folder}"]
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
    job.process.stdin.close()
    code = job.process.returncode
    if code:
        return {**record, "status": "failed", "error": _error(code, job.folder / "log.txt")}
    path = job.folder / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    result = {key: value for key, value in result.items() if key not in _LEFT_OUT}
    users = user_metrics.path_beside(path)
    record["user_metrics"] = users.name if users.exists() else None
    return {**result, **record, "status": "ok"}


def _error(code, log):
    """The last lines of a log, the error of the run; where a signal ended it, which one."""
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
