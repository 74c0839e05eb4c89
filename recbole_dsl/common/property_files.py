"""Settings files (YAML) and single values on the command line, as plain data."""

import copy
import datetime
import functools
import os
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from recbole_dsl.common.errors import UsageError, did_you_mean

# The key of a property file under which tuning finds what to try: setting -> list of choices, or a
# range such as 1e-4..1e-1 log, as recbole_dsl.experiments.tuning.search_space reads it.
SEARCH = "search"
# In place of the path of a settings file: one of this package's, by name.
PRESET = "preset:"

# Bounds of what a settings file holds: an anchor that refers to itself, or a few that refer to each
# other, have no end.
_MOST_VALUES, _DEEPEST = 100_000, 30
_PLAIN = (str, int, float, datetime.date)  # bool is an int, a datetime a date
# RecBole's interval, such as [5,inf): a list to YAML, or the beginning of one.
_INTERVAL = re.compile(r"[\[(][^\[\](){}'\"]*,[^\[\](){}'\"]*[\])](;[\[(][^\[\](){}'\"]*[\])])*")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML as RecBole reads it: 1e-3 is a number, which plain YAML 1.1 takes for a string.

    Of two equal keys of a map PyYAML keeps the last one; here they are a mistake.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()  # ids of nodes: merging (<<) adds keys to them afterwards

    def flatten_mapping(self, node: Any) -> None:
        """PyYAML's first step on each map: checked here, before keys of others are merged in."""
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._check_keys(node)
        super().flatten_mapping(node)

    def _check_keys(self, node: Any) -> None:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    line = key_node.start_mark.line + 1
                    raise yaml.YAMLError(f"the key {key!r} is there twice, again in line {line}")
                seen.add(key)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def yaml_loader() -> type:
    """The YAML loader class of every settings file and command-line value; builds no objects."""
    return _Loader


def properties_dir() -> Path:
    """Folder of the YAML defaults: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "properties"
    return shipped if shipped.is_dir() else package.parent / "properties"


def presets() -> dict[str, Path]:
    """The files of settings that come with this package, by name."""
    return {path.stem: path for path in sorted((properties_dir() / "presets").glob("*.yaml"))}


def settings_file(given: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The path of a file of settings, which ``preset:NAME`` is too.

    Raises:
        UsageError: there is no such preset.
    """
    if not isinstance(given, str) or not given.startswith(PRESET):
        return given
    name, known = given.removeprefix(PRESET), presets()
    if name not in known:
        hint = did_you_mean(name, known)
        raise UsageError(f"unknown preset {name!r} (known: {', '.join(known)}){hint}")
    return known[name]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _load(text: str) -> Any:
    """The content of a YAML text, as lists and maps of words and numbers; the caller may change it.

    Raises:
        ValueError: it is not YAML, holds something else, or has no end.
    """
    return copy.deepcopy(_parse(text))


# A study reads the same dozen files for each of its runs, and PyYAML takes 5 ms for one.
@functools.lru_cache(maxsize=512)
def _parse(text: str) -> Any:
    try:
        value = yaml.load(text, Loader=_Loader)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except Exception as error:  # a tag on a value that is no such: KeyError, AttributeError, ...
        raise ValueError(_one_line(error)) from error
    open_values, count = [(value, 0)], 0
    while open_values:
        item, depth = open_values.pop()
        count += 1
        if count > _MOST_VALUES or depth > _DEEPEST:
            raise ValueError("it holds too much, or an anchor that refers to itself")
        if isinstance(item, dict):
            open_values += [(inner, depth + 1) for pair in item.items() for inner in pair]
        elif isinstance(item, list):
            open_values += [(inner, depth + 1) for inner in item]
        elif item is not None and not isinstance(item, _PLAIN):
            raise ValueError(f"it holds {_one_line(ValueError(item))}, no word and no number")
    return value


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The map in a YAML file, {} where it is empty.

    Raises:
        UsageError: the file cannot be read, is not YAML, or holds something else than a map.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read settings file {path}: {_one_line(error)}") from error
    try:
        values = _load(text)
    except ValueError as error:
        raise UsageError(f"settings file {path} is not YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"settings file {path} must hold lines of `key: value`")
    return values


def parse_value(key: str, text: str) -> Any:
    """A command-line value as YAML: numbers, True, lists, maps, else the text itself.

    ``None`` is Python's None, as RecBole's users write it; in YAML it would be a word. A blank is
    itself, and so is an interval such as ``[5,inf)``.

    Raises:
        UsageError: the text starts like a list or map and does not parse.
    """
    if text == "None":
        return None
    if text and not text.strip():
        return text
    try:
        return _load(text)
    except ValueError as error:
        if text.lstrip()[:1] in ("[", "{", "&") and not _INTERVAL.fullmatch(text.strip()):
            raise UsageError(f"--{key}: {text!r} is not a list or map: {error}") from error
        return text


def require(config: Mapping[str, Any], key: str) -> Any:
    """config[key]. RecBole's Config gives None for a setting that is missing; this raises.

    Raises:
        KeyError: the setting is missing.
    """
    if key not in config:
        raise KeyError(f"setting {key!r} is missing: no property file gives it a value")
    return config[key]
