"""``python machine.py NAME [option of tune ...]``: the command as on a machine of that name.

Its trials take a moment, and its heartbeats are quick, so that a test need not wait for minutes.
"""

import platform
import sys
import time

from recbole_dsl.cli.tune import main
from recbole_dsl.experiments import single_run
from recbole_dsl.experiments.tuning import storage

if __name__ == "__main__":
    name, *words = sys.argv[1:]
    run = single_run.run

    def slow_run(**arguments):
        time.sleep(0.7)
        return run(**arguments)

    single_run.run = slow_run
    platform.node = lambda: name
    storage.HEARTBEAT_SECONDS, storage.GRACE_SECONDS, storage.PAUSE_SECONDS = 1, 5, 0.2
    sys.exit(main(words))
