"""Texts with a form of their own: intervals, modes of evaluation, separators, encodings."""

import codecs
import math
import re
from collections.abc import Callable
from typing import Any

_NUMBERS = re.compile(r" *[1-9]\d{0,8} *(, *[1-9]\d{0,8} *)*")
_MODE = re.compile(r"full|labeled|(?:uni|pop)[1-9]\d{0,8}")


def interval(value: Any) -> str:
    """RecBole's interval, ``[5,inf)``, or several, ``[0,1];(3,4]``; from a list of two, as YAML
    reads ``[5,29]``, too.

    Raises:
        ValueError: it is none, or its ends are the wrong way round.
    """
    if isinstance(value, (list, tuple)):
        if len(value) != 2 or any(isinstance(end, (bool, list, dict)) for end in value):
            raise ValueError
        value = f"[{value[0]},{value[1]}]"
    if not isinstance(value, str):
        raise ValueError
    for part in value.split(";"):
        part = part.strip()
        if len(part) < 2 or part[0] not in "[(" or part[-1] not in ")]":
            raise ValueError
        low, high = map(float, part[1:-1].split(","))
        if math.isnan(low) or math.isnan(high) or low > high:
            raise ValueError
    return value


def _mode(value: Any) -> str:
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise ValueError
    return value


def _name(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError
    text = str(value)
    if not text.strip() or not text.isprintable():
        raise ValueError
    return text


def _numbers(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(
        r" *[1-9]\d{0,8} *(, *[1-9]\d{0,8} *)*", value
    ):
        raise ValueError
    return value


def _separator(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    text = value.replace("\\t", "\t")  # as a shell gives "\t"
    if len(text) != 1 or text in "\r\n:":
        raise ValueError
    return text


def _encoding(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    try:
        codecs.lookup(value)
        "a".encode(value).decode(value, "replace")  # which idna, for one, cannot do
    except (LookupError, UnicodeError) as error:
        raise ValueError from error
    return value


# name -> (what it allows, after "must be ", and its reader, which raises ValueError).
FORMATS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("a word", _name),
    "path": ("a path", _name),
    "numbers": ("numbers such as 5,10", _numbers),
    "interval": ('an interval such as "[5,inf)"', interval),
    "mode": ("full, labeled, uniN or popN with N >= 1 candidates", _mode),
    "character": ("one character", _separator),
    "encoding": ("an encoding that Python knows, such as utf-8", _encoding),
}
