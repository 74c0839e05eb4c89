"""A piece of work in a process of its own, and what it left behind."""

import hashlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TRACEBACK = 70  # exit code of work that raised


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        code: exit code; negative, the signal that killed it; None, it was still running.
        err: its standard error.
    """

    code: int | None
    err: str


def in_child(work: Callable[[], int], folder: Path, seconds: float = 60.0) -> Ended:
    """Fork, and do the work in a folder; its return value is the exit code.

    Forked, it needs none of the seconds that an interpreter takes to import torch. It is killed
    after so many seconds.
    """
    with tempfile.TemporaryFile("w+") as err:
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(err.fileno(), 2)
            sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115
            os.chdir(folder)
            try:
                code = work()
            except BaseException:  # whatever it is, it is a fault
                traceback.print_exc()
                code = TRACEBACK
            sys.stderr.flush()
            os._exit(code)
        code = _wait(process, seconds)
        err.seek(0)
        return Ended(code, err.read())


def _wait(process: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def contents(folder: Path) -> dict[str, str]:
    """Every file and folder below one: name -> digest, empty for a folder."""
    return {
        str(path.relative_to(folder)): ""
        if path.is_dir()
        else hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        for path in sorted(folder.rglob("*"))
    }


def fault_of(ended: Ended, before: dict[str, str], folder: Path) -> str | None:
    """What is wrong with the way a command ended, apart from what it made; None: nothing.

    A command ends with 0; with 2, one line that begins with ``error:`` and nothing written; or with
    1 and one such line.
    """
    if ended.code is None:
        return "hang"
    if "Traceback" in ended.err or ended.code == TRACEBACK:
        return "traceback"
    if ended.code not in (0, 1, 2):
        return f"exit code {ended.code}"
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    if ended.code and (len(errors) != 1 or ended.err.splitlines()[-1:] != errors):
        return "no single line"
    if ended.code == 2 and contents(folder) != before:
        return "refused, but something was written"
    return None
