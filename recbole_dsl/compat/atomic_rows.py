"""Atomic files line by line: the header's columns, and rows that have as many fields as it.

Symptom: a row with a field too many shifts the columns of all rows, a field too few is a missing
value, and a line in another separator loses its ids; all without a word. Reported: none seen
upstream (found here). Versions: RecBole 1.2.1 with any pandas, which takes the first column of such
a file for row labels and fills short rows. Can go once RecBole checks its rows. Knows no RecBole.
"""

import codecs
import csv
import locale
import mmap
import os
import re
from collections.abc import Iterable, Iterator
from typing import TextIO

import numpy as np
import numpy.typing as npt

_Path = str | os.PathLike[str]
# Encodings in which no byte of another character looks like a separator or a line end.
_PLAIN = {"utf-8", "utf-8-sig", "ascii", "iso8859-1", "iso8859-15", "cp1252"}
_PIECE = 1 << 23  # bytes looked at a time
_NEWLINE = 10


def encoding_of(encoding: str | None) -> str:
    """An encoding by Python's own name for it; None: that of this machine, as ``open`` takes it.

    Raises:
        ValueError: there is no such encoding.
    """
    try:
        return codecs.lookup(encoding or locale.getpreferredencoding(False)).name
    except LookupError as error:
        raise ValueError(f"encoding: {error}") from None


def undecodable(path: _Path, encoding: str | None, error: UnicodeDecodeError) -> ValueError:
    """An error that names the line of a file that is not in its encoding, where lines can tell."""
    name, where = encoding_of(encoding), ""
    if name in _PLAIN:
        with open(path, "rb") as file:
            wrong = (n for n, line in enumerate(file, 1) if not _is_decodable(line, name))
            where = next((f", line {number}," for number in wrong), "")
    return ValueError(f"{path}{where} is not {name}: {error.reason} (setting encoding)")


def _is_decodable(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def read_header(path: _Path, separator: str, encoding: str | None = None) -> dict[str, str]:
    """The columns of an atomic file: name -> type.

    Raises:
        ValueError: the first line is no header of ``name:type`` fields, each name once.
    """
    read_as = encoding_of(encoding)
    with open(path, "rb") as start:
        utf_16 = start.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if utf_16 and read_as in _PLAIN:
        raise ValueError(f"{path} begins as UTF-16 and is read as {read_as} (encoding: utf-16)")
    with open(path, encoding=read_as, errors="replace") as file:
        line = file.readline().rstrip("\n")
    where = f"{path}, line 1"
    if line.startswith("\ufeff"):
        raise ValueError(f"{where}: a byte order mark before the header (encoding: utf-8-sig)")
    columns: dict[str, str] = {}
    for number, field in enumerate(line.split(separator), 1):
        name, colon, kind = field.partition(":")
        if not name or not colon or not re.fullmatch(r"(token|float)(_seq)?", kind):
            raise ValueError(
                f"{where}: column {number} of the header, {field!r}, is not name:type with one of "
                f"the types token, token_seq, float, float_seq (separator {separator!r})"
            )
        if name in columns:
            raise ValueError(f"{where}: the header names the column {name!r} twice")
        columns[name] = kind
    return columns


def check_rows(path: _Path, separator: str, encoding: str | None = None) -> None:
    """Check that every row of a file has as many fields as its first line.

    Empty lines and lines of blanks are no rows. Fields in double quotes may hold separators and
    line ends, as pandas reads them.

    Args:
        separator: one character, or a regular expression of several.
    Raises:
        ValueError: a row with another number of fields, or one that repeats the header, in any
            case of letters, by its line; or a line that cannot be read, or holds NUL bytes, as no
            text does.
    """
    name = encoding_of(encoding)
    if os.path.getsize(path) == 0:
        raise ValueError(f"{path} is empty")
    try:
        _check(path, separator, name)
    except UnicodeDecodeError as error:
        raise undecodable(path, encoding, error) from error


def _check(path: _Path, separator: str, name: str) -> None:
    single = len(separator) == 1 and separator.isascii() and separator not in '"\r\n'
    if single and name in _PLAIN:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            _check_text(path, text, name)
            returns = text.find(b"\r") >= 0 and re.search(rb"\r(?!\n)", text)
            if text.find(b'"') < 0 and not returns:
                _check_bytes(path, text, separator)
                return
    with open(path, encoding=name, newline="") as lines:
        _check_records(path, _records(path, lines, separator), separator)


def _error(path: _Path, line: int, found: int, width: int, separator: str) -> ValueError:
    return ValueError(
        f"{path}, line {line}: {found} field(s), but the header has {width} "
        f"(field_separator {separator!r})"
    )


def _repeated(path: _Path, line: int) -> ValueError:
    return ValueError(f"{path}, line {line} repeats the header")


def _check_text(path: _Path, text: mmap.mmap, encoding: str) -> None:
    """Raise where bytes are no text: NULs, which NumPy cuts off tokens, or another encoding."""
    if (at := text.find(b"\0")) >= 0:
        raise ValueError(f"{path}, line {1 + text[:at].count(10)}: a NUL byte, which is no text")
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(text), _PIECE):
        piece = text[start : start + _PIECE]
        if not piece.isascii() or decoder.getstate()[0]:
            decoder.decode(piece)
    decoder.decode(b"", True)


def _check_bytes(path: _Path, text: mmap.mmap, separator: str) -> None:
    """The check without decoding: separators are counted between line ends."""
    mark = separator.encode()
    header = text[: text.find(b"\n")] if text.find(b"\n") >= 0 else text[:]
    expected = header.count(mark)
    again = header.rstrip(b"\r").lower()
    for first, ends, counts in _lines(text, mark[0]):
        starts = np.append(text.rfind(b"\n", 0, int(ends[0])) + 1, ends[:-1] + 1)
        for at in np.flatnonzero(counts != expected):
            if counts[at] or text[starts[at] : ends[at]].strip():
                raise _error(path, first + int(at), int(counts[at]) + 1, expected + 1, separator)
        for place in _as_long(text, starts, ends, again):
            line = text[starts[place] : ends[place]].rstrip(b"\r")
            if first + place > 1 and line.lower() == again:
                raise _repeated(path, first + place)


def _as_long(
    text: mmap.mmap, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], header: bytes
) -> list[int]:
    """Which lines are as long as the header, and have a colon at the place of its first one."""
    lengths, colon = ends - starts, header.find(b":")
    found = np.flatnonzero((lengths == len(header)) | (lengths == len(header) + 1))
    if len(found) and colon >= 0:
        piece = np.frombuffer(text[int(starts[0]) : int(ends[-1])], np.uint8)
        found = found[piece[starts[found] - starts[0] + colon] == ord(":")]
    return found.tolist()


def _lines(
    text: mmap.mmap, mark: int
) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Lines piece by piece: the number of the first, where each ends, its count of separators."""
    line, carried = 1, 0
    for start in range(0, len(text), _PIECE):
        piece = np.frombuffer(text[start : start + _PIECE], np.uint8)
        if start + _PIECE >= len(text) and piece[-1] != _NEWLINE:
            piece = np.append(piece, np.uint8(_NEWLINE))  # a last line without an end
        marks = np.flatnonzero((piece == mark) | (piece == _NEWLINE))
        ends = np.flatnonzero(piece[marks] == _NEWLINE)
        if len(ends):
            counts = np.diff(ends, prepend=-1) - 1
            counts[0] += carried
            carried = 0
            yield line, marks[ends] + start, counts
        line += len(ends)
        carried += len(marks) - (int(ends[-1]) + 1 if len(ends) else 0)


def _records(path: _Path, lines: TextIO, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of each record as pandas' Python parser splits it."""
    if len(separator) > 1:
        pattern = re.compile(separator)
        for number, line in enumerate(lines, 1):
            yield number, pattern.split(line.strip())
        return
    reader, start = csv.reader(lines, delimiter=separator, strict=True), 1
    try:
        for record in reader:
            yield start, record or [""]
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {start}: {error}") from error


def _check_records(path: _Path, records: Iterable[tuple[int, list[str]]], separator: str) -> None:
    header: list[str] | None = None
    for line, fields in records:
        if header is None:
            header = fields
        elif fields[0].lower() == header[0].lower() and _lower(fields) == _lower(header):
            raise _repeated(path, line)
        elif len(fields) != len(header) and (len(fields) > 1 or fields[0].strip()):
            raise _error(path, line, len(fields), len(header), separator)


def _lower(fields: list[str]) -> list[str]:
    return [field.lower() for field in fields]
