"""A digest at the end of a zip archive, which shows whether a single bit of it has changed.

The archive's comment, the last bytes of the file, holds the format's number and a digest of all
bytes before it. Needs no torch: whoever reads other entries than torch's need not load it.
"""

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import write_atomically

FORMAT = 1

_SEAL = re.compile(rb"recbole_dsl format (\d{4}) blake2b ([0-9a-f]{64})\Z")
_SEAL_LENGTH = len(b"recbole_dsl format 0000 blake2b ") + 64
_END = b"PK\x05\x06"  # of the last record of a zip archive, 22 bytes without a comment
_END_LENGTH = 22

T = TypeVar("T")


def seal(path: Path) -> None:
    """Write the digest as the comment of an archive that has none.

    Raises:
        RuntimeError: the file does not end as an archive without a comment does.
    """
    with open(path, "r+b") as file:
        file.seek(-_END_LENGTH, os.SEEK_END)
        if not file.read(_END_LENGTH).startswith(_END):
            raise RuntimeError("what is to be sealed is no zip archive without a comment")
        file.seek(-2, os.SEEK_END)  # the length of the comment
        file.write(_SEAL_LENGTH.to_bytes(2, "little"))
        size = file.tell()
        file.write(b"recbole_dsl format %04d blake2b " % FORMAT + _digest(file, size))
        file.flush()
        os.fsync(file.fileno())


def rewrite(path: str | os.PathLike[str], change: Callable[[Path], object]) -> None:
    """Replace a sealed file by itself with a change, all of it or nothing.

    Args:
        change: called with the path of a copy without the seal; it is sealed afterwards.
    Raises:
        UsageError: the file is not what was written. OSError: it cannot be written.
    """

    def make(temporary: Path) -> None:
        with opened(path) as file:
            check_seal(file, str(path))
        shutil.copyfile(path, temporary)
        with open(temporary, "r+b") as file:
            file.truncate(file.seek(-_SEAL_LENGTH, os.SEEK_END))
            file.seek(-2, os.SEEK_END)
            file.write(bytes(2))
        change(temporary)
        seal(temporary)

    write_atomically(path, make)


def read_file(path: str | os.PathLike[str], read: Callable[[IO[bytes]], T]) -> T:
    """read(file) of a file open for reading bytes.

    Raises:
        UsageError: the file is missing, none, or the system refuses it.
    """
    try:
        with opened(path) as file:
            return read(file)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """A checkpoint open for reading bytes.

    Raises:
        UsageError: it is missing or no file. OSError: the system refuses it.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file")
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise UsageError(f"no checkpoint {path}") from None


def check_seal(file: IO[bytes], name: str) -> str:
    """Read a whole file and compare its digest; the file stands anywhere afterwards.

    Args:
        name: what messages call the file.
    Returns:
        The digest, 64 hexadecimal digits.
    Raises:
        UsageError: the file has no digest, one of another format, or another one than its bytes.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _SEAL_LENGTH, 0))
    found = _SEAL.match(file.read(_SEAL_LENGTH))
    if found is None:
        raise UsageError(_without_seal(file, name))
    if int(found[1]) != FORMAT:
        raise UsageError(
            f"{name} has format {int(found[1])}; this version of recbole_dsl reads {FORMAT}"
        )
    if _digest(file, size - _SEAL_LENGTH) != found[2]:
        raise UsageError(f"{name} is damaged: it is not what was written (its digest differs)")
    return found[2].decode()


def _digest(file: IO[bytes], size: int) -> bytes:
    """Hexadecimal digits of the first bytes of a file; the file stands behind them afterwards."""
    total = hashlib.blake2b(digest_size=32)
    file.seek(0)
    while size:
        block = file.read(min(size, 1 << 24))
        if not block:
            break
        total.update(block)
        size -= len(block)
    return total.hexdigest().encode()


def _without_seal(file: IO[bytes], name: str) -> str:
    file.seek(0)
    if not zipfile.is_zipfile(file):
        return f"{name} is not a checkpoint of recbole_dsl, or not all of one"
    return (
        f"{name} is not a checkpoint of recbole_dsl, or an old one: it carries no digest, so that "
        "nobody can tell whether it is what was written (RecBole's own .pth files are pickles, "
        "which can run code as they are read: train again)"
    )
