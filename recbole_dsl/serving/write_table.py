"""Tables of recommendations as files, block by block: csv, tsv, jsonl and parquet."""

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from recbole_dsl.common.errors import UsageError, how_to_install
from recbole_dsl.common.files import check_writable, write_atomically

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def check_output(path: str | os.PathLike[str]) -> None:
    """Find out whether a table could be written, before it is computed.

    Raises:
        UsageError: another ending than :data:`SUFFIXES`, no place for a file, or pyarrow is
            missing. WriteError: the system refuses.
    """
    suffix = Path(path).suffix
    if suffix not in SUFFIXES:
        raise UsageError(f"--output must end in {', '.join(SUFFIXES)}, got {str(path)!r}")
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError as error:
            raise UsageError(how_to_install("pyarrow")) from error
    check_writable(path, "--output")


def write_table(path: str | os.PathLike[str], blocks: Iterable[pd.DataFrame]) -> int:
    """Write the blocks of one table below each other, all of it or nothing.

    Args:
        path: ends in one of :data:`SUFFIXES`. blocks: at least one, with columns of user, rank,
            item and score.
    Returns:
        The number of rows.
    Raises:
        WriteError: it cannot be written.
    """
    rows = 0

    def counted() -> Iterable[pd.DataFrame]:
        nonlocal rows
        for block in blocks:
            rows += len(block)
            yield block

    def write(temporary: Path) -> None:
        if Path(path).suffix == ".parquet":
            _write_parquet(temporary, counted())
        else:
            _write_text(temporary, Path(path).suffix, counted())

    write_atomically(path, write)
    return rows


def _write_text(path: Path, suffix: str, blocks: Iterable[pd.DataFrame]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        for number, block in enumerate(blocks):
            if suffix == ".jsonl":
                # orient "records" rounds to 10 decimals at most; float32 has 9 digits
                block.to_json(
                    file, orient="records", lines=True, force_ascii=False, double_precision=10
                )
            else:
                block.to_csv(
                    file,
                    sep=_SEPARATORS[suffix],
                    index=False,
                    header=number == 0,
                    lineterminator="\n",
                )


def _write_parquet(path: Path, blocks: Iterable[pd.DataFrame]) -> None:
    import pyarrow
    from pyarrow import parquet

    types = {"rank": pyarrow.int32(), "score": pyarrow.float64()}
    writer = None
    try:
        for block in blocks:
            fields = [(name, types.get(name, pyarrow.string())) for name in block.columns]
            schema = pyarrow.schema(fields)
            writer = writer or parquet.ParquetWriter(path, schema)
            columns = [pyarrow.array(block[name].to_numpy(), type) for name, type in fields]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
    finally:
        if writer is not None:
            writer.close()
