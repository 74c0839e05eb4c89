"""Train and test a model of recbole_dsl or of RecBole; see --help."""

import sys

from recbole_dsl.cli import main

if __name__ == "__main__":
    sys.exit(main())
