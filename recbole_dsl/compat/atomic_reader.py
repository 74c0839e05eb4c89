"""Reading atomic files with pandas' C parser where it gives what RecBole's reader gives.

RecBole uses pandas' Python parser. The C parser gives the same frame several times faster, save for
a few files: those with quotes, with carriage returns inside lines, with lines that begin with a
blank, with separators of several characters, or with numbers as only Python writes them (1_000).
Such files are read by RecBole's reader, and the log says why. Rows are checked before either reads.
"""

import contextlib
import contextvars
import mmap
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recbole_dsl.compat.atomic_rows import check_rows

# Rows that are held as text at a time.
_CHUNK = 1 << 20

_TOKEN = ":token"  # how RecBole's headers mark a column of ids

_as_categories = contextvars.ContextVar("as_categories", default=False)


@contextlib.contextmanager
def tokens_as_categories() -> Iterator[None]:
    """Inside, :func:`read_csv` returns columns of tokens as categoricals, in order of appearance.

    RecBole's loader calls ``read_csv`` itself. A caller of the loader says by this context that it
    can work with integer codes in place of a string for every row.
    """
    token = _as_categories.set(True)
    try:
        yield
    finally:
        _as_categories.reset(token)


def obstacle(path: str | os.PathLike[str], delimiter: str) -> str | None:
    """Why the C parser might not give what the Python parser gives; None where it will."""
    if len(delimiter) != 1 or delimiter in ' "\r\n':
        return f"the separator {delimiter!r}"
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for mark, what in ((b'"', "quotes"), (b"\n ", "a leading blank")):
            if text.find(mark) >= 0:
                return what
        if delimiter != "\t" and text.find(b"\n\t") >= 0:
            return "a leading blank"
        if text.find(b"\r") >= 0 and re.search(rb"\r(?!\n)", text):
            return "carriage returns inside lines"
    return None


def read_csv(
    path: str | os.PathLike[str],
    *,
    delimiter: str,
    usecols: Sequence[str],
    dtype: Mapping[str, type],
    encoding: str | None,
    engine: str,
) -> pd.DataFrame:
    """What ``pandas.read_csv`` gives for RecBole's arguments, faster, where every row has the
    header's number of fields.

    Args:
        usecols: column names, in the order of the file.
        dtype: column -> str or np.float64.
        engine: RecBole's, used where :func:`obstacle` finds one.
    Returns:
        DataFrame; under :func:`tokens_as_categories` its token columns are categoricals of str.
    Raises:
        ValueError: a row with another number of fields than the header, by its line; text in a
            column of numbers; bytes that are not in the encoding.
    """
    check_rows(path, delimiter, encoding)
    options: dict[str, Any] = dict(delimiter=delimiter, usecols=usecols, encoding=encoding)
    why = obstacle(path, delimiter)
    if why is None:
        try:
            return _read_fast(path, dtype, options)
        except ValueError as error:
            why = f"pandas' C parser says: {' '.join(str(error).split())}"
    getLogger().info(f"read {Path(path).name} with RecBole's own, slower reader: {why}")
    try:
        return pd.read_csv(path, dtype=dtype, engine=engine, **options)
    except ValueError as error:
        place = _not_a_number(path, dtype, options) or f": {' '.join(str(error).split())}"
        raise ValueError(f"{path}{place}") from error


def _not_a_number(
    path: str | os.PathLike[str], dtype: Mapping[str, type], options: dict[str, Any]
) -> str:
    """``, row N, column C: 'x' is not a number`` of the first such field, or an empty string."""
    try:
        frame = pd.read_csv(path, dtype=str, engine="python", **options)
    except ValueError:
        return ""
    for name in (name for name, kind in dtype.items() if kind is not str):
        numbers = pd.to_numeric(frame[name], errors="coerce")
        wrong = np.flatnonzero(numbers.isna() & frame[name].notna())
        if len(wrong):
            value = frame[name].iloc[wrong[0]]
            return f", row {wrong[0] + 1}, column {name}: {value!r} is not a number"
    return ""


def _read_fast(
    path: str | os.PathLike[str], dtype: Mapping[str, type], options: dict[str, Any]
) -> pd.DataFrame:
    if not _as_categories.get():
        return pd.read_csv(path, dtype=dtype, engine="c", **options)
    # Text as Python objects: the parser makes one object for equal tokens of a chunk, and no
    # version of pandas takes "007" for a number, as it does with dtype="category".
    kinds = {name: object if kind is str else kind for name, kind in dtype.items()}
    chunks = pd.read_csv(
        path, dtype=kinds, engine="c", chunksize=_CHUNK, low_memory=False, **options
    )
    parts: dict[str, list[Any]] = {}
    for chunk in chunks:
        for name in chunk:
            values = chunk[name].values
            if name.endswith(_TOKEN):
                codes, tokens = pd.factorize(values)
                values = codes.astype(np.int32), tokens
            parts.setdefault(name, []).append(values)
    columns = {}
    for name in list(parts):
        join = _joined if name.endswith(_TOKEN) else np.concatenate
        columns[name] = join(parts.pop(name))
    return pd.DataFrame(columns, copy=False)


def _joined(parts: Sequence[tuple[npt.NDArray[np.int32], npt.NDArray[Any]]]) -> pd.Categorical:
    """One categorical of the chunks' (codes, tokens); tokens in order of first appearance."""
    places, tokens = pd.factorize(np.concatenate([tokens for _, tokens in parts]))
    places, start, joined = places.astype(np.int32), 0, []
    for codes, own in parts:
        # code -1, a missing token, reads the place appended last
        joined.append(np.append(places[start : start + len(own)], np.int32(-1))[codes])
        start += len(own)
    categories = pd.Index(tokens, dtype=object)
    return pd.Categorical.from_codes(np.concatenate(joined), categories=categories)


def union(parts: Sequence[pd.Categorical]) -> pd.Categorical:
    """One categorical after the other, as tokens of type object; pandas 3 would make others of
    them where the tokens differ, and unites only equal types."""
    whole = pd.api.types.union_categoricals(parts)
    tokens = pd.Index(np.asarray(whole.categories, dtype=object), dtype=object)
    return whole.rename_categories(tokens)


def concat(frames: Sequence[pd.DataFrame], **options: Any) -> pd.DataFrame:
    """``pandas.concat``, except that categoricals of different tokens stay categoricals."""
    columns = {
        name: [frame[name].values for frame in frames if name in frame] for name in frames[0]
    }
    shared = {
        name: union(values)
        for name, values in columns.items()
        if len(values) == len(frames) and all(isinstance(v, pd.Categorical) for v in values)
    }
    if not shared:
        return pd.concat(frames, **options)
    ends = np.cumsum([0, *map(len, frames)])
    parts = [
        frame.assign(**{name: values[start:end] for name, values in shared.items()})
        for frame, start, end in zip(frames, ends, ends[1:], strict=False)
    ]
    return pd.concat(parts, **options)
