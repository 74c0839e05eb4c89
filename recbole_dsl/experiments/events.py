"""What a process reports to the one that started it: JSON lines in a file, read as they come.

An event is a dict of plain data. Its key ``event`` says which kind it is:

- ``epoch``: an epoch has been validated; ``epoch``, ``score``.
- ``trial``: a trial of a study has ended; ``trial`` (its number), ``ended`` and ``planned`` (how
  many of them), ``value`` (None for a failed or pruned one), ``seconds``, ``text``.
"""

import json
import os
from pathlib import Path
from typing import Any

from recbole_dsl.common.files import naming

FILE = "events.jsonl"


def append(path: str | os.PathLike[str], event: dict[str, Any]) -> None:
    """Add a line to a file. It is written at once, so that several processes may share the file.

    Raises:
        WriteError: it cannot be written.
    """
    line = (json.dumps(event) + "\n").encode()
    with naming(Path(path)), open(path, "ab", buffering=0) as file:
        file.write(line)


class EpochEvents:
    """The ``after_validation`` of a run: adds an ``epoch`` event to a file. Can be pickled."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def __call__(self, epoch: int, score: float) -> None:
        append(self._path, {"event": "epoch", "epoch": epoch, "score": float(score)})


class EventReader:
    """Reads a file of events that another process is still writing; it need not exist yet."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path, self._offset = Path(path), 0

    def new(self) -> list[dict[str, Any]]:
        """The events since the last call. A line that is still being written is left for later.

        What is no event, as a full disk leaves it, is left out.
        """
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        lines = content[: content.rfind(b"\n") + 1]
        self._offset += len(lines)
        return list(filter(None, map(_event, lines.split(b"\n"))))


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
