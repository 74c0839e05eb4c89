"""Files that are written whole or not at all, also where a process or the machine dies.

What is written goes to a temporary place beside the target, then to the disk, then takes the
target's name. A temporary place is locked while its process lives, so that what a killed process
has left is known, and removed by the next one that writes there.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from recbole_dsl.common.errors import UsageError, WriteError

_Path = str | os.PathLike[str]
_STALE = re.compile(r"\..+\.[0-9a-f]{8}\.part")
_PROBE = bytes(1 << 16)


def write_atomically(path: _Path, write: Callable[[Path], object]) -> None:
    """Call write(temporary path), then move that file to path: path is never half written.

    Raises:
        WriteError: it cannot be written, or path is no regular file; what was there before is left.
    """
    write_together({path: write})


def write_together(writes: Mapping[_Path, Callable[[Path], object]]) -> None:
    """:func:`write_atomically` for several files: none is replaced before all are on the disk."""
    with contextlib.ExitStack() as stack:
        whole = {
            Path(path): stack.enter_context(_whole(Path(path), write))
            for path, write in writes.items()
        }
        for path, temporary in whole.items():
            with naming(path):
                os.replace(temporary, path)
        for folder in {path.parent for path in whole}:
            with naming(folder):
                sync(folder)


@contextlib.contextmanager
def _whole(path: Path, write: Callable[[Path], object]) -> Iterator[Path]:
    """A temporary file beside path with all that write writes, on the disk."""
    if reason := _why_not_regular(path):
        raise WriteError(f"cannot write {path}: it is {reason}")
    with naming(path), new_folders(path.parent), _temporary(path, _make_file) as temporary:
        try:
            write(temporary)
        except Exception as error:
            hidden = None if isinstance(error, OSError) else _probe(temporary)
            if hidden is None:
                raise
            raise hidden from error  # a full disk, of which torch says only where in its code
        sync(temporary)
        yield temporary


@contextlib.contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside target, removed at the end if it is still there under its name."""
    with _temporary(target, _make_folder) as made:
        yield made


def check_writable(path: _Path, setting: str = "result_file") -> None:
    """Find out now, by a test write, whether a file could be written after hours of training.

    Nothing is left behind, and no folder is made.

    Raises:
        UsageError: path is a folder, a link, or no regular file. WriteError: the system refuses.
    """
    path = Path(path)
    if reason := _why_not_regular(path):
        raise UsageError(f"{setting} {path} is {reason}, not a file")
    check_folder_writable(path.parent)


def check_folder_writable(folder: _Path) -> None:
    """Find out now, by a test write, whether files could be written to a folder, or it be made.

    Raises:
        WriteError: the system refuses.
    """
    folder = Path(folder)
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    with naming(folder), _temporary(there / "test", _make_file) as temporary:
        if error := _probe(temporary):
            raise error


def remove_stale(folder: Path) -> None:
    """Remove what processes that were killed have left in a folder of temporary files."""
    try:
        names = [entry.name for entry in os.scandir(folder) if _STALE.fullmatch(entry.name)]
    except OSError:
        return
    for name in names:
        if_abandoned(folder / name, remove)


def system_words(error: OSError) -> str:
    """The system's words on an error, after the file they are about where it is known."""
    words = error.strerror or str(error) or type(error).__name__
    return words if error.filename is None else f"{error.filename}: {words}"


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError of the block becomes a WriteError that names the path."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def new_folders(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; where the block raises, those made are removed again."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:  # one of them is a file
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
        yield
    except BaseException:
        for path in missing:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _why_not_regular(path: Path) -> str:
    """What a path is that must not be replaced by a file; empty for a file, and for nothing."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return ""
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "" if stat.S_ISREG(mode) else "a device, a pipe or a socket"


# Temporary files and folders -----------------------------------------------------------------


def _make_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)


def _make_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY)


@contextlib.contextmanager
def _temporary(target: Path, make: Callable[[Path], int]) -> Iterator[Path]:
    """A locked file or folder beside target, removed at the end if its name is still there."""
    remove_stale(target.parent)
    while True:
        path = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}.part")
        place = make(path)
        with contextlib.suppress(OSError):  # a file system without locks: nothing is stale there
            fcntl.flock(place, fcntl.LOCK_EX)
        if os.fstat(place).st_nlink:
            break
        os.close(place)  # another process took it for stale before it was locked
    try:
        yield path
    finally:
        remove(path)
        os.close(place)


def if_abandoned(path: Path, do: Callable[[Path], object]) -> None:
    """Call do(path) if no process has it locked."""
    with contextlib.suppress(OSError):
        place = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            do(path)
        finally:
            os.close(place)


def remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _probe(path: Path) -> OSError | None:
    """What the system says to more bytes in a file; None where it takes them."""
    try:
        with open(path, "ab") as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk."""
    place = os.open(path, os.O_RDONLY)
    try:
        os.fsync(place)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems do not take it of a folder
            raise
    finally:
        os.close(place)
