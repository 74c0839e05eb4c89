"""What takes the place of a run in tests of launch; spawned processes import it by name."""

import atexit
import os
import time
from pathlib import Path

import torch.distributed as dist

from recbole_dsl.common.distributed import barrier, world
from recbole_dsl.common.errors import NonFiniteLossError, UsageError, WriteError

_ERRORS = {
    e.__name__: e for e in (UsageError, NonFiniteLossError, WriteError, OSError, ZeroDivisionError)
}


def fail(kind, rank, message):
    """In the process of that rank, or in all where it is None, raise an error or exit; in the
    others, wait for it."""
    if rank in (None, world().rank):
        if kind == "exit":
            os._exit(3)
        raise _ERRORS[kind](message)
    barrier()


def fail_and_end_last(message):
    """The second process raises an error and ends after the first, which misses it."""
    if world().rank == 1:
        atexit.register(_leave_the_group_first)
        raise ZeroDivisionError(message)
    barrier()


def miss_one_that_is_killed():
    """The first process raises as where a peer is lost, and ends after the second, which exits."""
    if world().rank == 1:
        time.sleep(1)
        os._exit(3)
    atexit.register(time.sleep, 4)
    raise RuntimeError("Connection closed by peer")


def _leave_the_group_first():
    dist.destroy_process_group()
    time.sleep(3)


def leave_rank(folder):
    """Leave a file named after the process, and return its rank."""
    (Path(folder) / f"{world().rank} of {world().size}").touch()
    return {"rank": world().rank}


def abort_at_exit(config_dict=None, **_):
    """A run that is done, in a process that is aborted as it exits."""
    atexit.register(os.abort)
    return {"done": True}
