"""Files of tensors and plain data that show whether a single bit of them has changed.

``torch.save`` writes a zip archive. Its comment, the last bytes of the file, holds the format's
number and a digest of all bytes before it. Other programs read the file as any of torch's:
``torch.load(path, weights_only=True)``.
"""

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import write_atomically

FORMAT = 1

_SEAL = re.compile(rb"recbole_dsl format (\d{4}) blake2b ([0-9a-f]{64})\Z")
_SEAL_LENGTH = len(b"recbole_dsl format 0000 blake2b ") + 64
_END = b"PK\x05\x06"  # of the last record of a zip archive, 22 bytes without a comment
_END_LENGTH = 22


def write(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write tensors and plain data, all of it or nothing; on return it is on the disk.

    Raises:
        OSError: it cannot be written.
    """

    def make(temporary: Path) -> None:
        torch.save(dict(content), temporary)
        _seal(temporary)

    write_atomically(path, make)


def _seal(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(-_END_LENGTH, os.SEEK_END)
        if not file.read(_END_LENGTH).startswith(_END):
            raise RuntimeError("torch.save has not written a zip archive without a comment")
        file.seek(-2, os.SEEK_END)  # the length of the comment
        file.write(_SEAL_LENGTH.to_bytes(2, "little"))
        size = file.tell()
        file.write(b"recbole_dsl format %04d blake2b " % FORMAT + _digest(file, size))
        file.flush()
        os.fsync(file.fileno())


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


def read(
    source: str | os.PathLike[str] | IO[bytes], device: torch.device | str = "cpu", name: str = ""
) -> dict[str, Any]:
    """What :func:`write` has written, its tensors on a device; no code of the file is run.

    Args:
        source: a path, or a file open for reading bytes.
        name: what messages call the file; empty: its path.
    Raises:
        UsageError: the file is missing, cannot be read or is not what was written.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _read(source, device, name)
    path = Path(source)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file")
    try:
        with open(path, "rb") as file:
            return _read(file, device, name or str(path))
    except FileNotFoundError:
        raise UsageError(f"no checkpoint {path}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _read(file: IO[bytes], device: torch.device | str, name: str) -> dict[str, Any]:
    _check_seal(file, name)
    file.seek(0)
    try:
        content = torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # torch raises pickle, zip and runtime errors alike
        raise UsageError(f"{name} holds something else than tensors and plain data") from error
    if not isinstance(content, dict):
        raise UsageError(f"{name} is not a checkpoint of recbole_dsl")
    return content


def _check_seal(file: IO[bytes], name: str) -> None:
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


def _without_seal(file: IO[bytes], name: str) -> str:
    file.seek(0)
    if not zipfile.is_zipfile(file):
        return f"{name} is not a checkpoint of recbole_dsl, or not all of one"
    return (
        f"{name} is not a checkpoint of recbole_dsl, or an old one: it carries no digest, so that "
        "nobody can tell whether it is what was written"
    )
