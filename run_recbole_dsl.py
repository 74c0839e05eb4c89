"""Train and test a model of recbole_dsl or of RecBole, as ``recbole_dsl run``; see --help."""

import sys

try:
    from recbole_dsl.__main__ import main
except ModuleNotFoundError as error:  # in a clone of which nothing is installed
    print(f"error: the package {error.name} is not installed: pip install -e .", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
