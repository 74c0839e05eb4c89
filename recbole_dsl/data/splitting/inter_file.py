"""A RecBole .inter file as columns to split by, and its lines, to be copied as they are."""

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.compat.atomic_rows import check_rows, read_header

LINES = 1_000_000  # read or copied at a time
PIECE = 1 << 23  # bytes searched at a time
_NEWLINE = 10


class InterFile:
    """Lines and columns of ``<dataset>.inter``.

    Args:
        path: the file: a header ``user_id:token<tab>item_id:token...``, then a line for each row.
    Attributes:
        fields: names of the columns, without their types.
        rows: number of rows; empty lines and lines of blanks are none.
    Raises:
        UsageError: the file cannot be read, has no rows, or a row with another number of fields
            than the header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                header = file.readline()
                self.bytes = np.frombuffer(_map(file), np.uint8)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        self.header = header if header.endswith(b"\n") else header + b"\n"
        self.columns = header.decode("utf-8", "replace").rstrip("\r\n").split("\t")
        self.fields = [column.split(":")[0] for column in self.columns]
        ends = _ends(self.bytes, len(header))
        starts = np.concatenate(([len(header)], ends))[:-1]
        blank = np.isin(self.bytes[starts], (_NEWLINE, 13, 32))  # may be
        for at in np.flatnonzero(blank):
            blank[at] = not self.bytes[starts[at] : ends[at]].tobytes().strip(b" \r\n")
        self.starts, self.ends = starts[~blank], ends[~blank]
        self.rows = len(self.starts)
        if self.rows == 0:
            raise UsageError(f"{path} has no rows")
        try:
            read_header(path, "\t", "utf-8")
            check_rows(path, "\t", "utf-8")
        except ValueError as error:
            raise UsageError(str(error)) from error

    def read(
        self, user: str, item: str, timestamp: str | None = None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64] | None]:
        """Codes of users and items, (N,) int32 each, -1 where missing; timestamps or None.

        Raises:
            UsageError: no such column, one for both ids or of another type, a timestamp that is no
                number, or a field over two lines.
        """
        if user == item:
            raise UsageError(f"--user and --item name the same column, {user!r}")
        wanted = [name for name in (user, item, timestamp) if name is not None]
        for name in wanted:
            if name not in self.fields:
                raise UsageError(
                    f"{self.path} has no column {name!r} (columns: {', '.join(self.fields)})"
                    f"{did_you_mean(name, self.fields)}"
                )
        columns = [self.columns[self.fields.index(name)] for name in wanted]
        for column, kind in zip(columns, ("token", "token", "float"), strict=False):
            if not column.endswith(f":{kind}"):
                name = column.partition(":")[0]
                raise UsageError(f"{self.path}: the column {column} must be {name}:{kind}")
        # Categories of texts: "007" is not "7".
        kinds: dict[str, Any] = dict.fromkeys(columns, "category")
        if timestamp is not None:
            kinds[columns[2]] = np.float64
        known: tuple[dict[str, int], dict[str, int]] = ({}, {})
        codes: tuple[list[npt.NDArray[np.int32]], list[npt.NDArray[np.int32]]] = ([], [])
        times: list[npt.NDArray[np.float64]] = []
        try:
            # low_memory merges the categories of thousands of pieces, at five times the time.
            options = {"usecols": columns, "dtype": kinds, "chunksize": LINES, "low_memory": False}
            for frame in pd.read_csv(self.path, sep="\t", encoding="utf-8", **options):
                for column, ids, found in zip(columns, known, codes, strict=False):
                    texts = frame[column].cat.categories
                    numbers = [ids.setdefault(text, len(ids)) for text in texts]
                    # A missing id has code -1, which is the place after all the others.
                    found.append(np.array([*numbers, -1], np.int32)[frame[column].cat.codes])
                times += [frame[column].to_numpy() for column in columns[2:]]
        except (ValueError, OSError) as error:  # pandas' ParserError is a ValueError
            raise UsageError(f"cannot read {self.path}: {' '.join(str(error).split())}") from error
        users, items = map(np.concatenate, codes)
        if len(users) != self.rows:
            raise UsageError(
                f"{self.path}: {self.rows:,} lines hold {len(users):,} rows: a double quote opens "
                "a field that goes on in the next line"
            )
        return users, items, np.concatenate(times) if times else None

    def copy(self, part: npt.NDArray[np.int8], targets: Sequence[BinaryIO]) -> None:
        """Write each row's line, unchanged, into the file of its part.

        Args:
            part: (N,) int8. Number of the row's part; -1: in none.
            targets: binary files, by number.
        """
        for target in targets:
            target.write(self.header)
        for first in range(0, self.rows, LINES):
            rows = slice(first, first + LINES)
            starts, ends = self.starts[rows], self.ends[rows]
            where = np.full(ends[-1] - starts[0], -1, np.int8)
            lengths = ends - starts
            inside = np.repeat(starts - starts[0] - (np.cumsum(lengths) - lengths), lengths)
            inside += np.arange(lengths.sum())
            where[inside] = np.repeat(part[rows], lengths)
            text = self.bytes[starts[0] : ends[-1]]
            for number, target in enumerate(targets):
                target.write(text[where == number].tobytes())


def _map(file: BinaryIO) -> bytes | mmap.mmap:
    """The file's bytes, with a line break at their end."""
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        return b""
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return mapped if mapped[-1] == _NEWLINE else mapped[:] + b"\n"


def _ends(text: npt.NDArray[np.uint8], start: int) -> npt.NDArray[np.int64]:
    """Positions after each line break from start on, found piece by piece."""
    found = [
        np.flatnonzero(text[at : at + PIECE] == _NEWLINE) + at + 1
        for at in range(start, len(text), PIECE)
    ]
    return np.concatenate(found) if found else np.empty(0, np.int64)
