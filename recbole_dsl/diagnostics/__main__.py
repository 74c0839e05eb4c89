"""``python -m recbole_dsl.diagnostics``."""

import sys

from recbole_dsl.diagnostics.command import main

sys.exit(main())
