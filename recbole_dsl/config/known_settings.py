"""Which settings there are: those of a model, those of other models, and what is misspelled."""

from collections.abc import Collection
from typing import NamedTuple

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.property_files import SEARCH, properties_dir, read_yaml
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES
from recbole_dsl.models.resolve import Model

# Settings that RecBole reads and that no property file of its own lists.
UNLISTED = {
    "dataset", "model", "encoding", "tail_ratio", "POS_ITEMS", "NEG_ITEMS", "cin", "contrast",
    "eta", "feature_num", "has_residual", "norm", "sim", "token_num_threshold", "use_filter",
}  # fmt: skip


def models_by_setting() -> dict[str, list[str]]:
    """Setting -> names of the models whose own property file has it, or all pairs at once."""
    ours = properties_dir()
    found = {key: ["<Backbone>_<Loss>"] for key in read_yaml(ours / "pair.yaml")}
    of_pairs = set(found)
    for folder in (ours / "backbone", ours / "loss", ours / "model", RECBOLE_PROPERTIES / "model"):
        for path in sorted(folder.glob("*.yaml")):
            name = f"*_{path.stem}" if folder == ours / "loss" else path.stem
            name = f"{path.stem}_*" if folder == ours / "backbone" else name
            skipped = {SEARCH, *(of_pairs if folder.parent == ours else ())}
            for key in read_yaml(path).keys() - skipped:
                found.setdefault(key, []).append(name)
    return found


class Unknown(NamedTuple):
    """What becomes of a setting that the model does not have.

    Attributes:
        kept: whether it is passed on to the model; else it is dropped.
        warning: what the user is told, or None.
    """

    kept: bool
    warning: str | None


def unknown_setting(
    key: str, spec: Model, known: Collection[str], *, layer: str, shared: bool, strict: bool
) -> Unknown:
    """Decide on a setting that is not among the known ones of a model.

    Args:
        key: the setting. spec: the model. known: the model's settings.
        layer: where the setting was given. shared: whether that layer may serve several models, so
            that settings of the others are expected in it.
        strict: the setting ``strict_config``: whether a mistake stops the run.
    Raises:
        UsageError: it is taken for a mistake.
    """
    models = models_by_setting().get(key)
    own_class = spec.source == "own"  # what a user's own class reads is not known here
    if models:
        if own_class:
            return Unknown(True, None)
        shown = ", ".join(models[:3]) + (", ..." if len(models) > 3 else "")
        message = f"{key} is not a setting of {spec.name}, but of {shown}"
        if strict and not shared:
            raise UsageError(f"{message} (strict_config: False ignores it)")
    else:
        message = f"unknown setting {key!r} ({layer}){did_you_mean(key, known)}"
        if own_class:
            return Unknown(True, f"{message} (passed on to {spec.name})")
        if strict:
            raise UsageError(message)
    return Unknown(False, f"{message}; ignored")
