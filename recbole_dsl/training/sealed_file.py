"""Files of tensors and plain data that show whether a single bit of them has changed.

``torch.save`` writes a zip archive; :mod:`recbole_dsl.common.seal` puts a digest at its end. Other
programs read the file as any of torch's: ``torch.load(path, weights_only=True)``.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import write_atomically
from recbole_dsl.common.seal import check_seal, read_file, seal


def write(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write tensors and plain data, all of it or nothing; on return it is on the disk.

    Raises:
        OSError: it cannot be written.
    """

    def make(temporary: Path) -> None:
        torch.save(dict(content), temporary)
        seal(temporary)

    write_atomically(path, make)


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
    return read_file(source, lambda file: _read(file, device, name or str(source)))


def _read(file: IO[bytes], device: torch.device | str, name: str) -> dict[str, Any]:
    check_seal(file, name)
    file.seek(0)
    try:
        content = torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # torch raises pickle, zip and runtime errors alike
        raise UsageError(f"{name} holds something else than tensors and plain data") from error
    if not isinstance(content, dict):
        raise UsageError(f"{name} is not a checkpoint of recbole_dsl")
    return content
