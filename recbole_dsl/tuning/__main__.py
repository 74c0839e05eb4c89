"""``python -m recbole_dsl.tuning``."""

import sys

from recbole_dsl.tuning.command import main

if __name__ == "__main__":  # worker processes import this file under another name
    sys.exit(main())
