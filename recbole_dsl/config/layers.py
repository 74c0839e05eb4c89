"""Settings from several places, in order: later ones win, and each value knows its place."""

from collections.abc import Mapping
from typing import Any

from recbole_dsl.common.errors import UsageError

# Settings that are maps of independent switches: a higher layer changes the keys it names and keeps
# the rest. Every other map (a split, an interval, ...) is one value and is replaced whole.
MERGED = ("train_neg_sample_args", "eval_args", "train_noise")


def match_type(key: str, value: Any, default: Any, text: str | None = None) -> Any:
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
    """Settings from several places, lowest first."""

    def __init__(self) -> None:
        self._layers: list[tuple[str, dict[str, Any]]] = []

    def add(self, label: str, values: Mapping[str, Any]) -> None:
        """Put a layer on top. label is what the user is shown as the origin of its values."""
        self._layers.append((label, dict(values)))

    def add_below(self, label: str, values: Mapping[str, Any]) -> None:
        """Put a layer under all others."""
        self._layers.insert(0, (label, dict(values)))

    def names_without(self, label: str) -> set[str]:
        """The settings of all layers but one."""
        return {key for name, layer in self._layers if name != label for key in layer}

    def resolve(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The winning values and the labels of their layers: two dicts with the same keys."""
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for label, layer in self._layers:
            for key, value in layer.items():
                below = values.get(key)
                if key in MERGED and isinstance(below, dict) and isinstance(value, dict):
                    value = {**below, **value}
                values[key], origins[key] = value, label
        return values, origins
