"""``recbole_dsl <command>``, also ``python -m recbole_dsl <command>``."""

import sys
from collections.abc import Sequence

from recbole_dsl._version import __version__
from recbole_dsl.cli import (
    benchmark,
    diagnose,
    export,
    import_data,
    list_models,
    recommend,
    run,
    serve,
    settings,
    split_data,
    tune,
)
from recbole_dsl.cli.command import PROGRAM, failed
from recbole_dsl.cli.process import outputs_kept
from recbole_dsl.common.errors import did_you_mean

COMMANDS = {
    module.COMMAND.name: module.COMMAND
    for module in (
        run, import_data, split_data, tune, benchmark, diagnose, recommend, export, serve,
        list_models, settings,
    )
}  # fmt: skip


def help_text() -> str:
    """The help of the program: its commands, a line each."""
    lines = [f"  {command.name:<12}{command.summary}" for command in COMMANDS.values()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND [OPTIONS]",
            "",
            "Softmax losses for RecBole, with splits, group metrics, tuning and benchmarks.",
            "",
            "Commands:",
            *lines,
            "",
            "Options:",
            "  -h, --help  print this text, or that of a command: recbole_dsl run --help",
            "  --version   print the version",
        ]
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the first word names.

    Args:
        words: the command line; None: that of this process.
    Returns:
        The exit code of the command; 2 where there is no such command.
    """
    with outputs_kept():
        return _main(sys.argv[1:] if words is None else list(words))


def _main(words: list[str]) -> int:
    name, *rest = words or [""]
    if name in ("-h", "--help"):
        print(help_text())
        return 0
    if name == "--version":
        print(f"{PROGRAM} {__version__}")
        return 0
    if not name:
        print(help_text(), file=sys.stderr)
        return 2
    if name not in COMMANDS:
        meant = (
            "; did you mean recbole_dsl run?" if name[0] == "-" else did_you_mean(name, COMMANDS)
        )
        return failed(f"unknown command {name!r} (known: {', '.join(COMMANDS)}){meant}", 2)
    if rest and rest[0] in COMMANDS and not COMMANDS[name].operands:
        # As in `python run_recbole_dsl.py tune`, whose command is always run.
        return failed(f"{rest[0]!r} is a command of its own: {PROGRAM} {rest[0]}", 2)
    return COMMANDS[name].run(rest)


if __name__ == "__main__":
    sys.exit(main())
