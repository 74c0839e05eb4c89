"""Atomic files and interactions read a second way: csv, float and lists, without pandas or NumPy.

What a run or an import reads is compared with this.
"""

import csv
import io
import math
from typing import NamedTuple

# What pandas, and so RecBole, takes for a missing value.
MISSING = {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND",
           "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}  # fmt: skip


class Unreadable(Exception):
    """Nobody can say for sure what such a file holds."""


class Table(NamedTuple):
    """columns: name -> type; rows: one dict each, text for tokens, numbers for floats, None."""

    columns: dict[str, str]
    rows: list[dict[str, object]]


def atomic(text: bytes, separator: str = "\t", numbers: set[str] | None = None) -> Table:
    """An atomic file.

    Args:
        numbers: columns whose numbers are read, as text otherwise; None: all.
    Raises:
        Unreadable: no text, no header, a row of another width, a number that is none.
    """
    lines = records(text, separator)
    if not lines:
        raise Unreadable("no header")
    columns = {}
    for field in lines[0]:
        name, _, kind = field.partition(":")
        if not name or name in columns or kind not in ("token", "float", "token_seq", "float_seq"):
            raise Unreadable(f"header {field!r}")
        columns[name] = kind
    read = {n: k if numbers is None or n in numbers else "token_seq" for n, k in columns.items()}
    rows = []
    for line in lines[1:]:
        if len(line) != len(columns) or line == lines[0]:
            raise Unreadable(f"row {line!r}")
        kinds = zip(read.items(), line, strict=True)
        rows.append({name: _value(kind, field) for (name, kind), field in kinds})
    return Table(columns, rows)


def records(text: bytes, separator: str) -> list[list[str]]:
    """The fields of each line that is not blank."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(str(error)) from error
    if "\0" in decoded or decoded.startswith("\ufeff"):
        raise Unreadable("no text")
    lines = csv.reader(io.StringIO(decoded, newline=""), delimiter=separator, strict=True)
    try:
        return [line for line in lines if len(line) > 1 or (line and line[0].strip())]
    except csv.Error as error:
        raise Unreadable(str(error)) from error


def _value(kind: str, field: str) -> object:
    if kind.endswith("_seq"):
        return field
    if field.strip() in MISSING if kind == "float" else field in MISSING:
        return None
    return number(field) if kind == "float" else field


def number(field: str) -> float:
    """A number as Python writes it."""
    try:
        return float(field)
    except ValueError as error:
        raise Unreadable(f"number {field!r}") from error


class Kept(NamedTuple):
    """rows: (user, item, rating, time); removed, filled: how many rows and ratings."""

    rows: list[tuple[str, str, float | None, float | None]]
    removed: int
    filled: int


def interactions(files: dict[str, bytes]) -> Kept:
    """What RecBole's loader keeps of a dataset: rows with a user and an item that the tables of
    users and items name; missing ratings become the mean.

    Raises:
        Unreadable: any file is.
    """
    tables = {suffix: atomic(text) for suffix, text in files.items()}
    inter = tables[".inter"]
    if not {"user_id", "item_id"} <= {n for n, kind in inter.columns.items() if kind == "token"}:
        raise Unreadable("no ids")
    known = {}
    for suffix, name in ((".user", "user_id"), (".item", "item_id")):
        if suffix not in tables:
            continue
        if tables[suffix].columns.get(name) != "token":
            raise Unreadable(f"{suffix} without {name}")
        ids = [row[name] for row in tables[suffix].rows]
        known[name] = {x for x in ids if x is not None}
    kept = []
    for row in inter.rows:
        ids = {name: row[name] for name in ("user_id", "item_id")}
        if all(x is not None and x in known.get(name, {x}) for name, x in ids.items()):
            kept.append(row)
    ratings = [row.get("rating") for row in kept]
    given = [x for x in ratings if x is not None]
    filled = len(ratings) - len(given) if "rating" in inter.columns else 0
    mean = math.fsum(given) / len(given) if filled and given else None
    rows = [
        (row["user_id"], row["item_id"], mean if rating is None else rating, row.get("timestamp"))
        for row, rating in zip(kept, ratings, strict=True)
    ]
    return Kept(rows, len(inter.rows) - len(kept), filled)
