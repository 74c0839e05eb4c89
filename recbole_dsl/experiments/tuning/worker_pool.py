"""The worker processes of a study on this machine, and waiting for those of other commands."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import TYPE_CHECKING

import torch

from recbole_dsl.common.errors import NothingToSelectOnError, UsageError, WriteError
from recbole_dsl.common.files import system_words
from recbole_dsl.experiments.tuning.attempts import StudyState
from recbole_dsl.experiments.tuning.plan import Plan
from recbole_dsl.experiments.tuning.study import open_study, queue_trials, quiet
from recbole_dsl.experiments.tuning.worker import work
from recbole_dsl.models.registry import register_again

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Seconds between two looks at trials that other processes run.
POLL_SECONDS = 2.0
_END_SECONDS = 10  # that a worker is given to end
# Errors of a worker that the command's own process raises again.
_PASSED_ON: dict[str, type[Exception]] = {
    error.__name__: error for error in (NothingToSelectOnError, UsageError, WriteError)
}


def run_study(plan: Plan) -> StudyState:
    """Run the study until all of its trials are done or its seconds are spent; its state then.

    Raises:
        NothingToSelectOnError: the split has no validation rows. RuntimeError: a worker process
            ended in an error.
    """
    with quiet():
        study = open_study(plan)
        waiting_for: set[int] | None = None
        while True:
            state = queue_trials(study, plan)
            spent = state.seconds >= plan.max_seconds
            if state.finished or (spent and not state.running):
                return state
            if state.queued and not spent:
                _run_workers(plan.with_jobs(min(plan.jobs, len(state.queued))))
                continue
            if waiting_for != set(state.running):
                waiting_for = set(state.running)
                _print(f"waiting for trials of other processes: {_places(state.running)}")
            time.sleep(POLL_SECONDS)


def _places(running: "dict[int, FrozenTrial]") -> str:
    return ", ".join(
        f"{number} on {trial.user_attrs.get('process', {}).get('host', 'a machine')}"
        for number, trial in sorted(running.items())
    )


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run_workers(plan: Plan) -> None:
    if plan.jobs == 1:
        work(plan)
        return
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    with _threads(max(1, torch.get_num_threads() // plan.jobs)):
        workers = [context.Process(target=_work, args=(plan, writer)) for _ in range(plan.jobs)]
        for worker in workers:
            worker.start()
    try:
        for worker in workers:
            worker.join()
    finally:
        _end(workers)  # after Ctrl-C
    for worker in workers:
        if worker.exitcode and worker.exitcode < 0:
            _print(f"a process was ended by signal {-worker.exitcode}; its trial is run again")
    if reader.poll():
        name, text = reader.recv()
        raise _PASSED_ON[name](text)
    broken = [worker.exitcode for worker in workers if worker.exitcode and worker.exitcode > 0]
    if broken:
        raise RuntimeError(f"a worker process ended with exit code {broken[0]}; see above")


def _end(workers: "Sequence[BaseProcess]") -> None:
    """End what still runs; a trial is given time to store that it was interrupted."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + _END_SECONDS
    for worker in workers:
        worker.join(max(deadline - time.monotonic(), 0))
        if worker.is_alive():
            worker.kill()
            worker.join()


def _work(plan: Plan, writer: Connection) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        register_again(plan.registered)
        work(plan)
    except tuple(_PASSED_ON.values()) as error:
        writer.send((type(error).__name__, str(error)))
    except OSError as error:
        writer.send((WriteError.__name__, system_words(error)))
    except KeyboardInterrupt:  # the main process, which gets it too, reports it
        pass


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt once: a second signal must not disturb what the first one ends."""
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    """Processes started here compute with so many threads, unless the user has set a number."""
    name = "OMP_NUM_THREADS"
    given = os.environ.get(name)
    os.environ.setdefault(name, str(number))
    try:
        yield
    finally:
        if given is None:
            del os.environ[name]
