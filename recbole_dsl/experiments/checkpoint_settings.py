"""The settings of a run out of its checkpoint: all of them but paths, classes and code.

A checkpoint may come from anybody. Its tensors and plain data run nothing; what its settings name
might: RecBole unpickles the files of some, and evaluates the text of one. So these are taken from
the caller alone, and a checkpoint whose settings need them is refused until the caller has named
them.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.property_files import read_yaml
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES
from recbole_dsl.config.run_config import Config
from recbole_dsl.models.resolve import imported_for, resolve_model

# Of no meaning for a model that is trained: how the run was made and where its files went.
_LEFT_OUT = frozenset(
    {
        "cache_dir", "checkpoint_dir", "checkpoint_every", "config_files", "dataset_cache",
        "device", "gpu_id", "group_offset", "init_from", "ip", "log_wandb", "nproc", "port",
        "result_file", "save_dataloaders", "save_dataset", "show_progress", "use_gpu", "verbose",
        "wandb_project", "world_size",
    }
)  # fmt: skip
# Code or files by other names than a path's: KD_DAGFM's.
_CODE = frozenset({"teacher", "warm_up"})
_A_PATH = re.compile(r".*(path|dir|file|folder)s?\Z", re.IGNORECASE)
# Parts of file names, which must not leave the dataset's folder.
_PARTS_OF_NAMES = ("dataset", "benchmark_filename", "additional_feat_suffix")


def model_of(state: Mapping[str, Any], name: str, model: str | None = None) -> str:
    """The model of a checkpoint: of this package or of RecBole, or one that is registered in this
    process; one whose class is to be imported only where the caller names the same.

    Args:
        state: the checkpoint. name: what messages call it.
        model: the model that the caller names, as a run is told it; None: the checkpoint's.
    Raises:
        UsageError: another model, or a class that the caller has not named.
    """
    stored: str = state["model"]
    if model is not None and model != stored:
        raise UsageError(f"{name} is of the model {stored}, not of {model}")
    place = None if model is not None else imported_for(stored)
    if place is not None:
        raise UsageError(
            f"{name} is of {place}: no class is imported because a checkpoint names it; say "
            f"model={stored!r} if it is yours (--model={stored})"
        )
    return stored


def config_of(
    state: Mapping[str, Any],
    name: str,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> Config:
    """The settings of a checkpoint as a Config.

    Args:
        state: the checkpoint. name: what messages call it.
        model: as in :func:`model_of`. settings: what the caller says in place of the checkpoint,
            such as ``data_path``. device: None: "auto".
    Raises:
        UsageError: a path, class or code that the caller has not named; another model or dataset
            in settings; or a setting is wrong.
    """
    target, named = model_of(state, name, model), dict(settings or {})
    for key in ("model", "dataset"):
        if named.get(key, state[key]) != state[key]:
            raise UsageError(
                f"{name} is of the {key} {state[key]!r}; settings cannot make it {named[key]!r}"
            )
    _check_names(state, name)
    spec = resolve_model(target)
    stored, defaults = state["config"], _defaults(spec.name)
    kept = {}
    for key, value in stored.items():
        if not isinstance(key, str) or key in _LEFT_OUT or key in named:
            continue
        if key in _CODE or _A_PATH.match(key):
            _check_default(key, value, defaults.get(key), name)
            continue
        kept[key] = value
    wanted = {**kept, **named, "device": device or "auto"}
    return Config(target, state["dataset"], config_dict=wanted)


def _defaults(model: str) -> dict[str, Any]:
    own = RECBOLE_PROPERTIES / "model" / f"{model}.yaml"
    return {
        **read_yaml(RECBOLE_PROPERTIES / "overall.yaml"),
        **(read_yaml(own) if own.is_file() else {}),
    }


def _check_default(key: str, value: Any, default: Any, name: str) -> None:
    """Raise UsageError unless a path, or code, is the default."""
    if isinstance(value, str) and isinstance(default, str) and _same(value, default):
        return
    plain = isinstance(value, (str, bool, int, float, list, dict, type(None)))  # no tensor
    if plain and (not value or value == default):
        return
    raise UsageError(
        f"{name} was made with {key} {value!r}: no path and no code is taken from a checkpoint; "
        f"say settings={{{key!r}: {value!r}}} if you trust it"
        + (f" (--data_path={value})" if key == "data_path" else "")
    )


def _same(path: str, other: str) -> bool:
    return os.path.normpath(path) == os.path.normpath(other)


def _check_names(state: Mapping[str, Any], name: str) -> None:
    values = {**state["config"], "dataset": state["dataset"]}
    for key in _PARTS_OF_NAMES:
        given = values.get(key)
        for part in given if isinstance(given, (list, tuple)) else [given]:
            if isinstance(part, str) and (
                "/" in part or "\\" in part or "\0" in part or part in ("", ".", "..")
            ):
                raise UsageError(f"{name}: {key} {part!r} is a path, and none is taken from it")
