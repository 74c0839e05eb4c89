"""What values a setting takes, read from a few words: ``int >= 1 or all``, ``float > 0 or empty``.

The words stand in the comments of property files, ``key: value  # (words) meaning``, and, for what
RecBole's own files leave open, in properties/types.yaml. They are joined by `` or ``:

- ``int``, ``float``, ``bool``, ``str`` (any text), ``list``, ``dict``, ``empty`` (None, ``~``);
  after ``int`` and ``float`` bounds such as ``>= 0 < 1``; ``list of TYPE`` is a list of them;
- a name of :data:`FORMATS`, such as ``interval``;
- anything else is a word that the value may be.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from recbole_dsl.common.errors import did_you_mean
from recbole_dsl.config.value_formats import FORMATS

_BOUND = re.compile(r"(>=|<=|>|<) (-?\d+(?:\.\d+)?(?:e-?\d+)?)")
_NUMBER = re.compile(rf"(int|float)((?: {_BOUND.pattern})*)")
_LARGEST = 2**63 - 1  # what torch and NumPy hold in an integer
_SCALARS = (str, int, float)


class NotOfType(ValueError):
    """A value is not of a type; str() is what the type allows."""


class _Choice(NamedTuple):
    """One of the types that a setting may have.

    Attributes:
        allowed: what it allows, after "must be ".
        read: a value in its normal form; raises ValueError for a value that is no such.
    """

    allowed: str
    read: Callable[[Any], Any]


class ValueType:
    """A type, from its words.

    Attributes:
        words: as they stand in the comment.
        allowed: what it allows, in a sentence after "must be ".
        takes_none: whether it may be empty.
        is_word: whether it is a text of some form, and neither a list nor a map.

    Raises:
        ValueError: the words are none of a type.
    """

    def __init__(self, words: str) -> None:
        self.words = words
        parts = [part.strip() for part in words.split(" or ")]
        if not all(parts):
            raise ValueError(f"no type: {words!r}")
        self._literals = [part for part in parts if _is_literal(part)]
        self._choices = [_choice(part) for part in parts]
        said = [choice.allowed for choice in self._choices]
        self.allowed = " or ".join(filter(None, [", ".join(said[:-1]), said[-1]]))
        self.takes_none = "empty" in parts
        self.is_word = {"empty", "str", *FORMATS}.issuperset(parts)

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return ValueType, (self.words,)  # RecBole pickles a Config with the data

    def read(self, value: Any) -> Any:
        """A value in its normal form: a word as the type spells it, a text without its quotes.

        Raises:
            NotOfType: it is not of this type.
        """
        if value == "None" and isinstance(value, str) and self.takes_none:
            return None  # as RecBole's users write it in YAML, where it is a word
        for choice in self._choices:
            try:
                return choice.read(value)
            except (ValueError, TypeError):
                continue
        raise NotOfType(self.allowed)

    def hint(self, value: Any) -> str:
        """``; did you mean X?`` where the value is close to a word of the type."""
        return did_you_mean(value, self._literals) if isinstance(value, str) else ""


def _choice(words: str) -> _Choice:
    if words.startswith("list of "):
        return _list_of(ValueType(words.removeprefix("list of ")))
    number = _NUMBER.fullmatch(words)
    if number:
        return _number(number[1], _BOUND.findall(number[2]))
    if words in _PLAIN:
        return _PLAIN[words]
    if words in FORMATS:
        return _Choice(*FORMATS[words])
    if not _is_literal(words):
        raise ValueError(f"no type: {words!r}")
    return _Choice(words, lambda value: _literal(value, words))


def _is_literal(words: str) -> bool:
    known = words in _PLAIN or words in FORMATS or _NUMBER.fullmatch(words)
    return not known and re.fullmatch(r"[\w.+@*-]+", words) is not None


def _literal(value: Any, word: str) -> str:
    if not isinstance(value, _SCALARS) or str(value).lower() != word.lower():
        raise ValueError
    return word


def _number(kind: str, bounds: list[tuple[str, str]]) -> _Choice:
    low, high, opened, closed = -math.inf, math.inf, "[", "]"
    for sign, text in bounds:
        if sign[0] == ">":
            low, opened = float(text), "[" if sign == ">=" else "("
        else:
            high, closed = float(text), "]" if sign == "<=" else ")"

    def read(value: Any) -> Any:
        allowed = (int,) if kind == "int" else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise ValueError
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise ValueError
        inside = (low < value or (value == low and opened == "[")) and (
            value < high or (value == high and closed == "]")
        )
        if not inside or not math.isfinite(value):
            raise ValueError
        return value

    said = {"int": "an integer", "float": "a number"}[kind]
    if low > -math.inf and high < math.inf:
        said += f" in {opened}{low:.10g}, {high:.10g}{closed}"
    elif bounds:
        said += " " + " ".join(bounds[0])
    return _Choice(said, read)


def _list_of(kind: ValueType) -> _Choice:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise ValueError
        return [kind.read(item) for item in value]

    return _Choice(f"a list (each {kind.allowed})", read)


def _is_a(*kinds: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, kinds):
            raise ValueError
        return value

    return read


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return bool(_is_a(bool)(value))


def _map(value: Any) -> dict[Any, Any]:
    return dict(_is_a(dict, Mapping)(value))


def _list(value: Any) -> list[Any]:
    return list(_is_a(list, tuple)(value))


_PLAIN = {
    "bool": _Choice("True or False", _flag),
    "str": _Choice("a word", lambda value: str(_is_a(*_SCALARS)(value))),
    "list": _Choice("a list", _list),
    "dict": _Choice("a map {key: value}", _map),
    "empty": _Choice("empty", _is_a(type(None))),
}
