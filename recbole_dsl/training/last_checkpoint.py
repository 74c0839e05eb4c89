"""The state of a training on disk, from time to time, beside the checkpoint of its best epoch."""

import io
import math
import os
import time
from collections.abc import Mapping, Sequence
from logging import getLogger
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

from recbole_dsl._version import __version__
from recbole_dsl.common import distributed
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import write_atomically
from recbole_dsl.training import checkpoint, run_lock, sealed_file, training_state

SUFFIX = ".last.pth"
AUTO = "auto"
MOST_OF_THE_TIME = 0.02  # that ``checkpoint_every: auto`` may take
_BYTES_PER_SECOND = 50e6  # of a disk that has not been measured yet; most are faster

_ENTRIES: dict[str, type | tuple[type, ...]] = {
    "recbole_dsl": str,
    "run": dict,
    "epoch": int,
    "seconds": float,
    "resumed_after": list,
    "best": (torch.Tensor, type(None)),
    "state": dict,
    "generators": list,
}


def start_of_name(config: Any) -> str:
    """How the names of all checkpoints of a model on a dataset begin."""
    return f"{config['model']}-{config['dataset']}-"


def path_beside(best: str | os.PathLike[str]) -> Path:
    """Where the last state is kept beside a best checkpoint."""
    return Path(best).with_suffix(SUFFIX)


def best_beside(last: str | os.PathLike[str]) -> Path:
    """The inverse of :func:`path_beside`."""
    last = Path(last)
    return last.with_name(last.name.removesuffix(SUFFIX) + ".pth")


def read(source: str | os.PathLike[str] | IO[bytes], name: str = "") -> dict[str, Any]:
    """The content of a file of :class:`LastCheckpoint`, on the CPU.

    Args:
        source: its path, or a file open for reading bytes. name: what messages call it; empty: the
            path.
    Raises:
        UsageError: the file is missing or not what was written.
    """
    name = name or str(source)
    content = sealed_file.read(source, name=name)
    checkpoint.check_entries(content, _ENTRIES, name)
    return content


class Progress(NamedTuple):
    """How far a training had come when its state was kept.

    Attributes:
        epoch: number of the last epoch that was done. seconds: that the run had taken by then.
        resumed_after: epochs after which it had been resumed before.
    """

    epoch: int
    seconds: float
    resumed_after: list[int]


class LastCheckpoint:
    """Writes the state of a training between epochs; removed where the run has come to its end.

    With it the best checkpoint is kept as it was at that time: later epochs may replace the file,
    and on a GPU they may not come out alike a second time.

    Args:
        every: epochs from one writing to the next, "auto": as often as takes at most 2 % of the
            training's time, or 0: never.
        loaders: those of all parts.
        run: what must be the same when the run goes on, plain data; see
            :mod:`recbole_dsl.experiments.resume`.
        before: where the run goes on from an earlier one.

    Attributes:
        resumed_after: epochs after which this run has been resumed.
        seconds_before: how long it had taken before it was resumed.
    """

    def __init__(
        self,
        every: int | str,
        loaders: Sequence[Any],
        run: Mapping[str, Any],
        before: Progress | None = None,
    ) -> None:
        self._every, self._loaders, self._run = every, loaders, run
        self._started = time.perf_counter()
        self.seconds_before = 0.0 if before is None else before.seconds
        self.resumed_after = [] if before is None else [*before.resumed_after, before.epoch]
        self._spent = self._next = 0.0
        self._measured = False
        self._lock: run_lock.RunLock | None = None

    @property
    def seconds(self) -> float:
        """How long training has taken, with the time before it was resumed."""
        return self.seconds_before + time.perf_counter() - self._started

    def take_lock(self, trainer: Any) -> None:
        """Let no other process go on with this run while this one trains.

        Raises:
            UsageError: another one does.
        """
        path = Path(trainer.saved_model_file)
        self._lock = run_lock.RunLock(path)
        if not distributed.world().main:
            return
        run_lock.remove_stale(path.parent, SUFFIX)
        if not self._lock.take():
            raise UsageError(f"{path}: another process trains this run")

    def release_lock(self) -> None:
        """Training has ended, in whatever way."""
        if self._lock is not None:
            self._lock.release()

    def epoch_done(self, trainer: Any, epoch: int) -> None:
        """Called after each epoch, in all processes; writes the state where it is time to."""
        if not distributed.from_main(self._is_due(trainer, epoch)):
            return
        begin = time.perf_counter()
        generators = training_state.capture_generators(trainer, self._loaders)
        all_generators = distributed.from_all(generators)
        if distributed.world().main:
            self._write(trainer, epoch, all_generators)
        self._next = time.perf_counter() - begin
        self._spent += self._next
        self._measured = True

    def remove(self, trainer: Any) -> None:
        """Remove the file: the run has ended well, and there is nothing to go on with."""
        if distributed.world().main:
            path_beside(trainer.saved_model_file).unlink(missing_ok=True)

    def _is_due(self, trainer: Any, epoch: int) -> bool:
        if self._every == 0:
            return False
        if self._every != AUTO:
            return (epoch + 1) % int(self._every) == 0
        if not self._measured:
            self._next = 0.02 + _bytes_of(trainer) / _BYTES_PER_SECOND
        elapsed = time.perf_counter() - self._started
        return self._spent + self._next <= MOST_OF_THE_TIME * elapsed

    def _write(self, trainer: Any, epoch: int, generators: list[Any]) -> None:
        best = Path(trainer.saved_model_file)
        kept = None
        if trainer.recorder.best_epoch is not None and best.is_file():
            kept = torch.frombuffer(bytearray(best.read_bytes()), dtype=torch.uint8)
        content = {
            "recbole_dsl": __version__,
            "run": dict(self._run),
            "epoch": epoch,
            "seconds": self.seconds,
            "resumed_after": self.resumed_after,
            "best": kept,
            "state": training_state.capture(trainer),
            "generators": generators,
        }
        path = path_beside(best)
        sealed_file.write(path, content)
        getLogger().debug(f"state after epoch {epoch}: {path}")


def resume(
    trainer: Any, path: str | os.PathLike[str], content: Mapping[str, Any], loaders: Sequence[Any]
) -> Progress:
    """Let a new trainer go on where another one stopped, and put the best checkpoint back.

    Args:
        path, content: of the file that :class:`LastCheckpoint` has left.
        loaders: those of all parts, as the other one had them.
    Raises:
        UsageError: the file is not of this model, or not what was written.
    """
    name = str(path)
    rank, size = distributed.world().rank, distributed.world().size
    try:
        if len(content["generators"]) != size:
            raise ValueError("another number of processes")
        training_state.restore(trainer, content["state"], name)
        training_state.restore_generators(trainer, loaders, content["generators"][rank])
        progress = Progress(
            content["epoch"], content["seconds"], [int(n) for n in content["resumed_after"]]
        )
        if not (progress.epoch >= 0 and math.isfinite(progress.seconds)):
            raise ValueError("no epoch is done")
    except UsageError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise UsageError(f"{path} holds no state of such a training of {_name(trainer)}") from error
    trainer.start_epoch = progress.epoch + 1
    trainer.saved_model_file = str(best_beside(path))
    _put_best_back(trainer, content["best"], name)
    return progress


def _put_best_back(trainer: Any, best: torch.Tensor | None, name: str) -> None:
    if best is None or not distributed.world().main:
        return
    kept = best.numpy().tobytes()
    found = checkpoint.read(io.BytesIO(kept), name=f"the best checkpoint in {name}")
    if found["epoch"] != trainer.recorder.best_epoch:
        raise UsageError(f"{name}: its best checkpoint is not that of the best epoch")
    write_atomically(trainer.saved_model_file, lambda temporary: temporary.write_bytes(kept))


def _name(trainer: Any) -> str:
    return str(trainer.config["model"])


def _bytes_of(trainer: Any) -> int:
    """About how large the file will be: weights and two moments of its own and of the best."""
    sizes = (x.numel() * x.element_size() for x in trainer.model.state_dict().values())
    return 6 * sum(sizes)
