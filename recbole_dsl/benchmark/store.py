"""The results of a benchmark: a file of JSON lines, one a finished run, and the plan beside it."""

import fcntl
import json
import os
from pathlib import Path

from recbole_dsl.checkpoint import write_atomically
from recbole_dsl.settings import UsageError

RESULTS, PLAN, RUNS = "results.jsonl", "plan.json", "runs"


class Store:
    """The folder of a benchmark, held by one process at a time.

    A line is written at once and then forced to the disk, so that what ends the process, or the
    machine, can tear the last line alone; that line is dropped when the store is opened next.

    Args:
        folder: made if it is not there.

    Attributes:
        folder: Path.
        records: key -> record, the last one written for each key.
        torn: bool. Whether a torn last line was dropped.

    Raises:
        UsageError: another process holds the folder, it cannot be written, or a line that is not
            the last is no record.
    """

    def __init__(self, folder):
        self.folder, path = Path(folder), Path(folder) / RESULTS
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise UsageError(f"--output={folder} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process
            self.records, whole = read(path)
            self.torn = whole < os.fstat(self._file).st_size
            os.ftruncate(self._file, whole)
        except BlockingIOError:
            os.close(self._file)
            raise UsageError(f"--output={folder}: another benchmark is at work there") from None
        except UsageError:
            os.close(self._file)
            raise

    def append(self, record):
        """Add the record of a run, a dict of plain data with a ``key``."""
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        written = os.write(self._file, line)
        if written < len(line):
            raise OSError(f"{self.folder / RESULTS}: only {written} of {len(line)} bytes written")
        os.fsync(self._file)
        self.records[record["key"]] = record

    def close(self):
        """Let other processes have the folder."""
        os.close(self._file)


def read(path):
    """The records of a file by key, and how many bytes of it are whole lines.

    Raises:
        UsageError: a line in the middle is no record.
    """
    records, whole = {}, 0
    lines = Path(path).read_bytes().split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + lines[-1:] * bool(lines[-1])
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            key = record["key"]
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                break
            raise UsageError(f"{path}, line {number}, is no record of a run: {error}") from error
        if not line.endswith(b"\n"):
            break
        records[key] = record
        whole += len(line)
    return records, whole


def write_plan(folder, plan):
    """Keep what was asked for last, from which a report can be made again."""
    text = json.dumps(plan, indent=1) + "\n"
    write_atomically(Path(folder) / PLAN, lambda temporary: temporary.write_text(text))


def read_plan(folder):
    """What :func:`write_plan` kept. Raises UsageError where there is nothing."""
    path = Path(folder) / PLAN
    if not path.is_file():
        raise UsageError(f"--report: there is no benchmark in {folder} ({path} is missing)")
    return json.loads(path.read_text())
