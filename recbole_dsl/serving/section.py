"""What serving needs of a trained model: a section of its checkpoint, and how it is read.

A checkpoint is a zip archive that ``torch.save`` has written; the section is further entries of it,
``<archive>/serving/...``, plain arrays in NumPy's format, before the digest of the whole. torch
does not look at them, and they are read without torch. They are written once, after training: while
it goes on, vectors and seen items would be written anew with each better epoch, and vectors of a
graph's backbone would have to be computed.
"""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recbole_dsl.common import seal
from recbole_dsl.common.errors import UsageError

Floats = npt.NDArray[np.floating[Any]]
Array = npt.NDArray[Any]

SCORES = ("cosine", "dot")

_FOLDER = "serving"
_META = "meta.json"
# What the meta data hold: key -> types.
_META_ENTRIES: dict[str, type | tuple[type, ...]] = {
    "recbole_dsl": str,
    "model": str,
    "dataset": str,
    "epoch": (int, type(None)),
    "score": (str, type(None)),
    "parts": list,
    "why_none": (str, type(None)),
}
# What reading a made-up archive may raise beside UsageError.
_MADE_UP = (
    zipfile.BadZipFile, KeyError, ValueError, TypeError, OverflowError, EOFError, RuntimeError,
    MemoryError, RecursionError, IndexError,
)  # fmt: skip
_COPIED = 1 << 24  # bytes of an array that are read at once


class ItemLists(NamedTuple):
    """Items of each of U users.

    Attributes:
        starts: (U + 1,) int64. Where a user's items begin; the last one is P.
        items: (P,) int32. Positions of items by user, ascending within a user.
    """

    starts: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]

    def of(self, users: npt.NDArray[np.int64]) -> tuple[Array, Array]:
        """The items of (B,) users, flat: (rows, items), both (P,), rows in [0, B)."""
        starts, counts = self.starts[users], self.starts[users + 1] - self.starts[users]
        rows = np.repeat(np.arange(len(users)), counts)
        first = counts.cumsum() - counts  # where each row's items begin in the flat list
        return rows, self.items[starts[rows] + np.arange(len(rows)) - first[rows]]


def item_lists(users: Array, items: Array, n_users: int, n_items: int) -> ItemLists:
    """The distinct items of each user, from (E,) positions of users and of items."""
    codes = np.unique(users.astype(np.int64) * n_items + items)
    starts = np.zeros(n_users + 1, np.int64)
    np.cumsum(np.bincount(codes // n_items, minlength=n_users), out=starts[1:])
    return ItemLists(starts, (codes % n_items).astype(np.int32))


class Section(NamedTuple):
    """A trained model as serving has it; positions count from 0, without RecBole's padding.

    Attributes:
        meta: ``recbole_dsl``, its version; ``model``, ``dataset``, ``epoch``, the best one; and
            ``score``, "cosine" or "dot".
        user_ids, item_ids: (U,), (I,) object. Ids as the data have them.
        user_vectors, item_vectors: (U, D), (I, D) floats, whose inner products are the scores:
            of unit length where these are cosines.
        seen: part of the data, such as train, valid or test -> each user's items in it.
        digest: of the checkpoint that it was read from, hexadecimal; None: it was not read.
    """

    meta: dict[str, Any]
    user_ids: Array
    item_ids: Array
    user_vectors: Floats
    item_vectors: Floats
    seen: dict[str, ItemLists]
    digest: str | None = None


# Writing -----------------------------------------------------------------------------------------


def append(path: str | os.PathLike[str], section: Section) -> None:
    """Give a checkpoint its section, all of it or nothing.

    Raises:
        UsageError: it is not what was written. OSError: it cannot be written.
    """
    meta = {**section.meta, "parts": list(section.seen), "why_none": None}
    arrays: dict[str, Array] = {
        "user_vectors": section.user_vectors,
        "item_vectors": section.item_vectors,
        **_encoded("user_ids", section.user_ids),
        **_encoded("item_ids", section.item_ids),
    }
    for number, lists in enumerate(section.seen.values()):
        arrays |= {f"seen_{number}.starts": lists.starts, f"seen_{number}.items": lists.items}
    _append(path, meta, arrays)


def append_none(path: str | os.PathLike[str], meta: Mapping[str, Any], why: str) -> None:
    """Note in a checkpoint that its model cannot be served, and why.

    Raises:
        As :func:`append`.
    """
    _append(path, {**meta, "score": None, "parts": [], "why_none": why}, {})


def _append(path: str | os.PathLike[str], meta: dict[str, Any], arrays: dict[str, Array]) -> None:
    def change(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "a") as archive:
            if _entries(archive):
                raise RuntimeError("the checkpoint has a section for serving already")
            folder = f"{archive.namelist()[0].partition('/')[0]}/{_FOLDER}"
            for name, array in arrays.items():
                info = zipfile.ZipInfo(f"{folder}/{name}.npy")  # its date is that of no clock
                large = array.nbytes >= 1 << 30
                with archive.open(info, "w", force_zip64=large) as file:
                    np.lib.format.write_array(
                        file, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False
                    )
            archive.writestr(zipfile.ZipInfo(f"{folder}/{_META}"), json.dumps(meta))

    seal.rewrite(path, change)


def _encoded(name: str, ids: Array) -> dict[str, Array]:
    """Texts as one array of bytes in UTF-8, and where each one ends."""
    texts = [text.encode() for text in ids]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return {f"{name}.utf8": np.frombuffer(b"".join(texts), np.uint8), f"{name}.ends": ends}


# Reading -----------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str]) -> Section:
    """The section of a checkpoint; its digest is checked, and no code of it is run.

    Raises:
        UsageError: no checkpoint, or not what was written; it has no section, or its model cannot
            be served.
    """
    name = str(path)
    return seal.read_file(path, lambda file: _read(file, name))


def _read(file: IO[bytes], name: str) -> Section:
    digest = seal.check_seal(file, name)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _entries(archive)
            if not entries:
                raise UsageError(
                    f"{name} has nothing for serving: the run has not come to its end (--resume "
                    "goes on with it), or an older version of recbole_dsl has written it"
                )
            meta = _meta(archive.read(entries[_META]))
            if meta["why_none"] is not None:
                raise UsageError(f"{name}: {meta['why_none']}")
            return _section(meta, _Arrays(archive, entries))._replace(digest=digest)
    except UsageError:
        raise
    except _MADE_UP as error:
        raise UsageError(f"{name}: its section for serving is not what was written") from error


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries of the section by their names in it."""
    found = {}
    for info in archive.infolist():
        parts = info.filename.split("/")
        if len(parts) == 3 and parts[1] == _FOLDER:
            found[parts[2]] = info
    return found


def _meta(text: bytes) -> dict[str, Any]:
    meta = json.loads(text)
    if set(meta) != set(_META_ENTRIES):
        raise ValueError("other meta data")
    for key, types in _META_ENTRIES.items():
        if not isinstance(meta[key], types):
            raise TypeError(key)
    if meta["why_none"] is None and meta["score"] not in SCORES:
        raise ValueError("no such score")
    if not all(isinstance(part, str) for part in meta["parts"]):
        raise TypeError("parts")
    return dict(meta)


class _Arrays:
    """The arrays of a section, each checked as it is read."""

    def __init__(self, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> None:
        self._archive, self._entries = archive, entries

    def read(self, name: str, *dtypes: type[np.generic], ndim: int = 1) -> Array:
        """An array of one of these types; ValueError where it is another one."""
        info = self._entries[f"{name}.npy"]
        with self._archive.open(info) as file:
            np.lib.format.read_magic(file)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            size = info.file_size - file.tell()
            count = int(np.prod(shape, dtype=object))
            fits = info.compress_type == zipfile.ZIP_STORED and count * dtype.itemsize == size
            if dtype not in dtypes or fortran or len(shape) != ndim or not fits:
                raise ValueError(name)
            array = np.empty(shape, dtype)
            place = array.reshape(-1).view(np.uint8).data
            for start in range(0, size, _COPIED):
                place[start : start + _COPIED] = file.read(min(_COPIED, size - start))
        return array


def _section(meta: dict[str, Any], arrays: _Arrays) -> Section:
    vectors = {}
    for name in ("user_vectors", "item_vectors"):
        vectors[name] = arrays.read(name, np.float32, np.float64, ndim=2)
        if not all(bool(np.isfinite(block).all()) for block in _blocks(vectors[name])):
            raise ValueError(f"{name} are not finite numbers")
    ids = {name: _decoded(name, arrays) for name in ("user_ids", "item_ids")}
    users, items = vectors["user_vectors"], vectors["item_vectors"]
    size = (len(users), len(items))
    if (len(ids["user_ids"]), len(ids["item_ids"])) != size or users.shape[1] != items.shape[1]:
        raise ValueError("sizes differ")
    if users.dtype != items.dtype:
        raise ValueError("types differ")
    seen = {
        part: _lists(f"seen_{number}", arrays, *size) for number, part in enumerate(meta["parts"])
    }
    shown = {key: meta[key] for key in ("recbole_dsl", "model", "dataset", "epoch", "score")}
    return Section(shown, ids["user_ids"], ids["item_ids"], users, items, seen)


def _blocks(array: Array) -> Iterator[Array]:
    step = max(_COPIED // (array.itemsize * max(array.shape[1], 1)), 1)
    return (array[start : start + step] for start in range(0, len(array), step))


def _decoded(name: str, arrays: _Arrays) -> Array:
    data, ends = (
        arrays.read(f"{name}.utf8", np.uint8).tobytes(),
        arrays.read(f"{name}.ends", np.int64),
    )
    starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    if len(ends) and (ends[-1] != len(data) or starts.min() < 0 or (ends < starts).any()):
        raise ValueError(name)
    found = np.empty(len(ends), object)
    found[:] = [
        data[start:end].decode() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    if len(set(found)) < len(found):
        raise ValueError(f"{name} repeat")
    return found


def _lists(name: str, arrays: _Arrays, n_users: int, n_items: int) -> ItemLists:
    starts = arrays.read(f"{name}.starts", np.int64)
    items = arrays.read(f"{name}.items", np.int32)
    if len(starts) != n_users + 1 or starts[0] != 0 or starts[-1] != len(items):
        raise ValueError(name)
    if (np.diff(starts) < 0).any():
        raise ValueError(name)
    if len(items) and (items.min() < 0 or items.max() >= n_items):
        raise ValueError(name)
    return ItemLists(starts, items)
