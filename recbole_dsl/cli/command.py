"""A command: its table of options, its help, its way from words to an exit code."""

import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from recbole_dsl.cli.parser import Arguments, Option, parse
from recbole_dsl.cli.process import Stopped, outputs_kept, signals_raised
from recbole_dsl.common.errors import (
    NonFiniteLossError,
    NothingToSelectOnError,
    NoWinnerError,
    ProcessError,
    UsageError,
    missing_package,
)
from recbole_dsl.common.files import system_words

PROGRAM = "recbole_dsl"
WIDTH = 100  # of every help, in characters
_COLUMN = 26  # where meanings begin
# What a run or a study ends with that is no mistake of the command line: one line too.
_FAILURES = (NonFiniteLossError, ProcessError, NoWinnerError, NothingToSelectOnError)
_HELP = Option("help", "print this text and exit", short="h")


class Command(NamedTuple):
    """A command.

    Attributes:
        name: written ``recbole_dsl <name>``.
        summary: a line for the list of commands.
        usage: what follows the name, a line for each form.
        about: what it does; paragraphs are wrapped, indented lines stay as they are.
        options: in the order of the help.
        settings: what the help says of ``--KEY=VALUE``, as options; empty: the command takes none.
        settings_about: paragraphs below them.
        examples: command lines.
        exit_codes: (code, meaning), beside those of every command.
        operands: whether it takes words that belong to no option, such as files.
        work: does it; returns the exit code.
        interrupted: what is said after Ctrl-C of the work done so far.
    """

    name: str
    summary: str
    usage: Sequence[str]
    about: str
    options: Sequence[Option]
    examples: Sequence[str]
    work: Callable[[Arguments], int]
    settings: Sequence[Option] = ()
    settings_about: str = ""
    exit_codes: Sequence[tuple[int, str]] = ()
    operands: bool = False
    interrupted: str = "nothing is written"

    def parse(self, words: Sequence[str]) -> Arguments:
        """The command line of this command, taken apart; see :func:`parser.parse`."""
        return parse(self.options, words, settings=bool(self.settings), operands=self.operands)

    def run(self, words: Sequence[str] | None = None) -> int:
        """Do what a command line asks for; every mistake is one line on standard error.

        Args:
            words: the command line; None: that of this process.
        Returns:
            The exit code: that of ``work``; 1 where training failed or the system refused a file,
            2 where the command line or the installation is wrong, 130 after Ctrl-C, 128 and the
            number of another signal after that.
        """
        words = sys.argv[1:] if words is None else list(words)
        try:
            with outputs_kept():
                return self._run(words)
        except OSError as error:  # of standard output
            return failed(system_words(error), 1)

    def _run(self, words: Sequence[str]) -> int:
        if asks_for_help(words):
            print(help_text(self))
            return 0
        try:
            with signals_raised():
                return self.work(self.parse(words))
        except (UsageError, ImportError) as error:
            return failed(error, 2)
        except _FAILURES as error:
            return failed(error, 1)
        except OSError as error:
            return failed(system_words(error), 1)
        except Stopped as signal:
            print(f"stopped by {signal}; {self.interrupted}", file=sys.stderr)
            return 128 + signal.number
        except KeyboardInterrupt:
            print(f"interrupted; {self.interrupted}", file=sys.stderr)
            return 130


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether ``-h`` or ``--help`` is among the words."""
    return "-h" in words or "--help" in words


def failed(error: Exception | str, code: int) -> int:
    """Print one line on standard error; returns the exit code."""
    text = missing_package(error) if isinstance(error, ModuleNotFoundError) else str(error)
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    return code


def help_text(command: Command) -> str:
    """The help of a command: usage, what it does, options, settings, examples, exit codes."""
    prefix = f"{PROGRAM} {command.name}"
    forms = [f"{prefix} {form}".rstrip() for form in command.usage]
    settings = [_entry(option) for option in command.settings] or ["  none beside these options"]
    codes = {
        0: "done",
        1: "a file cannot be written",
        2: "wrong input; nothing is written",
        130: "stopped by Ctrl-C",
        143: "stopped by SIGTERM",
    }
    for code, text in command.exit_codes:
        codes[code] = f"{text}, or {codes[code]}" if code == 1 else text
    sections = [
        "usage: " + "\n       ".join(forms),
        _wrapped(command.about),
        "\n".join(["Options:", *map(_entry, [*command.options, _HELP])]),
        "\n".join(["Settings:", *settings]),
        *([_wrapped(command.settings_about, "  ")] if command.settings_about else []),
        "\n".join(["Examples:", *(f"  {prefix} {words}".rstrip() for words in command.examples)]),
        "\n".join(["Exit codes:", *(f"  {code:<5}{text}" for code, text in sorted(codes.items()))]),
    ]
    return "\n\n".join(sections)


def _entry(option: Option) -> str:
    """An option and its meaning, side by side or one below the other."""
    short = f"-{option.short}, " if option.short else ""
    flag = f"  {short}--{option.name}" + (f"={option.value}" if option.value else "")
    meaning = option.meaning + (f" (default: {option.default})" if option.default else "")
    if option.aliases:
        meaning += f"; also --{', --'.join(option.aliases)}"
    lines = _filled(meaning, " " * _COLUMN).splitlines()
    if len(flag) <= _COLUMN - 2:
        lines[0] = flag.ljust(_COLUMN) + lines[0].lstrip()
        return "\n".join(lines)
    return "\n".join([flag, *lines])


def _wrapped(text: str, indent: str = "") -> str:
    """Paragraphs wrapped; those that begin with a blank are kept line by line."""
    paragraphs = textwrap.dedent(text).strip("\n").split("\n\n")
    return "\n\n".join(
        textwrap.indent(paragraph, indent)
        if paragraph.startswith(" ")
        else _filled(" ".join(paragraph.split()), indent)
        for paragraph in paragraphs
    )


def _filled(text: str, indent: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
