"""What each process of a benchmark does: the ordinary run command, ended with the benchmark.

Started by :mod:`recbole_dsl.benchmark.execution`, which holds the other end of its standard input.
"""

import os
import sys
import threading


def main():
    """Run the command line; exits as it does."""
    threading.Thread(target=_end_with_the_benchmark, daemon=True).start()
    from recbole_dsl import cli

    sys.exit(cli.main())


def _end_with_the_benchmark():
    # Nothing is ever written there; the end of the file means that the benchmark is gone, also
    # where it was killed and could tell nobody. What a run writes, it writes all of or nothing.
    # os.read, not sys.stdin: a daemon thread must hold no lock when the interpreter ends.
    os.read(0, 1)
    os._exit(1)
