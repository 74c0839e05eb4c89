"""Workers of a benchmark in the process of the test, without 3 s of imports each."""

import contextlib
import io
import signal
import subprocess
import types
from pathlib import Path

from recbole_dsl.cli import worker
from recbole_dsl.experiments.benchmark import jobs


class Popen:
    """In place of subprocess.Popen: runs the worker to its end at once.

    ``started`` lists what was started: "run", or the name of a study's folder.
    """

    started = []

    def __init__(self, command, *, stderr, **_):
        task, folder, *words = command[3:]
        self.started.append("run" if task == "run" else Path(folder).name)
        self.stdin = io.BytesIO()
        with open(stderr.name, "a") as log, contextlib.redirect_stderr(log):
            self.returncode = worker.main([task, folder, *words])
        if self.returncode == 130:  # by the benchmark, which was stopped
            raise jobs.StoppedBySignal(signal.SIGINT)

    def poll(self):
        return self.returncode


def workers_in_this_process(monkeypatch):
    """From now on; ``Popen.started`` is empty."""
    # Only in jobs, and not for the browser.
    here = types.SimpleNamespace(**{**vars(subprocess), "Popen": Popen})
    monkeypatch.setattr(jobs, "subprocess", here)
    monkeypatch.setattr(Popen, "started", [])
