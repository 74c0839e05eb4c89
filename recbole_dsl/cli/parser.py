"""From the words of a command line to options, settings and file names, by tables of options.

argparse finds the options; what it would abbreviate, accept twice or answer with a page of usage
is refused here in one line. RecBole's settings, ``--key=value`` with any key, it does not know:
they are collected beside it.
"""

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from recbole_dsl.common import property_files
from recbole_dsl.common.errors import UsageError, did_you_mean


def as_text(name: str, text: str) -> str:
    """The text as it is."""
    return text


def as_value(name: str, text: str) -> Any:
    """The text as YAML; whoever gets the value checks it."""
    return property_files.parse_value(name, text)


def as_list(name: str, text: str) -> Any:
    """``a,b`` or ``[a, b]`` as a list, its entries read as YAML."""
    return as_value(name, text if text.lstrip()[:1] == "[" else f"[{text}]")


def as_files(name: str, text: str) -> list[str]:
    """Paths separated by blanks, or a list of them, as RecBole's functions take it."""
    if text.lstrip()[:1] != "[":
        return text.split()
    found = property_files.parse_value(name, text)
    if not isinstance(found, list) or not all(isinstance(path, str) for path in found):
        raise UsageError(f"--{name} must be paths, got {text!r}")
    return found


def as_switch(name: str, text: str) -> bool:
    """True or False; an option read by this may stand without a value and is True then."""
    value = property_files.parse_value(name, text)
    if not isinstance(value, bool):
        raise UsageError(f"--{name} must be True or False, got {text!r}")
    return value


def as_path_or_true(name: str, text: str) -> str | bool:
    """A path, True or False; an option read by this may stand without a value and is True then."""
    return {"True": True, "False": False}.get(text, text)


def as_count(name: str, text: str) -> int:
    """An integer >= 1."""
    if not re.fullmatch(r"[1-9]\d*", text):
        raise UsageError(f"--{name} must be an integer >= 1, got {text!r}")
    return int(text)


def as_seconds(name: str, text: str) -> float:
    """A number > 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise UsageError(f"--{name} must be a number > 0, got {text!r}")
    return value


class Option(NamedTuple):
    """An option of a command, for the parser and for its help.

    Attributes:
        name: written ``--name``.
        meaning: what the help says, without the default.
        value: what the help writes after ``--name=``; empty for one that stands without a value.
        default: its value where it is not given, as it would be written on the command line. None:
            the option is then left out of what :func:`parse` returns.
        short: a letter, for ``-m VALUE``.
        aliases: other names for it, those of RecBole's scripts and functions.
        read: (name, text) -> value; raises UsageError.
    """

    name: str
    meaning: str
    value: str = ""
    default: str | None = None
    short: str = ""
    aliases: tuple[str, ...] = ()
    read: Callable[[str, str], Any] = as_text


def switch(name: str, meaning: str) -> Option:
    """An option that stands without a value and is False where it is not given."""
    return Option(name, meaning, default="False", read=as_switch)


class Arguments(NamedTuple):
    """A command line, taken apart.

    Attributes:
        options: name -> value, of the options given and of those with a default.
        given: names of the options that were given.
        settings: (key, text) of every ``--key=text`` that is no option, in order.
        operands: the words that belong to no option, such as files, in order.
        words: the whole command line as it came.
    """

    options: dict[str, Any]
    given: frozenset[str]
    settings: list[tuple[str, str]]
    operands: list[str]
    words: list[str]


def parse(
    options: Iterable[Option],
    words: Sequence[str],
    *,
    settings: bool = False,
    operands: bool = False,
) -> Arguments:
    """Take a command line apart.

    Accepted are ``--name=VALUE``, ``--name VALUE``, ``-n VALUE``, ``-n=VALUE`` and, for options
    read by :func:`as_switch`, ``--name`` alone. Names are never abbreviated.

    Args:
        options: those of the command. words: the command line.
        settings: whether other ``--key=value`` are settings; else they are mistakes.
        operands: whether words that belong to no option are taken; else they are mistakes.
    Raises:
        UsageError: an unknown option, one without its value or given twice, a value that cannot be
            read, a word where none belongs.
    """
    table = {option.name: option for option in options}
    parser = _Parser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for option in table.values():
        flags = [f"-{option.short}"] if option.short else []
        flags += [f"--{name}" for name in (*option.aliases, option.name)]  # messages name the last
        parser.add_argument(*flags, dest=option.name, action=_Once)
    try:
        by_flag = {alias: option for option in table.values() for alias in option.aliases}
        found, rest = parser.parse_known_args(_joined(words, {**table, **by_flag}, settings))
    except argparse.ArgumentError as error:  # there is no other: each option has one value
        flag = str(error.argument_name).rpartition("/")[2]
        raise UsageError(f"{flag} needs a value: {flag}=VALUE") from error
    given = {name: text for name, text in vars(found).items() if text is not None}
    values = {name: table[name].read(name, text) for name, text in given.items()}
    for name, option in table.items():
        if name not in given and option.default is not None:
            values[name] = option.read(name, option.default)
    pairs = [
        (word[2:].partition("=")[0], word.partition("=")[2]) for word in rest if _is_flag(word)
    ]
    others = [word for word in rest if not _is_flag(word)]
    _check_twice(pairs)
    if others and not operands:
        raise UsageError(f"unexpected argument {others[0]!r}: options are written --name=VALUE")
    return Arguments(values, frozenset(given), pairs, others, list(words))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong by an exception, where argparse prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


class _Once(argparse.Action):
    """Keeps the text of an option, and refuses a second one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        _refuse_twice(self.dest, getattr(namespace, self.dest), values)
        setattr(namespace, self.dest, values)


def _refuse_twice(name: str, before: str | None, text: str) -> None:
    if before is not None:
        raise UsageError(f"--{name} is given twice: {before!r} and {text!r}")


def _check_twice(pairs: Iterable[tuple[str, str]]) -> None:
    texts: dict[str, str] = {}
    for key, text in pairs:
        _refuse_twice(key, texts.get(key), text)
        texts[key] = text


def _is_flag(word: str) -> bool:
    return re.match(r"--?[A-Za-z]", word) is not None


def _joined(words: Sequence[str], table: dict[str, Option], settings: bool) -> list[str]:
    """The words with each switch and each setting as one word, ``--key=value``.

    argparse cannot know whether the word after them is their value.
    """
    done, rest = [], list(words)
    shorts = {f"-{option.short}" for option in table.values() if option.short}
    while rest:
        word = rest.pop(0)
        flag, equals, _ = word.partition("=")
        option = table.get(flag.removeprefix("--"))
        known = flag in shorts or (option is not None and flag.startswith("--"))
        if _is_flag(word) and not known:
            if not settings or not flag.startswith("--"):
                raise UsageError(f"unknown flag {flag}{_meant(flag, table)} (see --help)")
            if not equals:
                if not rest or _is_flag(rest[0]):
                    near = _meant(flag, table)
                    raise UsageError(f"{flag} needs a value: {flag}=VALUE{near}")
                word = f"{flag}={rest.pop(0)}"
        elif option is not None and known and option.read is as_path_or_true and not equals:
            word = f"{flag}={'True' if not rest or _is_flag(rest[0]) else rest.pop(0)}"
        elif option is not None and known and option.read is as_switch and not equals:
            word = f"{flag}={rest.pop(0) if rest[:1] in (['True'], ['False']) else 'True'}"
        done.append(word)
    return done


def _meant(flag: str, names: Collection[str]) -> str:
    return did_you_mean(flag.lstrip("-"), names)
