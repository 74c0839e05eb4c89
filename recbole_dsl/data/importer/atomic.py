"""RecBole's atomic .inter files: which ids come back from them unchanged, and writing them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from recbole_dsl.common.file_sets import updated_folder

CHUNK = 2_000  # rows at a time; few enough to stay in the cache of the processor
FIELDS = {
    "user": "user_id:token",
    "item": "item_id:token",
    "rating": "rating:float",
    "timestamp": "timestamp:float",
}

# What pandas, through which RecBole reads, takes for a missing value in any of its versions.
MISSING = {
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass
class Interactions:
    """Rows of one file: codes of users and items, (N,) int32; numbers, (N,) float64, or None."""

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    rating: npt.NDArray[np.float64] | None = None
    timestamp: npt.NDArray[np.float64] | None = None


class BadValue(ValueError):
    """A field that cannot be used; ``value`` as it was read, str() the reason."""

    def __init__(self, value: object, reason: str) -> None:
        super().__init__(reason)
        self.value = value


def token(value: str) -> str:
    """An id as RecBole will read it back from an atomic file: text without blanks around it.

    Raises:
        BadValue: RecBole would read something else, or nothing.
    """
    text = value.strip()
    if not text:
        raise BadValue(value, "is empty")
    if _CONTROL.search(text):
        raise BadValue(value, "holds a tab, a line break or another control character")
    if text in MISSING:
        raise BadValue(value, "is what RecBole reads as a missing value; rename that id")
    if text == "[PAD]":
        raise BadValue(value, "is RecBole's own padding id; rename that id")
    return text


def progress(what: str, total: int) -> tqdm:
    """A bar on stderr where that is a terminal, else nothing."""
    form = "{desc}: {percentage:3.0f}%|{bar:30}| {elapsed}<{remaining}"
    return tqdm(desc=what, total=total, disable=None, leave=False, bar_format=form)


def _quoted(token: str) -> str:
    """As RecBole's read_csv undoes it; a quote inside would else begin or end a quoted field."""
    return '"' + token.replace('"', '""') + '"' if '"' in token else token


def _texts(numbers: npt.NDArray[np.float64]) -> Iterator[str]:
    """Floats as short as they read back exactly, without .0 where all are integers."""
    if np.all((numbers == np.rint(numbers)) & (np.abs(numbers) < 2**53)):
        return map(str, numbers.astype(np.int64).tolist())
    return map(repr, numbers.tolist())


def _write_part(
    path: Path,
    part: Interactions,
    users: npt.NDArray[np.object_],
    items: npt.NDArray[np.object_],
    bar: tqdm,
) -> None:
    """One atomic file of Interactions; users and items are arrays code -> text."""
    roles = [role for role in FIELDS if getattr(part, role) is not None]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(FIELDS[role] for role in roles) + "\n")
        for start in range(0, len(part.user), CHUNK):
            rows = slice(start, start + CHUNK)
            columns: list[Any] = [users[part.user[rows]], items[part.item[rows]]]
            columns += [_texts(getattr(part, role)[rows]) for role in roles[2:]]
            file.write("\n".join(map("\t".join, zip(*columns, strict=True))) + "\n")
            bar.update(len(columns[0]))


def write_atomic_files(
    parts: Mapping[str, Interactions],
    targets: Mapping[str, Path],
    users: Sequence[str],
    items: Sequence[str],
    *,
    others: Mapping[str, bytes],
    without: Iterable[str] = (),
) -> None:
    """Write parts (name -> Interactions) to targets (name -> path): all of them, or none.

    Args:
        targets: paths in one folder.
        users, items: the ids by code.
        others: other files of the folder that are written in the same step, name -> content.
        without: names of files that the folder loses in the same step.
    Raises:
        WriteError: they cannot be written; what was there before is left.
    """
    user_texts, item_texts = (
        np.array([_quoted(id_) for id_ in ids], dtype=object) for ids in (users, items)
    )
    rows = sum(len(part.user) for part in parts.values())
    folder = next(iter(targets.values())).parent
    with updated_folder(folder, without) as made, progress("writing", rows) as bar:
        for name, part in parts.items():
            _write_part(made / targets[name].name, part, user_texts, item_texts, bar)
        for name, content in others.items():
            (made / name).write_bytes(content)
