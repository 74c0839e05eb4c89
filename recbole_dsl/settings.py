"""Settings as plain data: reading them, layering them, saying what is wrong with them.

Knows YAML and nothing of RecBole; :mod:`recbole_dsl.config` feeds the result to RecBole.
"""

import difflib
import re
from pathlib import Path

import yaml

# Settings that are maps of independent switches: a higher layer changes the keys it names and keeps
# the rest. Every other map (a split, an interval, ...) is one value and is replaced whole.
MERGED = ("train_neg_sample_args", "eval_args", "train_noise")

# The key of a property file that holds what to try when tuning: setting -> list of choices, or a
# range as recbole_dsl.tuning.ranges reads it, such as 1e-4..1e-1 log.
SEARCH = "search"


class UsageError(ValueError):
    """The user asked for something that cannot be done; str() is the one line to show."""


class _Loader(yaml.SafeLoader):
    """YAML as RecBole reads it: 1e-3 is a number, which plain YAML 1.1 takes for a string."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def yaml_loader():
    """The YAML loader class of every settings file and command-line value; builds no objects."""
    return _Loader


def properties_dir():
    """Folder of the YAML defaults: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "properties"
    return shipped if shipped.is_dir() else package.parent / "properties"


def _one_line(error):
    return " ".join(str(error).split())


def read_yaml(path):
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


def parse_value(key, text):
    """A command-line value as YAML: numbers, True, lists, maps, else the text itself.

    ``None`` is nothing, as RecBole's users write it; in YAML it would be a word.

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


def split_flags(arguments):
    """``--key=value``, ``--key value`` and ``-k value`` as a list of (flag, text) pairs.

    Raises:
        UsageError: a stray word, or a flag without its value.
    """
    pairs, rest = [], list(arguments)
    while rest:
        flag = rest.pop(0)
        if not re.match(r"--?[A-Za-z]", flag):
            raise UsageError(f"unexpected argument {flag!r}: settings are written --key=value")
        if flag.startswith("--") and "=" in flag:
            key, text = flag[2:].split("=", 1)
        else:
            key = flag.lstrip("-")
            if not rest or re.match(r"--?[A-Za-z]", rest[0]):
                raise UsageError(f"{flag} needs a value: {flag}=VALUE")
            text = rest.pop(0)
        pairs.append((key, text))
    return pairs


def nearest(name, known):
    """The known name that name was probably meant to be, or None."""
    folded = {str(k).lower(): k for k in known}
    found = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name, known):
    """``; did you mean X?`` or an empty string."""
    guess = nearest(name, known)
    return f"; did you mean {guess}?" if guess else ""


def match_type(key, value, default, text=None):
    """value, if it has the type of the setting's default; the raw text where that is a string.

    A default of None says nothing of the type. An integer passes for a float; a single value for a
    list of one is RecBole's business and passes.

    Raises:
        UsageError: the types differ.
    """
    if default is None or isinstance(default, (list, tuple)):
        return value
    if isinstance(default, str) and value is not None:
        if isinstance(value, (dict, list)):
            raise UsageError(f"{key} must be a word like {default!r}, got {value!r}")
        return str(value) if text is None else text
    if value is None:
        return text if isinstance(default, str) and text == "" else None
    wanted = type(default)
    allowed = (int, float) if wanted is float else (wanted,)
    if not isinstance(value, allowed) or (isinstance(value, bool) and wanted is not bool):
        kind = {bool: "True or False", dict: "a map {key: value}", int: "an integer"}
        raise UsageError(f"{key} must be {kind.get(wanted, 'a number')}, got {value!r}")
    return value


class Layers:
    """Settings from several places, in order; later ones win, and each value knows its place."""

    def __init__(self):
        self._layers = []

    def add(self, label, values):
        """Put a layer on top. label is what the user is told of where a value came from."""
        self._layers.append((label, dict(values)))

    def resolve(self):
        """The winning values and their labels: two dicts with the same keys."""
        values, origins = {}, {}
        for label, layer in self._layers:
            for key, value in layer.items():
                below = values.get(key)
                if key in MERGED and isinstance(below, dict) and isinstance(value, dict):
                    value = {**below, **value}
                values[key], origins[key] = value, label
        return values, origins


def require(config, key):
    """config[key], where RecBole's own Config answers None for a setting nobody gave.

    Raises:
        KeyError: the setting is missing.
    """
    if key not in config:
        raise KeyError(f"setting {key!r} is missing: no property file gives it a value")
    return config[key]
