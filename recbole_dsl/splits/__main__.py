"""``python -m recbole_dsl.splits``."""

import sys

from recbole_dsl.splits.command import main

sys.exit(main())
