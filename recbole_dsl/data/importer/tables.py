"""Text and parquet files as columns, chunk by chunk: every field a str or number, none guessed."""

import codecs
import contextlib
import csv
import gzip
import io
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from recbole_dsl.common.errors import UsageError
from recbole_dsl.data.importer.atomic import CHUNK

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".inter": "\t"}
_SNIFFED = ("\t", "::", ",", ";", "|", " ")
_SNIFFED_SUFFIXES = (".txt", ".dat", ".data")
_WORDS = {"tab": "\t", "\\t": "\t"}
# One character stands for a separator of several, which Python's csv module does not know.
_STAND_IN = "\x1f"


def open_table(
    path: str | os.PathLike[str],
    sep: str | None = None,
    header: bool = True,
    encoding: str = "utf-8",
    quotes: bool = True,
) -> "Table":
    """The table in a file, by its suffix.

    Args:
        path: .csv, .tsv, .tab, .inter, .txt, .dat, .data, each also .gz; .parquet or .pq.
        sep: separator of a text file; None: by suffix, for .txt, .dat and .data the first of tab,
            ``::``, comma, semicolon, bar and blank that the first line holds.
        header: whether the first line names the columns; otherwise they are "1", "2", ...
        encoding: of a text file; a byte order mark is skipped.
        quotes: whether a field in double quotes may hold separators, as in CSV.
    Raises:
        UsageError: the file cannot be read, is empty, or is of another type.
    """
    path = Path(path)
    if path.is_fifo() or path.is_socket() or path.is_char_device() or path.is_block_device():
        raise UsageError(f"{path} is a pipe or a device; an import reads files, some of them twice")
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    zipped = suffixes[-1:] == [".gz"]
    suffix = "".join((suffixes[:-1] if zipped else suffixes)[-1:])
    if suffix in (".parquet", ".pq") and not zipped:
        if sep is not None or not header or not quotes:
            raise UsageError(f"{path}: --sep, --header and --quotes are for text files")
        return ParquetTable(path)
    if sep is None and suffix not in (*_SEPARATORS, *_SNIFFED_SUFFIXES):
        raise UsageError(
            f"{path}: unknown file type {path.suffix!r}; known are csv, tsv, txt, dat (also .gz) "
            "and parquet; --sep=SEPARATOR reads any other text file"
        )
    sep = _SEPARATORS.get(suffix) if sep is None else _WORDS.get(sep, sep)
    if sep in ("", '"', "\n", "\r"):
        raise UsageError(f"--sep={sep!r} cannot separate fields")
    try:
        encoding = codecs.lookup(encoding).name
    except LookupError as error:
        raise UsageError(f"--encoding: {error}") from error
    return TextTable(path, sep, header, encoding, quotes, zipped)


class TextTable:
    """Lines of fields.

    Args:
        sep, header, encoding, quotes: as for :func:`open_table`, encoding by Python's name.
        zipped: whether the file is compressed by gzip.
    Attributes:
        columns: names of the columns.
        first_line: fields of the first line, which names the columns where ``header`` is True.
        first_text: the first line as it stands in the file.
        done, size: how many bytes of the file have been read, and how many it has.
    Raises:
        UsageError: the file cannot be read, or is empty.
    """

    def __init__(
        self, path: Path, sep: str | None, header: bool, encoding: str, quotes: bool, zipped: bool
    ) -> None:
        self.path, self.header, self.zipped = path, header, zipped
        self.encoding = "utf-8-sig" if encoding == "utf-8" else encoding
        self.quotes = quotes
        self.done = 0
        with self._readable() as lines:
            first = next((line for line in lines if line.strip()), None)
            self.size = path.stat().st_size
        if first is None:
            raise UsageError(f"{path} is empty")
        self.first_text = first
        self.sep = sep or next((s for s in _SNIFFED if s in first), ",")
        with self._readable() as lines:
            names = next(filter(_is_row, self._records(lines)))
        self.first_line = [" ".join(name.split()) for name in names]
        numbers = [str(i) for i in range(1, len(names) + 1)]
        self.columns = self.first_line if header else numbers

    @contextlib.contextmanager
    def _readable(self) -> Iterator[io.TextIOWrapper]:
        """The decoded lines; what goes wrong in reading them becomes one line."""
        try:
            with contextlib.ExitStack() as stack:
                self._raw = stack.enter_context(open(self.path, "rb"))
                stream = self._bytes(self._raw)
                yield stack.enter_context(io.TextIOWrapper(stream, self.encoding, newline=""))
        except UnicodeError as error:
            encoding = self.encoding.removesuffix("-sig")
            reason = getattr(error, "reason", error)  # some codecs raise a bare UnicodeError
            raise UsageError(
                f"{self._undecodable()} is not {encoding} ({reason}): "
                f"give --encoding=NAME, such as {self._likely_encoding()}"
            ) from error
        except csv.Error as error:
            raise UsageError(
                f"{self._place()}: {error} (--quotes=False if quotes mean nothing in this file)"
            ) from error
        except (OSError, EOFError, zlib.error, LookupError) as error:
            raise UsageError(f"cannot read {self.path}: {error}") from error

    def _records(self, lines: Iterable[str]) -> Any:
        sep = self.sep
        if len(sep) > 1:
            lines, sep = (line.replace(self.sep, _STAND_IN) for line in lines), _STAND_IN
        return csv.reader(
            lines,
            delimiter=sep,
            quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            skipinitialspace=sep != " ",
            strict=True,
        )

    def _bytes(self, raw: BinaryIO) -> Any:
        return gzip.GzipFile(fileobj=raw) if self.zipped else raw

    def _undecodable(self) -> str:
        """``file, line N`` of the first line that is not in the encoding, where lines can tell."""
        if self.encoding == "utf-8-sig":
            with open(self.path, "rb") as raw:
                for number, line in enumerate(self._bytes(raw), 1):
                    if line.decode("utf-8", "replace").encode() != line:
                        return f"{self.path}, line {number},"
        return str(self.path)

    def _likely_encoding(self) -> str:
        with open(self.path, "rb") as raw:
            mark = self._bytes(raw).read(2)
        return "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "latin-1"

    def _place(self, row: int | None = None) -> str:
        """``file, line N`` where a row starts, which may span lines, or the first broken one."""
        with open(self.path, "rb") as raw:
            lines = io.TextIOWrapper(self._bytes(raw), self.encoding, newline="")
            records, line, seen = self._records(lines), 1, -int(self.header)
            with contextlib.suppress(csv.Error):
                for record in records:
                    if _is_row(record) and seen == row:
                        break
                    seen += _is_row(record)
                    line = records.line_num + 1
        return f"{self.path}, line {line}"

    def chunks(self, names: Sequence[str]) -> Iterator[tuple[int, list[list[Any]]]]:
        """Yields (rows before, [column, ...]) with the named columns as lists of str.

        Raises:
            UsageError: a line has too few or too many fields, or cannot be read.
        """
        places, width, before = [self.columns.index(name) for name in names], len(self.columns), 0
        with self._readable() as lines:
            records = filter(_is_row, self._records(lines))
            if self.header:
                next(records)
            while rows := list(itertools.islice(records, CHUNK)):
                if set(map(len, rows)) != {width}:
                    row = next(i for i, fields in enumerate(rows) if len(fields) != width)
                    raise UsageError(
                        f"{self.where(before + row)}: {len(rows[row])} fields (separator "
                        f"{self.sep!r}), but the first line has {width}"
                    )
                self.done = self._raw.tell()
                yield before, [[fields[place] for fields in rows] for place in places]
                before += len(rows)

    def where(self, row: int) -> str:
        """File and line number of a row; rows count from 0, without the header."""
        return self._place(row)


def _is_row(record: list[str]) -> bool:
    """Whether a record is one: empty lines and lines of blanks are none, as in atomic files."""
    return len(record) > 1 or bool(record and record[0].strip())


class ParquetTable:
    """A parquet file by batches of rows, with exact integers. Needs pyarrow.

    Attributes:
        columns: names of the columns.
        done, size: how many rows have been read, and how many the file has.
    Raises:
        UsageError: pyarrow is not installed, or the file cannot be read.
    """

    sep, header = None, True

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise UsageError(
                f"reading {path} needs pyarrow: pip install recbole_dsl[parquet]"
            ) from None
        self.path, self._arrow = path, pyarrow
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (OSError, pyarrow.ArrowException) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"cannot read {path}: {reason}") from error
        self.columns: list[str] = self._file.schema_arrow.names
        self.done, self.size = 0, self._file.metadata.num_rows

    def _values(self, column: Any) -> list[Any]:
        """A batch's column as Python values, a missing one as "", a date-time in seconds."""
        kind = column.type
        if self._arrow.types.is_timestamp(kind):
            scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
            ticks = column.cast(self._arrow.int64()).to_pylist()
            return ["" if tick is None else tick / scale for tick in ticks]
        return ["" if value is None else value for value in column.to_pylist()]

    def chunks(self, names: Sequence[str]) -> Iterator[tuple[int, list[list[Any]]]]:
        """Yields (rows before, [column, ...]) with the named columns as lists of values."""
        before = 0
        try:
            for batch in self._file.iter_batches(batch_size=25 * CHUNK, columns=names):
                columns = [batch.column(batch.schema.names.index(name)) for name in names]
                self.done = before + batch.num_rows
                yield before, [self._values(column) for column in columns]
                before += batch.num_rows
        except (OSError, UnicodeError, self._arrow.ArrowException) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"cannot read {self.path}: {reason}") from error

    def where(self, row: int) -> str:
        """File and row number, from 1."""
        return f"{self.path}, row {row + 1}"


Table = TextTable | ParquetTable
