"""Files that are written whole or not at all."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from recbole_dsl.common.errors import UsageError


@contextlib.contextmanager
def replacing(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Write several files together: yields a temporary path for each, moved to it at the end.

    Where the block raises, what was there before is left and the temporary files are removed.
    """
    targets = [Path(path) for path in paths]
    temporary = [path.with_name(f".{path.name}.{os.getpid()}.part") for path in targets]
    try:
        for folder in {path.parent for path in targets}:
            folder.mkdir(parents=True, exist_ok=True)
        yield temporary
        for source, target in zip(temporary, targets, strict=True):
            os.replace(source, target)
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike[str], write: Callable[[Path], object]) -> None:
    """Call write(temporary path), then move that file to path: path is never half written."""
    with replacing([Path(path)]) as [temporary]:
        write(temporary)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise UsageError now if the result could not be written after hours of training."""
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"result_file {path} is a folder, not a file")
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"result_file {path}: cannot make {folder}: {error.strerror}") from error
