"""Several files that change together: a folder has all the new ones, or all the old ones."""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from recbole_dsl.common.files import (
    if_abandoned,
    naming,
    new_folders,
    remove,
    sync,
    temporary_folder,
)

_Path = str | os.PathLike[str]
# Of Linux's renameat2: paths are relative to the current folder; the two names are exchanged.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def updated_folder(folder: _Path, without: Iterable[str] = ()) -> Iterator[Path]:
    """Put several files into a folder together: yields an empty folder to write them to.

    At the end the folder has these files beside those it had, in one step: Linux exchanges two
    folders at once. Where its file system cannot, the folder is away for a moment, and what was in
    it is put back by the next call. Where the block raises, nothing has changed.

    Args:
        without: names of files that the folder loses in the same step.
    Raises:
        WriteError: the files cannot be written.
    """
    shown, folder = Path(folder), Path(os.path.realpath(folder))
    with naming(shown), new_folders(folder.parent):
        _put_back(folder)
        with temporary_folder(folder) as made:
            yield made
            for path in made.iterdir():
                sync(path)
            if folder.exists():
                _exchange_folders(folder, made, set(without))
            else:
                sync(made)
                os.rename(made, folder)
            sync(folder.parent)


def _exchange_folders(folder: Path, made: Path, without: set[str]) -> None:
    """Give made the folder's name, and what else the folder holds; made is then the old one."""
    _link_missing(folder, made, without)
    sync(made)
    old = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(old, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is about to be temporary
        if not _exchange(folder, made):
            aside = made.with_suffix(".old")
            os.rename(folder, aside)
            os.rename(made, folder)
            os.rename(aside, made)
        _link_missing(made, folder, without)  # what came into the old one meanwhile
    finally:
        os.close(old)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two folders in one step; False where this cannot be done here."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EXDEV):
        return False
    raise OSError(number, os.strerror(number))


def _put_back(folder: Path) -> None:
    """Undo, or end, an exchange in several steps that was cut short."""
    if not folder.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(folder.name[:50])}\.[0-9a-f]{{8}}\.old")
    for aside in [path for path in folder.parent.iterdir() if name.fullmatch(path.name)]:
        if_abandoned(aside, remove if folder.exists() else lambda path: os.rename(path, folder))


def _link_missing(source: Path, target: Path, without: set[str]) -> None:
    """Let target have what source has and it lacks, as links to the same files where possible."""
    shutil.copystat(source, target)
    for path in source.iterdir():
        other = target / path.name
        if path.name in without or os.path.lexists(other):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, other, symlinks=True, copy_function=_link)
        else:
            _link(path, other)


def _link(source: _Path, target: _Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # a file system without links
        shutil.copy2(source, target, follow_symlinks=False)
