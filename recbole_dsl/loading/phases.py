"""One log line for every phase of a start: what, how many rows, how long, how much memory."""

import contextlib
import time
from logging import getLogger

from recbole_dsl import memory


class Phase:
    """What a phase turns out to be about, filled in while it runs.

    Attributes:
        name: what the line begins with.
        rows: rows there are afterwards; None: the line does not say.
    """

    def __init__(self, name):
        self.name, self.rows = name, None


@contextlib.contextmanager
def phase(name):
    """Time a block and log ``<name>: <rows> rows, <seconds> s, <resident memory> GiB``.

    Yields:
        :class:`Phase`, whose name and rows the block may set. A block that raises logs nothing.
    """
    started, current = time.perf_counter(), Phase(name)
    yield current
    rows = "" if current.rows is None else f"{current.rows:,} rows, "
    seconds = time.perf_counter() - started
    getLogger().info(
        f"{current.name}: {rows}{seconds:.1f} s, {memory.resident_mb() / 1024:.1f} GiB"
    )
