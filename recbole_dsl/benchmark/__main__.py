import sys

from recbole_dsl.benchmark.command import main

if __name__ == "__main__":
    sys.exit(main())
