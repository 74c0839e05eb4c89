"""The one schema of a model's settings: what values each may have, in nested maps too.

It is read from the property files: the type in the comment beside a value of ours,
properties/types.yaml for RecBole's, and for what that leaves out RecBole's own comments. The checks
and ``recbole_dsl settings`` are made from it. Rules between settings are in
:mod:`recbole_dsl.config.checks`.
"""

import functools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.property_files import properties_dir, read_yaml
from recbole_dsl.config.comments import Comment, comments_of
from recbole_dsl.config.layers import match_type
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES
from recbole_dsl.config.value_types import NotOfType, ValueType

_TYPES_FILE = "types.yaml"
_ANY_KEY = "*"
_LONGEST = 200  # characters of a value that a message shows

_Path = tuple[str, ...]


class Schema:
    """The settings of one model.

    Args:
        paths: the property files of the model, lowest layer first.
        defaults: what they give each setting.
    Attributes:
        types: path of a setting, such as ("eval_args", "mode") -> its type; "*" is any key.
        comments: path -> what the property files say.
    """

    def __init__(self, paths: Iterable[Path], defaults: Mapping[str, Any]) -> None:
        self._defaults = defaults
        self.types: dict[_Path, ValueType] = {}
        self.comments: dict[_Path, Comment] = {}
        ours: dict[_Path, Comment] = {}
        for path in paths:
            found = comments_of(path)
            self.comments.update(found)
            if path.is_relative_to(RECBOLE_PROPERTIES):
                self._add_recboles(found)
            else:
                if not path.is_relative_to(properties_dir()):  # its names may mean other things
                    ours.update({(key,): Comment("", "") for key in read_yaml(path)})
                ours.update(found)
        self.types.update(_types_of_file(properties_dir() / _TYPES_FILE))
        for place, comment in ours.items():
            self.types.pop(place, None)
            self._add(place, comment.type)

    def _add_recboles(self, comments: Mapping[_Path, Comment]) -> None:
        """The types in RecBole's comments, where they are true of RecBole's own values."""
        for place, comment in comments.items():
            if len(place) > 1 or place[0] not in self._defaults:
                continue
            default = self._defaults[place[0]]
            empty = " or empty" if default is None else ""
            kind = self._add(place, comment.type.replace("string", "str") + empty)
            try:
                if kind is not None:
                    kind.read(default)
            except NotOfType:
                del self.types[place]

    def _add(self, place: _Path, words: str) -> ValueType | None:
        try:
            self.types[place] = _type(words)
        except ValueError:  # words of RecBole's, or of a user's own file
            return None
        return self.types[place]

    def words(self, *place: str) -> str:
        """The type of a setting in words, as its comment has it where there is no more to say."""
        kind = self.types.get(place) or self.types.get((*place[:-1], _ANY_KEY))
        if kind is not None:
            return kind.words
        return self.comments[place].type if place in self.comments else ""

    def read(self, key: str, value: Any, text: str | None = None) -> Any:
        """The value of a setting in its normal form.

        Args:
            key: the setting. value: as YAML reads it.
            text: what the command line says, where the value is from there: where a word is
                wanted it counts as it was written.
        Raises:
            UsageError: the value is not of the setting's type, or holds a number that is not
                finite.
        """
        kind = self.types.get((key,))
        if kind is None:
            value = match_type(key, value, self._defaults.get(key), text)
        else:
            value = self._read((key,), kind, value, text)
        _check_finite(key, value)
        return value

    def _read(self, place: _Path, kind: ValueType, value: Any, text: str | None = None) -> Any:
        try:
            found = _of_type(kind, value, text)
        except NotOfType as error:
            # A word may be a list or a map to YAML, as "::" is
            word = isinstance(value, str) or (isinstance(value, (list, dict)) and kind.is_word)
            got = text if text is not None and word else value
            raise UsageError(
                f"{_name(place)} must be {error}, got {shown(got)}{kind.hint(got)}"
            ) from error
        return self._read_map(place, found) if isinstance(found, dict) else found

    def _read_map(self, place: _Path, values: dict[Any, Any]) -> dict[Any, Any]:
        depth = len(place)
        inside = {
            path[depth]: kind
            for path, kind in self.types.items()
            if len(path) == depth + 1
            and all(part in (_ANY_KEY, own) for part, own in zip(path, place, strict=False))
        }
        if not inside:
            return values
        found = {}
        for key, value in values.items():
            kind = inside.get(key, inside.get(_ANY_KEY))
            if kind is None:
                hint = did_you_mean(key, inside)
                raise UsageError(
                    f"{_name(place)} has no key {shown(key)} (known: {', '.join(inside)}){hint}"
                )
            found[key] = self._read((*place, str(key)), kind, value)
        return found


@functools.lru_cache(maxsize=512)
def _type(words: str) -> ValueType:
    return ValueType(words)


@functools.lru_cache(maxsize=8)
def _types_of_file(path: Path) -> dict[_Path, ValueType]:
    return {tuple(key.split(".")): ValueType(words) for key, words in read_yaml(path).items()}


def _of_type(kind: ValueType, value: Any, text: str | None) -> Any:
    """value in its normal form, or text where that is a word and value none, or not allowed."""
    if text is None or (value is None and text == "None"):
        return kind.read(value)
    try:
        found = kind.read(value)
    except NotOfType:
        return kind.read(text)
    if isinstance(found, str) and not isinstance(value, str):
        return kind.read(text)
    return found


def _name(place: _Path) -> str:
    """``sample_num of train_neg_sample_args``."""
    return " of ".join(part if part.isprintable() else repr(part) for part in reversed(place))


def shown(value: Any) -> str:
    """A value in one line of a message."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _check_finite(key: str, value: Any) -> None:
    """Results are JSON, which has no infinity and no NaN."""
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, dict):
            rest += [*item, *item.values()]
        elif isinstance(item, (list, tuple)):
            rest += item
        elif isinstance(item, float) and not math.isfinite(item):
            raise UsageError(f"{key} must hold finite numbers, got {shown(value)}")
