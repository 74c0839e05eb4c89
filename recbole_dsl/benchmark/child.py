"""What each process of a benchmark does, ended with the benchmark: the run command, or a study.

Started by :mod:`recbole_dsl.benchmark.execution`, which holds the other end of its standard input.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

_PATIENCE = 10  # seconds that a trial is given to say that it was interrupted


def main():
    """Run the command line; exits as it does."""
    threading.Thread(target=_end_with_the_benchmark, daemon=True).start()
    from recbole_dsl import cli

    sys.exit(cli.main())


def tune():
    """Go on with the study of a folder, whose ``study.json`` has the arguments of ``tune``.

    Leaves ``outcome.json`` there: what ``tune`` returns, or its ``error`` where no trial could win.
    """
    # The benchmark stops its processes by SIGTERM, and a trial that is interrupted says so: one
    # that is killed, three times, would be given up as one that the machine cannot hold.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_stop_with_the_benchmark, daemon=True).start()
    from recbole_dsl.checkpoint import write_atomically
    from recbole_dsl.settings import UsageError
    from recbole_dsl.tuning import search
    from recbole_dsl.tuning.worker import NothingToSelectOnError

    folder = Path(sys.argv[1])
    given = json.loads((folder / "study.json").read_text())
    try:
        found = search.tune(**given["arguments"], output=str(folder), tested=False)
    except (search.NoWinnerError, NothingToSelectOnError) as error:
        found = {"error": str(error)}
    except UsageError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    text = json.dumps({**found, "asked": given["asked"]}, indent=1) + "\n"
    write_atomically(folder / "outcome.json", lambda temporary: temporary.write_text(text))


def _stop_with_the_benchmark():
    os.read(0, 1)  # as below
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE)
    os._exit(1)


def _end_with_the_benchmark():
    # Nothing is ever written there; the end of the file means that the benchmark is gone, also
    # where it was killed and could tell nobody. What a run writes, it writes all of or nothing.
    # os.read, not sys.stdin: a daemon thread must hold no lock when the interpreter ends.
    os.read(0, 1)
    os._exit(1)
