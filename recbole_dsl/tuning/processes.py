"""The worker processes of a study on this machine, and waiting for those on others."""

import contextlib
import multiprocessing
import os
import sys
import time

import torch

from recbole_dsl.tuning.study import open_study, quiet, refill
from recbole_dsl.tuning.worker import NothingToSelectOnError, work

# Seconds between two looks at trials that others run.
POLL = 2.0


def run_all(plan):
    """Run the study until all of its slots are done or its seconds are spent; the slots then."""
    with quiet():
        study = open_study(plan)
        waited = None
        while True:
            found = refill(study, plan)
            if found.finished or (found.seconds >= plan.max_seconds and not found.running):
                return found
            if found.waiting and found.seconds < plan.max_seconds:
                _run(plan.with_jobs(min(plan.jobs, len(found.waiting))))
                continue
            if waited != set(found.running):
                waited = set(found.running)
                _say(f"waiting for trials of other processes: {_where(found.running)}")
            time.sleep(POLL)


def _where(running):
    return ", ".join(
        f"{slot} on {trial.user_attrs.get('process', {}).get('host', 'a machine')}"
        for slot, trial in sorted(running.items())
    )


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _run(plan):
    if plan.jobs == 1:
        work(plan)
        return
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    with _threads(max(1, torch.get_num_threads() // plan.jobs)):
        workers = [context.Process(target=_worker, args=(plan, writer)) for _ in range(plan.jobs)]
        for worker in workers:
            worker.start()
    try:
        for worker in workers:
            worker.join()
    finally:  # after Ctrl-C
        for worker in workers:
            worker.terminate()
            worker.join()
    for worker in workers:
        if worker.exitcode and worker.exitcode < 0:
            _say(f"a process was ended by signal {-worker.exitcode}; its trial is run again")
    if reader.poll():
        raise NothingToSelectOnError(reader.recv())
    broken = [worker.exitcode for worker in workers if worker.exitcode and worker.exitcode > 0]
    if broken:
        raise RuntimeError(f"a worker process ended with exit code {broken[0]}; see above")


def _worker(plan, writer):
    try:
        work(plan)
    except NothingToSelectOnError as error:
        writer.send(str(error))
    except KeyboardInterrupt:  # the main process says it
        sys.exit(0)


@contextlib.contextmanager
def _threads(number):
    """Processes started here compute with so many threads, unless the user has said how many."""
    name = "OMP_NUM_THREADS"
    given = os.environ.get(name)
    os.environ.setdefault(name, str(number))
    try:
        yield
    finally:
        if given is None:
            del os.environ[name]
