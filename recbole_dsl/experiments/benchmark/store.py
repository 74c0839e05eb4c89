"""The results of a benchmark: a file of JSON lines, one for each finished run; and the plan."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.common.files import naming, write_atomically
from recbole_dsl.experiments.benchmark.shapes import PLAN as PLAN_SHAPE
from recbole_dsl.experiments.benchmark.shapes import mismatch, why_no_record

RESULTS, PLAN, RUNS = "results.jsonl", "plan.json", "runs"


class Store:
    """The folder of a benchmark, locked by one process at a time.

    A line is written at once and then forced to the disk, so that only the last line can be
    incomplete after a crash; that line is dropped when the store is opened next.

    Args:
        folder: made if it is not there.

    Attributes:
        folder: Path.
        records: key -> record, the last one written for each key.
        dropped_line: bool. Whether an incomplete last line was dropped.

    Raises:
        UsageError: another process has locked the folder, or a line that is not the last is no
            record. WriteError: the folder cannot be written to.
    """

    records: dict[str, dict[str, Any]]

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder, path = Path(folder), Path(folder) / RESULTS
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise WriteError(f"--output={folder} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until the process ends
            self.records, n_bytes = read(path)
            self.dropped_line = n_bytes < os.fstat(self._file).st_size
            os.ftruncate(self._file, n_bytes)
        except BlockingIOError:
            os.close(self._file)
            raise UsageError(f"--output={folder}: another benchmark is at work there") from None
        except UsageError:
            os.close(self._file)
            raise

    def append(self, record: dict[str, Any]) -> None:
        """Add the record of a run, a dict of plain data with a ``key``.

        Raises:
            WriteError: it cannot be written; the file is as it was.
        """
        left = (json.dumps(record, allow_nan=False) + "\n").encode()
        before = os.fstat(self._file).st_size
        try:
            with naming(self.folder / RESULTS):
                while left:  # on a full disk, the second write says why the first one was short
                    left = left[os.write(self._file, left) :]
                os.fsync(self._file)
        except WriteError:
            os.ftruncate(self._file, before)
            raise
        self.records[record["key"]] = record

    def close(self) -> None:
        """Unlock the folder."""
        os.close(self._file)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, dict[str, Any]], int]:
    """The records of a file by key, and how many bytes of it are whole lines.

    Raises:
        UsageError: a line that is not the last is no record.
    """
    records: dict[str, dict[str, Any]] = {}
    n_bytes = 0
    lines = Path(path).read_bytes().split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + lines[-1:] * bool(lines[-1])
    for number, line in enumerate(lines, 1):
        try:
            record, reason = json.loads(line), ""
        except (ValueError, RecursionError) as error:
            record, reason = None, str(error)
        last = number == len(lines)
        if last and (reason or not line.endswith(b"\n")):
            break
        if reason := reason or why_no_record(record):
            raise UsageError(f"{path}, line {number}, is no record of a run: {reason}")
        records[record["key"]] = record
        n_bytes += len(line)
    return records, n_bytes


def write_plan(folder: str | os.PathLike[str], plan: dict[str, Any]) -> None:
    """Store the plan of the last request, from which a report can be made again."""
    text = json.dumps(plan, indent=1) + "\n"
    write_atomically(Path(folder) / PLAN, lambda temporary: temporary.write_text(text, "utf-8"))


def read_plan(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What :func:`write_plan` stored. Raises UsageError where it is missing or damaged."""
    path = Path(folder) / PLAN
    if not path.is_file():
        raise UsageError(f"--report: there is no benchmark in {folder} ({path} is missing)")
    try:
        plan: dict[str, Any] = json.loads(path.read_text("utf-8"))
        reason = mismatch(plan, PLAN_SHAPE)
    except (ValueError, RecursionError) as error:
        reason = str(error)
    if reason:
        raise UsageError(
            f"{path} is damaged: {reason}; the command that made it, given again, writes it anew"
        )
    return plan
