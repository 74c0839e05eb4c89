"""Starting the processes of a run: RecBole's ``nproc`` and its companions, or torchrun.

The command's own process checks the settings, holds the store in which the others find each other,
waits for them and reports the first error; it trains nothing itself.
"""

import contextlib
import json
import logging
import os
import signal
import socket
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch.distributed as dist
from recbole.trainer import Trainer
from recbole.utils import get_trainer
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from recbole_dsl.common import distributed
from recbole_dsl.common.distributed import World, world
from recbole_dsl.common.errors import NonFiniteLossError, ProcessError, UsageError, WriteError
from recbole_dsl.common.files import system_words
from recbole_dsl.config.run_config import Config
from recbole_dsl.models.plugins import Registered, for_other_processes
from recbole_dsl.models.registry import register_again

# How long processes of several machines try to reach the store of the first one.
_STORE_TIMEOUT = timedelta(minutes=10)
# Errors of a process that the command's own process raises again.
_PASSED_ON: dict[str, type[Exception]] = {
    error.__name__: error for error in (UsageError, NonFiniteLossError, WriteError)
}


def by_torchrun() -> bool:
    """Whether torchrun started this process, as one of several or alone."""
    return dist.is_available() and dist.is_torchelastic_launched()


@contextlib.contextmanager
def torchrun_world() -> Iterator[None]:
    """Be the process that torchrun's environment says, if it started this one."""
    if not by_torchrun() or world().size > 1:
        yield
        return
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    place = World(*(int(os.environ[name]) for name in names))
    with distributed.joined(place, init_method="env://"):
        yield


def n_processes(config: Config) -> int:
    """How many processes the settings ask for, on all machines together."""
    asked: int = config.layered["world_size"]
    if asked == -1:
        asked = config["nproc"]
    return asked


def to_be_launched(config: Config) -> bool:
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
        _check_several(config)
    return several and world().size == 1


def _check_several(config: Config) -> None:
    name = config["model"]
    _registered(config)
    trainer = get_trainer(config["MODEL_TYPE"], name)
    own_loop = trainer.fit is not Trainer.fit or trainer._train_epoch is not Trainer._train_epoch
    if config["save_dataloaders"] or config["dataloaders_save_path"]:
        raise UsageError("save_dataloaders and dataloaders_save_path need one process: --nproc=1")
    if own_loop:
        raise UsageError(
            f"{name} has a training loop of its own, RecBole's {trainer.__name__}, which works in "
            "one process: --nproc=1"
        )
    for key in ("clip_grad_norm", "enable_scaler"):
        if not config.spec.is_pair and config[key]:
            raise UsageError(
                f"{key} is applied by RecBole to each process's own gradients, before they are "
                f"averaged: leave it out for {name}, or use --nproc=1"
            )


def _registered(config: Config) -> list[Registered]:
    """What the run's processes have to register before they know its model."""
    return for_other_processes(config.spec.parts, f"nproc {config['nproc']}")


def launch(
    run: Callable[..., dict[str, Any]], config: Config, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Call ``run(**arguments)`` in the processes the settings ask for.

    Processes are spawned: a script that calls this does so under ``if __name__ == "__main__":``.

    Args:
        run: a function of a module, which the processes import; it returns plain data.
        config: settings. arguments: what pickle can store.
    Returns:
        What run returns in the first process of this machine.
    Raises:
        UsageError: the port is taken. UsageError, NonFiniteLossError, WriteError: run raised it in
            a process. ProcessError: a process was ended from outside. All others are ended.
    """
    nproc, offset, size = config["nproc"], config["group_offset"], n_processes(config)
    host, port = config["ip"], config["port"]
    store = _open_store(host, port) if offset == 0 else None
    address = (host, port if store is None else store.port)
    places = [World(offset + rank, size, rank, nproc) for rank in range(nproc)]
    with tempfile.TemporaryDirectory(prefix="recbole_dsl-") as name:
        folder = Path(name)
        given = (run, arguments, places, address, folder, _registered(config))
        context = spawn(_process, given, nproc, join=False)
        # torch logs each process that it ends; the error below says all.
        logging.getLogger(spawn.__module__).setLevel(logging.ERROR)
        try:
            while not context.join():
                pass
        except ProcessExitedException as error:
            # Torch's threads abort a process now and then as it exits, which loses nothing.
            how = _how_it_ended(error.error_index, error.exit_code, nproc)
            if len(list(folder.glob("done.*"))) < nproc:
                stopped = ProcessError(f"{how}; the run has been stopped")
                raise _cause(folder, context.processes) or stopped from error
            logging.getLogger(__name__).warning(f"{how}, after its work")
        except ProcessRaisedException as error:  # perhaps because another one had gone
            raise (_cause(folder, context.processes) or error) from None
        finally:
            _end(context.processes)
        result: dict[str, Any] = json.loads((folder / "result").read_text(encoding="utf-8"))
        return result


def _open_store(host: str, port: int | None) -> Any:
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
    return _store(host, port or 0, is_master=True, wait_for_workers=False)


def _store(host: str, port: int, **options: Any) -> Any:
    # Not in the __all__ of torch.distributed.
    return dist.TCPStore(host, port, **options)  # type: ignore[attr-defined]


def _process(
    local_rank: int,
    run: Callable[..., dict[str, Any]],
    arguments: Mapping[str, Any],
    places: Sequence[World],
    address: tuple[str, int],
    folder: Path,
    registered: Sequence[Registered],
) -> None:
    """What each process does: join the others, run, leave result or error in the folder."""
    store = _store(*address, is_master=False, timeout=_STORE_TIMEOUT)
    try:
        register_again(registered)
        with distributed.joined(places[local_rank], store=store):
            result = run(**arguments)
            if local_rank == 0:
                (folder / "result").write_text(json.dumps(result), encoding="utf-8")
            (folder / f"done.{local_rank}").touch()
    except Exception as error:
        _leave_error(folder, local_rank, error)
        raise


def _leave_error(folder: Path, rank: int, error: Exception) -> None:
    """Write down the first error: the other processes' may only be about this one being gone.

    It appears whole or not at all: torch ends the other processes as soon as one has failed.
    """
    kind, text = type(error).__name__, str(error)
    if isinstance(error, OSError):
        kind, text = WriteError.__name__, system_words(error)
    content = [kind, text, rank, os.getpid(), traceback.format_exc()]
    own = folder / f"error.{rank}"
    own.write_text(json.dumps(content), encoding="utf-8")
    with contextlib.suppress(FileExistsError):
        os.link(own, folder / "error")


def _cause(folder: Path, processes: Sequence[BaseProcess]) -> Exception | None:
    """Why a run has failed: the error that the first process to fail has left in the folder, unless
    it only says that another one has gone, which was killed and left none. None: nobody left any.
    """
    path = folder / "error"
    if not path.exists():
        return None
    name, message, rank, pid, trace = json.loads(path.read_text(encoding="utf-8"))
    if name in _PASSED_ON:
        return _PASSED_ON[name](message)
    for other, process in enumerate(processes):
        code = process.exitcode
        # 1 where it has raised; torch itself ends the others by SIGTERM.
        if other == rank or code is None or code in (0, 1, -signal.SIGTERM):
            continue
        missed = "connection" in message.lower()  # as gloo, NCCL and the store say it
        if missed and not (folder / f"done.{other}").exists():
            how = _how_it_ended(other, code, len(processes))
            return ProcessError(f"{how}; the run has been stopped")
    text = f"\n\n-- Process {rank} terminated with the following error:\n{trace}"
    return ProcessRaisedException(text, rank, pid)


def _how_it_ended(rank: int, code: int, nproc: int) -> str:
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended: {code}"
    hint = ", often for lack of memory" if code == -signal.SIGKILL else ""
    return f"process {rank} of {nproc} {how}{hint}"


def _end(processes: Sequence[BaseProcess]) -> None:
    """End what still runs, as after Ctrl-C."""
    for process in processes:
        if process.is_alive():
            process.terminate()
    for process in processes:
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()
