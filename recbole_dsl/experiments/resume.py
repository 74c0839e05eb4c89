"""Finding the run that another one goes on with, and whether it may."""

import contextlib
import glob
import io
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from recbole_dsl.common import distributed
from recbole_dsl.common.distributed import world
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.terminal import say
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.content_digests import content_digests
from recbole_dsl.data.pipeline import SplitData
from recbole_dsl.experiments.launch import n_processes
from recbole_dsl.experiments.result import versions
from recbole_dsl.training import last_checkpoint, plain_data, run_lock
from recbole_dsl.training.trainer import can_be_resumed

# Settings that change no number of a run, or of which something else is compared: the device and
# the number of processes as they come out, the data by content. The command line's --model and
# --dataset are settings too, those of recbole_dsl.run are not.
_NOT_COMPARED = frozenset(
    {
        "cache_dir", "checkpoint_dir", "checkpoint_every", "data_path", "dataset", "dataset_cache",
        "device", "gpu_id", "group_offset", "ip", "log_wandb", "model", "nproc", "port",
        "result_file", "save_dataloaders", "save_dataset", "show_progress", "state",
        "strict_config", "use_gpu", "verbose", "wandb_project", "world_size",
    }
)  # fmt: skip


class Resumed(NamedTuple):
    """A run that can go on.

    Attributes:
        path: its last state. content: what the file holds.
    """

    path: Path
    content: dict[str, Any]


def identity(config: Config) -> dict[str, Any]:
    """What must be the same when a run goes on, beside its data; plain data."""
    processes = world().size if world().size > 1 else n_processes(config)
    compared = {key: x for key, x in config.layered.items() if key not in _NOT_COMPARED}
    return {
        "model": config.spec.target,
        "dataset": config["dataset"],
        "settings": plain_data.encode(compared),
        "processes": processes,
        "device": config["device"].type,
    }


def find_run(
    config: Config, resume: bool | str | os.PathLike[str] | None, *, saved: bool
) -> Resumed | None:
    """The run to go on with, checked against the settings; the main process alone reads.

    Args:
        resume: the path of a checkpoint, the last or the best of a run; or True: the newest run of
            these settings that has not ended, in ``checkpoint_dir``; None or False: none.
        saved: whether the run keeps checkpoints.
    Returns:
        None where nothing is asked for; and where resume is True and no run of the model and the
        dataset has been left unfinished: ``config.warnings`` says so.
    Raises:
        UsageError: no such checkpoint, or one of other settings, which are named.
    """
    if resume is None or resume is False:
        return None
    if not saved:
        raise UsageError("resume needs checkpoints, and saved=False keeps none")
    if not can_be_resumed(config):
        raise UsageError(
            f"--resume: {config['model']} has a training loop of its own in RecBole, which cannot "
            "go on in the middle: start it anew"
        )
    found = None
    if world().main:
        found = _newest(config) if resume is True else _named(config, resume)
    path = distributed.from_main(None if found is None else str(found.path))
    if path is None:
        config.warnings.append(
            f"--resume: {config['checkpoint_dir']} has no unfinished run of {config['model']} on "
            f"{config['dataset']}: this one starts at epoch 0"
        )
        return None
    if world().size > 1:
        content = distributed.from_main(Path(path).read_bytes() if world().main else None)
        found = Resumed(Path(path), last_checkpoint.read(io.BytesIO(content), path))
    return found


def _named(config: Config, path: str | os.PathLike[str] | bool) -> Resumed:
    given = Path(str(path))
    if given.is_dir():
        raise UsageError(f"--resume: {given} is a folder: name a checkpoint in it, or none")
    last = given
    if not given.name.endswith(last_checkpoint.SUFFIX):
        last = last_checkpoint.path_beside(given)
        if given.exists() and not last.exists():
            raise UsageError(
                f"--resume: there is no {last} beside {given}: the run has ended, or it was "
                "stopped before the first state was kept (checkpoint_every)"
            )
    if run_lock.is_held(last_checkpoint.best_beside(last)):
        raise UsageError(f"--resume: the run of {last} has not stopped: a process trains it")
    content = last_checkpoint.read(last)
    changed = _differences(content["run"], identity(config))
    if changed:
        raise UsageError(f"{last} cannot go on with other settings: {'; '.join(changed)}")
    return Resumed(last, content)


def _newest(config: Config) -> Resumed | None:
    start = glob.escape(last_checkpoint.start_of_name(config))
    paths = Path(config["checkpoint_dir"]).glob(f"{start}*{last_checkpoint.SUFFIX}")
    own, first = identity(config), None
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
        if run_lock.is_held(last_checkpoint.best_beside(path)):
            continue
        content = last_checkpoint.read(path)
        if any(content["run"].get(key) != own[key] for key in ("model", "dataset")):
            continue  # one name may begin with another
        changed = _differences(content["run"], own)
        if not changed:
            return Resumed(path, content)
        first = first or (path, changed)
    if first is not None:
        raise UsageError(
            f"--resume: the newest unfinished run, {first[0]}, has other settings: "
            f"{'; '.join(first[1])}"
        )
    return None


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two identities, in words; the data aside."""
    found = [
        f"{key} {before.get(key)!r} there, {now[key]!r} here"
        for key in ("model", "dataset", "processes", "device")
        if before.get(key) != now[key]
    ]
    there, here = before.get("settings"), now["settings"]
    if not isinstance(there, Mapping):
        return [*found, "no settings there"]
    found += [
        f"{key} {there.get(key)!r} there, {here.get(key)!r} here"
        for key in sorted({*there, *here}, key=str)
        if there.get(key) != here.get(key)
    ]
    return found


def check_data(resumed: Resumed, digests: Mapping[str, str]) -> None:
    """Raise UsageError if the data are not those of the run that is to go on; it names what is not.

    Args:
        digests: of :func:`recbole_dsl.data.content_digests.content_digests`.
    """
    before = resumed.content["run"].get("data")
    before = before if isinstance(before, Mapping) else {}
    changed = [key for key in {**before, **digests} if before.get(key) != digests.get(key)]
    if changed:
        raise UsageError(
            f"{resumed.path} cannot go on with other data: {', '.join(changed)} have changed since"
        )


@contextlib.contextmanager
def state_kept(
    config: Config, data: SplitData, trainer: Any, resumed: Resumed | None, *, saved: bool
) -> Iterator[None]:
    """Inside, the trainer keeps its state from time to time, and goes on where another run stopped.

    Raises:
        UsageError: the run to be resumed had other data, or has not stopped.
    """
    every = config["checkpoint_every"] if saved else 0
    if resumed is None and (every == 0 or not can_be_resumed(config)):
        yield
        return
    digests, loaders, progress = content_digests(data.loaders), list(data.loaders.values()), None
    if resumed is not None:
        check_data(resumed, digests)
        progress = last_checkpoint.resume(trainer, resumed.path, resumed.content, loaders)
        say(f"goes on after epoch {progress.epoch} of {resumed.path}")
        if warning := changed_versions(resumed, versions()):
            logging.getLogger().warning(warning)
    run = {**identity(config), "versions": versions(), "data": digests}
    trainer.last = last_checkpoint.LastCheckpoint(every, loaders, run, progress)
    trainer.last.take_lock(trainer)
    try:
        yield
    finally:
        trainer.last.release_lock()


def changed_versions(resumed: Resumed, now: Mapping[str, str]) -> str | None:
    """A warning where the versions a number may depend on are others now; None where none is."""
    before = resumed.content["run"].get("versions")
    before = before if isinstance(before, Mapping) else {}
    changed = [
        f"{key} {before.get(key)} -> {now[key]}" for key in now if before.get(key) != now[key]
    ]
    if not changed:
        return None
    return f"--resume with other versions, last digits may differ: {', '.join(changed)}"
