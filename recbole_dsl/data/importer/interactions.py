"""Interactions from tables: which columns hold them, and their rows as arrays of codes."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.data.importer.atomic import BadValue, Interactions, progress, token
from recbole_dsl.data.importer.tables import Table, TextTable
from recbole_dsl.data.importer.times import Times, numbers

AUTO = "auto"  # a column to be recognised by its name

# Without case, blanks, - and _; the first name that a file has wins.
_USUAL = {
    "user": [
        "userid", "user", "uid", "userprocid", "useridx", "userindex", "usertoken", "reviewerid",
        "customerid", "customer", "visitorid", "visitor", "memberid", "accountid", "personid",
        "clientid", "buyerid", "shopperid", "subscriberid", "reviewer", "username", "customerno",
        "customernumber", "usernumber", "profileid", "readerid", "listenerid", "viewerid",
    ],
    "item": [
        "itemid", "item", "iid", "itemprocid", "itemidx", "itemindex", "itemtoken", "asin",
        "parentasin", "movieid", "productid", "bookid", "artistid", "songid", "trackid",
        "businessid", "gameid", "videoid", "sku", "skuid", "productsku", "itemsku", "product",
        "articleid", "article", "isbn", "newsid", "stockcode", "productcode", "itemcode", "adid",
        "recipeid", "contentid", "listingid", "goodsid", "courseid", "hotelid", "poiid", "venueid",
        "restaurantid", "albumid", "showid", "animeid", "beerid", "appid", "itemno", "itemnumber",
        "productno", "productnumber", "movie", "book", "song", "track", "artist",
    ],
    "rating": [
        "rating", "ratings", "stars", "star", "score", "overall", "starrating", "userrating",
        "reviewrating", "reviewscore", "ratingvalue", "bookrating", "grade",
    ],
    "timestamp": [
        "timestamp", "time", "ts", "unixreviewtime", "unixtime", "eventtime", "datetime", "date",
        "createdat", "eventtimestamp", "orderdate", "purchasedate", "purchasedat", "orderedat",
        "invoicedate", "reviewdate", "ratingdate", "transactiondate", "tdat",
    ],
}  # fmt: skip
_OPTIONAL = ("rating", "timestamp")


class Ids(dict[str, int]):
    """Codes 0, 1, ... of ids in order of appearance.

    Only an id that is new is checked.

    Attributes:
        tokens: the ids by code.
        trimmed: how many of them were read with blanks around them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[str] = []
        self.trimmed = 0

    def __missing__(self, value: str) -> int:
        text = token(value)
        code = self.get(text)
        if code is None:
            code = self[text] = len(self.tokens)
            self.tokens.append(text)
        if value != text:
            self[value] = code
            self.trimmed += 1
        return code

    def codes(self, values: Sequence[Any]) -> npt.NDArray[np.int32]:
        """(N,) codes of ids, which are text or integers.

        Raises:
            BadValue: one of them is something else, or cannot be an id.
        """
        kinds = set(map(type, values))
        if not kinds <= {str, int}:
            bad = next(value for value in values if type(value) not in (str, int))
            raise BadValue(bad, f"is a {type(bad).__name__}; ids must be text or integers")
        texts = map(str, values) if int in kinds else values
        return np.fromiter(map(self.__getitem__, texts), np.int32, len(values))


def choose_columns(table: Table, **wanted: str | None) -> dict[str, str]:
    """``{"user": column, "item": column, ...}`` with the optional ones that are there.

    Args:
        table: of :func:`recbole_dsl.data.importer.tables.open_table`.
        wanted: user, item, rating, timestamp; each a column, AUTO, or None to leave it out. In a
            table without header AUTO is column 1 for users, 2 for items, and none else.
    Raises:
        UsageError: a column is not there, is there twice, or serves for two things.
    """
    if not table.header:
        defaults = {"user": "1", "item": "2"}
        wanted = {k: defaults.get(k) if v == AUTO else v for k, v in wanted.items()}
    chosen: dict[str, str] = {}
    for role, name in wanted.items():
        if name is None and role not in _OPTIONAL:
            raise UsageError(f"--{role} needs a column: every row has a user and an item")
        if name is not None:
            column = _recognise(table, role) if name == AUTO else _named(table, role, str(name))
            if column is not None:
                chosen[role] = column
    for role, column in chosen.items():
        other = next(r for r in chosen if chosen[r] == column)
        if other != role:
            raise UsageError(f"{table.path}: column {column!r} is both --{other} and --{role}")
        if table.columns.count(column) > 1:
            raise UsageError(f"{table.path} has more than one column {column!r}")
    if isinstance(table, TextTable) and not table.header:
        _check_first_line(table, chosen)
    return chosen


def _rank(name: str, role: str) -> int | None:
    """Rank of a column's name among the usual ones, or None; an atomic file's type is no part."""
    plain = re.sub(r":.*|[\W_]", "", name.lower())
    return _USUAL[role].index(plain) if plain in _USUAL[role] else None


def _check_first_line(table: TextTable, chosen: dict[str, str]) -> None:
    """Names where ids should be, of both users and items, are a header after all."""
    first = {role: table.first_line[int(chosen[role]) - 1] for role in ("user", "item")}
    if all(_rank(name, role) is not None for role, name in first.items()):
        raise UsageError(
            f"{table.path}: the first line, {', '.join(table.first_line)}, is a header: "
            "leave out --header=False"
        )


def _columns_of(table: Table) -> str:
    names = ", ".join(table.columns)
    hint = ""
    if isinstance(table, TextTable) and len(table.columns) == 1:
        other = _other_separator(table)
        hint = f", separator {table.sep!r}" + (f"; try --sep={other}" if other else "")
    if any(re.fullmatch(r"[\d.]+", name) for name in table.columns):
        hint += "; no header? --header=False"
    return f"(columns: {names}{hint})"


def _other_separator(table: Table) -> str | None:
    """What separates the first line of a text file that was read as one column, if anything."""
    if not isinstance(table, TextTable) or len(table.columns) > 1:
        return None
    others = {";": "';'", "\t": "tab", "|": "'|'", ",": "','"}
    return next((word for sep, word in others.items() if sep in table.first_text), None)


def _named(table: Table, role: str, name: str) -> str:
    if name in table.columns:
        return name
    raise UsageError(
        f"{table.path} has no column {name!r} for --{role} {_columns_of(table)}"
        f"{did_you_mean(name, table.columns)}"
    )


def _recognise(table: Table, role: str) -> str | None:
    ranks = {name: rank for name in table.columns if (rank := _rank(name, role)) is not None}
    best = [column for column, rank in ranks.items() if rank == min(ranks.values())]
    if len(best) > 1:
        shown = " and ".join(map(repr, best))
        raise UsageError(f"{table.path} has columns {shown}: choose with --{role}=COLUMN")
    if best or role in _OPTIONAL:
        return best[0] if best else None
    known = [] if _other_separator(table) else table.columns
    hints = (did_you_mean(usual, known) for usual in _USUAL[role])
    raise UsageError(
        f"{table.path} has no column that is known to hold {role}s {_columns_of(table)}: "
        f"give --{role}=COLUMN{next(filter(None, hints), '')}"
    )


def unused_columns(table: Table, columns: dict[str, str]) -> list[str]:
    """The columns of a table that are not among the chosen ones."""
    return [name for name in table.columns if name not in columns.values()]


def read_interactions(
    table: Table, columns: dict[str, str], users: Ids, items: Ids, times: Times
) -> Interactions:
    """All rows of a table.

    Args:
        table: of :func:`recbole_dsl.data.importer.tables.open_table`.
        columns: of :func:`choose_columns`.
        users, items: Ids, which grow; shared by the files of one dataset.
        times: reads the timestamps; shared too.
    Raises:
        UsageError: no rows, a row that repeats the header, or a value that cannot be used, with its
            line, column and value.
    """
    readers: dict[str, Callable[[Sequence[Any]], npt.NDArray[Any]]]
    readers = {"user": users.codes, "item": items.codes, "timestamp": times.read}
    header = [columns["user"], columns["item"]]
    may_repeat = _HeaderAmongIds(header, (users, items)) if table.header else None
    parts: dict[str, list[npt.NDArray[Any]]] = {role: [] for role in columns}
    with progress(f"reading {table.path}", table.size) as bar:
        for before, chunk in table.chunks(list(columns.values())):
            for (role, column), values in zip(columns.items(), chunk, strict=True):
                try:
                    parts[role].append(readers.get(role, numbers)(values))
                except BadValue as error:
                    place = table.where(before + values.index(error.value))
                    leave = f"; --{role}=None leaves the column out" * (role in _OPTIONAL)
                    raise UsageError(
                        f"{place}, column {column}: {role} {_shown(error.value)} {error}{leave}"
                    ) from error
            if may_repeat is not None and may_repeat():
                _check_repeated_header(table, before, chunk, header)
            bar.update(table.done - bar.n)
    if not parts["user"]:
        raise UsageError(f"{table.path} has no rows")
    return Interactions(**{role: np.concatenate(arrays) for role, arrays in parts.items()})


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class _HeaderAmongIds:
    """Tells, chunk by chunk, whether both names of a header have become ids, in any case.

    Only the ids that are new are looked at.
    """

    def __init__(self, header: Sequence[str], ids: Sequence[Ids]) -> None:
        self._names = [name.lower() for name in header]
        self._ids, self._looked_at, self._met = ids, [0, 0], [False, False]

    def __call__(self) -> bool:
        for at, (name, ids) in enumerate(zip(self._names, self._ids, strict=True)):
            new = ids.tokens[self._looked_at[at] :]
            self._met[at] = self._met[at] or any(text.lower() == name for text in new)
            self._looked_at[at] = len(ids.tokens)
        return all(self._met)


def _check_repeated_header(
    table: Table, before: int, chunk: Sequence[Sequence[Any]], header: Sequence[str]
) -> None:
    """Files put together with their headers have them between the rows."""
    names = [name.lower() for name in header]
    for row, pair in enumerate(zip(*chunk[:2], strict=True)):
        if [str(value).strip().lower() for value in pair] == names:
            raise UsageError(f"{table.where(before + row)}: the row repeats the header")
