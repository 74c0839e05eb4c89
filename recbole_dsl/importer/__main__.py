"""``python -m recbole_dsl.importer``."""

import sys

from recbole_dsl.importer.command import main

sys.exit(main())
