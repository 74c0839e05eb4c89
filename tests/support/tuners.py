"""What the worker processes of tests of tuning run."""

import os
import signal
import sys
import time
from pathlib import Path

from recbole_dsl.experiments import single_run
from recbole_dsl.experiments.tuning import search, worker

_run = single_run.run


def work_together(plan, barrier, noted):
    """A worker that starts with the others and takes its time, and notes what it trained."""

    def run(**arguments):
        time.sleep(0.2)
        with Path(noted).open("a") as file:  # one write each, which the system appends whole
            file.write(f"{os.getpid()} {sorted(arguments['config_dict'].items())}\n")
        return _run(**arguments)

    single_run.run = run
    barrier.wait()
    worker.work(plan)


def killed_in_run(number, options):
    """A study whose process is killed in the middle of its run of that number."""
    count = 0

    def run(**arguments):
        nonlocal count
        count += 1
        if count == number:

            def dies(epoch, score):
                arguments["after_validation"](epoch, score)
                os.kill(os.getpid(), signal.SIGKILL)

            return _run(**{**arguments, "after_validation": dies})
        return _run(**arguments)

    single_run.run = run
    sys.argv = ["x"]
    search.tune(**options)
