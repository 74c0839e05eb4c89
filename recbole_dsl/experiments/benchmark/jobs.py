"""Worker processes, several at once, all ended with this one."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from recbole_dsl import _version
from recbole_dsl.common.machine import usable_cores
from recbole_dsl.experiments import events
from recbole_dsl.experiments.events import EventReader

_WORKER = "recbole_dsl.cli.worker"
_PACKAGE_ROOT = str(Path(_version.__file__).parents[1])
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PATIENCE_SECONDS = 10  # that a process is given to end
_ERROR_LINES = 5


class StoppedBySignal(BaseException):
    """SIGINT, SIGTERM or SIGHUP has come; ``number`` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Job(NamedTuple):
    """A run, or a study, in its process.

    Attributes:
        task: :class:`plan.Run` or :class:`studies.Study`.
        folder: holds its log, its events and its results.
        process: of the worker. started: of ``time.monotonic``.
        events: reads what the worker reports.
    """

    task: Any
    folder: Path
    process: "subprocess.Popen[bytes]"
    started: float
    events: EventReader


def run_jobs(
    tasks: Iterable[Any],
    at_once: int,
    start: Callable[[Any], Job],
    end: Callable[[Job], None],
    tick: Callable[[Sequence[Job]], None],
) -> None:
    """Start a process for each task, ``at_once`` of them at a time, until all have ended.

    Args:
        start: task -> :class:`Job`. end: called with each job whose process has ended.
        tick: called with the running jobs, several times a second.
    Raises:
        StoppedBySignal: a signal came; the processes are ended.
    """
    waiting, running = list(tasks), list[Job]()
    with _signals_raised():
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    running.append(start(waiting.pop(0)))
                for job in [job for job in running if job.process.poll() is not None]:
                    running.remove(job)
                    end(job)
                tick(running)
                time.sleep(0.05)
        finally:
            _terminate(running)


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise StoppedBySignal(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as it is under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def threads(at_once: int) -> int:
    """Threads of each of several processes: their share of the cores this process may use."""
    return max(usable_cores() // at_once, 1)


def file_name(text: str) -> str:
    """A text with what does not belong into the name of a file replaced."""
    return re.sub(r"[^\w.+-]+", "_", text)


def start_worker(task: Any, command: str, folder: Path, words: Sequence[str], at_once: int) -> Job:
    """Start :mod:`recbole_dsl.cli.worker` in a process of its own.

    Args:
        task: what it is for. command: "run" or "tune".
        folder: made if it is not there; gets its log and its events.
        words: of its command line.
        at_once: how many workers run at a time; each has its share of the cores.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / events.FILE).unlink(missing_ok=True)  # of an earlier call
    n_threads = os.environ.get("OMP_NUM_THREADS", str(threads(at_once)))
    # The package may be one that this process did not find by its environment, such as a checkout.
    path = [_PACKAGE_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        **dict.fromkeys(_THREADS, n_threads),
        "PYTHONPATH": os.pathsep.join(path),
    }
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", _WORKER, command, str(folder), *words],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C comes to this process alone, which ends the others
        )
    return Job(task, folder, process, time.monotonic(), EventReader(folder / events.FILE))


def close_input(job: Job) -> None:
    """Close this process's end of the standard input of a job that has ended."""
    if job.process.stdin is not None:
        job.process.stdin.close()


def error_text(job: Job) -> str:
    """The last lines of a log, the error of the run; where a signal ended it, which one."""
    code, log = job.process.returncode, job.folder / "log.txt"
    lines = [line.rstrip() for line in log.read_text(errors="replace").splitlines()]
    last = [line for line in lines if line][-_ERROR_LINES:]
    if code > 0:
        return "\n".join(last) or f"exit code {code}"
    name = signal.Signals(-code).name
    hint = ", often for lack of memory" if name == "SIGKILL" else ""
    return "\n".join([*last, f"the run was ended by {name}{hint}"])


def _terminate(jobs: Sequence[Job]) -> None:
    """End what still runs, with all processes of it, and wait until it has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for job in jobs:
            if job.process.poll() is None:
                os.killpg(job.process.pid, number)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for job in jobs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.process.wait(max(deadline - time.monotonic(), 0.01))
