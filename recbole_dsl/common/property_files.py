"""Settings files (YAML) and single values on the command line, as plain data."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from recbole_dsl.common.errors import UsageError

# The key of a property file under which tuning finds what to try: setting -> list of choices, or a
# range such as 1e-4..1e-1 log, as recbole_dsl.experiments.tuning.search_space reads it.
SEARCH = "search"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML as RecBole reads it: 1e-3 is a number, which plain YAML 1.1 takes for a string."""


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


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


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
        values = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"settings file {path} is not YAML: {_one_line(error)}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"settings file {path} must hold lines of `key: value`")
    return values


def parse_value(key: str, text: str) -> Any:
    """A command-line value as YAML: numbers, True, lists, maps, else the text itself.

    ``None`` is Python's None, as RecBole's users write it; in YAML it would be a word.

    Raises:
        UsageError: the text starts like a list or map and does not parse.
    """
    if text == "None":
        return None
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        if text.lstrip()[:1] in ("[", "{"):
            reason = _one_line(error)
            raise UsageError(f"--{key}: {text!r} is not a list or map: {reason}") from error
        return text


def require(config: Mapping[str, Any], key: str) -> Any:
    """config[key]. RecBole's Config gives None for a setting that is missing; this raises.

    Raises:
        KeyError: the setting is missing.
    """
    if key not in config:
        raise KeyError(f"setting {key!r} is missing: no property file gives it a value")
    return config[key]
