"""The settings file of a dataset, ``dataset/<name>/<name>.yaml``, as commands write it.

A run of that dataset reads the file by itself, so that what a command has found out about the
files need not be said again: which columns there are, which parts a ready split has.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from recbole_dsl.common.errors import UsageError

# What the settings that are written mean, as in the property files: (type) meaning.
_MEANINGS = {
    "benchmark_filename": "(list) The parts of the ready split; None: the whole file is split.",
    "field_separator": "(str) What separates the columns.",
    "seq_separator": "(str) What separates the values of a sequence.",
    "ITEM_ID_FIELD": "(str) The column of the item ids.",
    "load_col": "(dict) The columns that are read, of each file.",
    "TIME_FIELD": "(str) The column of the times.",
    "USER_ID_FIELD": "(str) The column of the user ids.",
}
_FIRST = "# Settings of {name}, written by recbole_dsl {command} [{digest}]; a run reads them"
_WRITTEN = re.compile(r"# Settings of .+, written by recbole_dsl \w+ \[([0-9a-f]{16})\]; ")
_SECOND = (
    "# by --dataset={name}. Config files, a config dict and the command line win over them.\n"
    "# Change and add what you like: where this file is written again, a changed one is kept.\n"
)


def path_in(folder: Path) -> Path:
    """The settings file of the dataset in a folder."""
    return folder / f"{folder.name}.yaml"


def files_of(
    folder: Path, command: str, settings: Mapping[str, Any]
) -> tuple[dict[str, bytes], list[str]]:
    """The files that give a dataset its settings.

    Args:
        folder: of the dataset; it need not be there yet.
        command: which one writes it, such as ``import``. settings: plain data.
    Returns:
        (name -> content; sentences about them). Beside the settings file this is the one that was
        there before, under a name that is free, unless it is as a command has written it.
    Raises:
        UsageError: the file that is there cannot be read.
    """
    path = path_in(folder)
    files = {path.name: _text(folder.name, command, settings).encode()}
    old = _changed_by_hand(path)
    if old is None:
        return files, []
    number, name = 1, f"{path.name}.old"
    while path.with_name(name).exists():
        number += 1
        name = f"{path.name}.old{number}"
    said = f"{path.name} had been written or changed by hand: it is kept as {name}"
    return {**files, name: old}, [said]


def _text(name: str, command: str, settings: Mapping[str, Any]) -> str:
    name = name if name.isprintable() else repr(name)  # in one line of comment
    body = _SECOND.format(name=name) + "".join(_line(*item) for item in settings.items())
    return f"{_FIRST.format(name=name, command=command, digest=_digest(body))}\n{body}"


def _changed_by_hand(path: Path) -> bytes | None:
    """The content of a settings file; None where there is none, or it is as a command wrote it."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    first, _, body = content.decode("utf-8", "replace").partition("\n")
    written = _WRITTEN.match(first)
    return None if written is not None and written[1] == _digest(body) else content


def read_line(name: str, settings: Mapping[str, Any]) -> str:
    """A line for the terminal: what a run of the dataset reads from its settings file."""
    said = "; ".join(f"{key}: {_inline(value)}" for key, value in settings.items())
    return f"--dataset={name} reads {name}.yaml: {said}"


def _line(key: str, value: Any) -> str:
    meaning = _MEANINGS.get(key)
    return f"{key}: {_inline(value)}" + (f"  # {meaning}" if meaning else "") + "\n"


def _inline(value: Any) -> str:
    """A value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
