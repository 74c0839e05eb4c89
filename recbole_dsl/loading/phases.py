"""One log line for every phase of a start: what, how many rows, how long, how much memory."""

import time
from logging import getLogger

from recbole_dsl import memory


class Clock:
    """Times phases that follow each other; starts when it is made."""

    def __init__(self):
        self._since = time.perf_counter()

    def done(self, name, rows=None):
        """Log ``<name>: <rows> rows, <seconds> s, <resident memory> GiB`` and start anew.

        Args:
            rows: rows there are after the phase; None: the line does not say.
        Returns:
            float: seconds since the last call, or since the clock was made.
        """
        seconds = time.perf_counter() - self._since
        count = "" if rows is None else f"{rows:,} rows, "
        resident = memory.resident_mb() / 1024
        getLogger().info(f"{name}: {count}{seconds:.1f} s, {resident:.1f} GiB resident")
        self._since = time.perf_counter()
        return seconds
