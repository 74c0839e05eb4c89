"""What takes the place of a run in tests of launch; spawned processes import it by name."""

import atexit
import os
from pathlib import Path

from recbole_dsl.common.distributed import barrier, world
from recbole_dsl.common.errors import NonFiniteLossError, UsageError

_ERRORS = {e.__name__: e for e in (UsageError, NonFiniteLossError, ZeroDivisionError)}


def fail(kind, rank, message):
    """In the process of that rank, or in all where it is None, raise an error or exit; in the
    others, wait for it."""
    if rank in (None, world().rank):
        if kind == "exit":
            os._exit(3)
        raise _ERRORS[kind](message)
    barrier()


def leave_rank(folder):
    """Leave a file named after the process, and return its rank."""
    (Path(folder) / f"{world().rank} of {world().size}").touch()
    return {"rank": world().rank}


def abort_at_exit(config_dict=None, **_):
    """A run that is done, in a process that is aborted as it exits."""
    atexit.register(os.abort)
    return {"done": True}
