"""What the commands that make files share: help, one line for every mistake, the exit code."""

import sys

from recbole_dsl.settings import UsageError


def run(work, help_text, arguments=None, failures=(), kept="nothing is written"):
    """Print what work(arguments) returns; the exit code: 0, 2 for bad input, 130 for Ctrl-C.

    Args:
        work: list of command-line words -> text to print.
        help_text: what --help prints.
        arguments: the words; None: those of this process.
        failures: exceptions that are one line too, with exit code 1.
        kept: what is said of the work done before Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if any(flag in arguments for flag in ("-h", "--help")):
        print(help_text, end="")
        return 0
    try:
        print(work(arguments))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except tuple(failures) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; {kept}", file=sys.stderr)
        return 130
    return 0
