"""A lock on the files of one run, which ends with its process, however that ends."""

import contextlib
import fcntl
import os
from pathlib import Path

_SUFFIX = ".lock"


def path_beside(checkpoint: str | os.PathLike[str]) -> Path:
    """The file that is locked, beside a run's checkpoint."""
    path = Path(checkpoint)
    return path.with_name(f".{path.stem}{_SUFFIX}")


def is_held(checkpoint: str | os.PathLike[str]) -> bool:
    """Whether a process holds the lock of a run."""
    if not path_beside(checkpoint).exists():
        return False
    lock = RunLock(checkpoint)
    free = lock.take()
    lock.release(remove=False)
    return not free


def remove_stale(folder: Path, kept_suffix: str) -> None:
    """Remove the locks of killed runs that nobody can go on with.

    Args:
        kept_suffix: that of the file beside a lock which says that somebody can.
    """
    for path in folder.glob(f".*{_SUFFIX}"):
        name = path.name.removeprefix(".").removesuffix(_SUFFIX)
        if not path.with_name(name + kept_suffix).exists():
            lock = RunLock(path.with_name(f"{name}.pth"))
            if lock.take():
                lock.release()


class RunLock:
    """The lock of the run with a checkpoint; not taken yet."""

    def __init__(self, checkpoint: str | os.PathLike[str]) -> None:
        self._path = path_beside(checkpoint)
        self._file: int | None = None

    def take(self) -> bool:
        """Take the lock; False: another process, or another run of this one, holds it.

        Where the file system knows no locks, everybody takes it.
        """
        while self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            except OSError:
                pass
            if os.fstat(file).st_nlink:
                self._file = file
            else:  # removed by another process before it was locked
                os.close(file)
        return True

    def release(self, *, remove: bool = True) -> None:
        """Release the lock, if it was taken, and remove its file."""
        if self._file is not None:
            if remove:
                with contextlib.suppress(OSError):
                    self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None
