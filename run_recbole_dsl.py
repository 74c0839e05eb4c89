"""Train and test a model of recbole_dsl or of RecBole, as ``recbole_dsl run``; see --help."""

import sys

from recbole_dsl.cli.run import main

if __name__ == "__main__":
    sys.exit(main())
