"""One log line for every phase before training: its rows, its time and the memory in use."""

import time
from logging import getLogger

from recbole_dsl.common import memory


class Clock:
    """Times phases that follow each other; starts when it is made."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def done(self, name: str, rows: int | None = None) -> float:
        """Log ``<name>: <rows> rows, <seconds> s, <resident memory> GiB`` and time the next phase.

        Args:
            rows: number of rows after the phase; None leaves it out of the line.
        Returns:
            float: seconds since the last call, or since the clock was made.
        """
        seconds = time.perf_counter() - self._since
        count = "" if rows is None else f"{rows:,} rows, "
        resident = memory.resident_mb() / 1024
        getLogger().info(f"{name}: {count}{seconds:.1f} s, {resident:.1f} GiB resident")
        self._since = time.perf_counter()
        return seconds
