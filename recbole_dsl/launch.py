"""Starting the processes of a run: RecBole's ``nproc`` and its companions, or torchrun.

The command's own process checks the settings, holds the store in which the others find each other,
waits for them and reports the first error; it trains nothing itself.
"""

import contextlib
import json
import logging
import os
import socket
import tempfile
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist
import torch.multiprocessing as mp
from recbole.trainer import Trainer
from recbole.utils import get_trainer

from recbole_dsl import distributed
from recbole_dsl.distributed import World, world
from recbole_dsl.settings import UsageError
from recbole_dsl.trainer import NonFiniteLossError

# How long processes of several machines wait for the first one to come up.
_PATIENCE = timedelta(minutes=10)
# Errors that are passed on from a process as they are.
_TOLD = {error.__name__: error for error in (UsageError, NonFiniteLossError)}


class ProcessError(RuntimeError):
    """A process of the run ended without saying why; str() names it and how it ended."""


def by_torchrun():
    """Whether torchrun started this process, as one of several or alone."""
    return dist.is_available() and dist.is_torchelastic_launched()


@contextlib.contextmanager
def torchrun_world():
    """Be the process that torchrun's environment says, if it started this one."""
    if not by_torchrun() or world().size > 1:
        yield
        return
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    with distributed.joined(
        World(*(int(os.environ[name]) for name in names)), init_method="env://"
    ):
        yield


def n_processes(config):
    """How many processes the settings ask for, on all machines together."""
    return config["nproc"] if config.layered["world_size"] == -1 else config.layered["world_size"]


def to_be_launched(config):
    """Whether the run's processes are still to be started, after a check that it can have several.

    Raises:
        UsageError: something the run asks for works in one process only.
    """
    several = n_processes(config) > 1
    if several and by_torchrun():
        raise UsageError(
            f"nproc {config['nproc']} under torchrun, which starts the processes itself: leave "
            "--nproc and --world_size out"
        )
    if several or world().size > 1:
        _check(config)
    return several and world().size == 1


def _check(config):
    name = config["model"]
    host = config.spec.backbone is None
    trainer = get_trainer(config["MODEL_TYPE"], name)
    plain = trainer.fit is Trainer.fit and trainer._train_epoch is Trainer._train_epoch
    if config["save_dataloaders"] or config["dataloaders_save_path"]:
        raise UsageError("save_dataloaders and dataloaders_save_path need one process: --nproc=1")
    if not plain:
        raise UsageError(
            f"{name} has a training loop of its own, RecBole's {trainer.__name__}, which works in "
            "one process: --nproc=1"
        )
    for key in ("clip_grad_norm", "enable_scaler"):
        if host and config[key]:
            raise UsageError(
                f"{key} is applied by RecBole to each process's own gradients, before they are "
                f"averaged: leave it out for {name}, or use --nproc=1"
            )


def launch(config, arguments):
    """Run ``runner.run(**arguments)`` in the processes the settings ask for.

    Processes are spawned: a script that calls this does so under ``if __name__ == "__main__":``.

    Returns:
        What the first process of this machine returns.
    Raises:
        UsageError: the port is taken. UsageError, NonFiniteLossError, ProcessError: what a process
            met; all are ended then.
    """
    nproc, offset, size = config["nproc"], config["group_offset"], n_processes(config)
    host, port = config["ip"], config["port"]
    store = _open_store(host, port) if offset == 0 else None
    address = (host, port if store is None else store.port)
    with tempfile.TemporaryDirectory(prefix="recbole_dsl-") as folder:
        places = [World(offset + rank, size, rank, nproc) for rank in range(nproc)]
        context = mp.spawn(_process, (places, address, arguments, folder), nprocs=nproc, join=False)
        # It announces each process it ends; the error below says all.
        logging.getLogger(mp.spawn.__module__).setLevel(logging.ERROR)
        try:
            while not context.join():
                pass
        except mp.ProcessExitedException as error:
            raise _told(Path(folder)) or ProcessError(_ending(error, nproc)) from error
        except mp.ProcessRaisedException as error:  # perhaps because another one had gone
            raise (_told(Path(folder)) or error) from None
        finally:
            _end(context.processes)
        return json.loads((Path(folder) / "result").read_text(encoding="utf-8"))


def _open_store(host, port):
    """The store, served from this process; on a free port where none is given."""
    if port is not None:
        with socket.socket() as probe:  # torch writes several lines about a port that is taken
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError as error:
                raise UsageError(
                    f"port {port} cannot be used: {error.strerror}; leave --port out for a free one"
                ) from error
    return dist.TCPStore(host, port or 0, is_master=True, wait_for_workers=False)


def _process(local_rank, places, address, arguments, folder):
    """What each process does: join the others, run, leave result or error in the folder."""
    from recbole_dsl.runner import run

    folder, place = Path(folder), places[local_rank]
    store = dist.TCPStore(*address, is_master=False, timeout=_PATIENCE)
    try:
        with distributed.joined(place, store=store):
            result = run(**arguments)
            if local_rank == 0:
                (folder / "result").write_text(json.dumps(result), encoding="utf-8")
    except tuple(_TOLD.values()) as error:
        # Written before the others can notice that this process is gone.
        told = json.dumps([type(error).__name__, str(error)])
        (folder / f"error.{local_rank}").write_text(told, encoding="utf-8")
        raise SystemExit(1) from error


def _told(folder):
    """The error that a process has left in the folder, or None."""
    for path in sorted(folder.glob("error.*")):
        name, message = json.loads(path.read_text(encoding="utf-8"))
        return _TOLD[name](message)
    return None


def _ending(error, nproc):
    how = f"was ended by {error.signal_name}" if error.signal_name else f"ended: {error.exit_code}"
    hint = ", often for lack of memory" if error.signal_name == "SIGKILL" else ""
    return f"process {error.error_index} of {nproc} {how}{hint}; the run has been stopped"


def _end(processes):
    """End what still runs, as after Ctrl-C."""
    for process in processes:
        if process.is_alive():
            process.terminate()
    for process in processes:
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()
