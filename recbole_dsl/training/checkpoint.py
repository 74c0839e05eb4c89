"""Checkpoints of the best epoch: weights and settings, as tensors and plain data.

No path, no class and no code is taken from one: see also
:mod:`recbole_dsl.experiments.load_checkpoint`.
"""

import os
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import scipy.sparse
import torch

from recbole_dsl._version import __version__
from recbole_dsl.common.errors import UsageError
from recbole_dsl.training import sealed_file
from recbole_dsl.training.finite import first_nan, first_non_finite
from recbole_dsl.training.plain_data import decode, encode

# What a checkpoint holds: key -> types.
_ENTRIES: dict[str, type | tuple[type, ...]] = {
    "recbole_dsl": str,
    "model": str,
    "dataset": str,
    "config": dict,
    "origins": dict,
    "epoch": int,
    "cur_step": int,
    "best_valid_score": float,
    "state_dict": dict,
    "other_parameter": (dict, type(None)),
    "optimizer": dict,
    "fingerprint": str,
}


def write(
    path: str | os.PathLike[str],
    *,
    config: Any,
    model: Any,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    cur_step: int,
    best_valid_score: float,
    fingerprint: str,
) -> None:
    """Write a checkpoint, all of it or nothing.

    Args:
        config: the settings of the run, a :class:`recbole_dsl.config.run_config.Config`.
        model: a RecBole model.
        epoch: number of the epoch whose weights these are, -1 before the first one.
        cur_step: how many validations in a row brought no better score.
        best_valid_score: the best score of ``valid_metric`` so far.
        fingerprint: of the training rows, :func:`recbole_dsl.data.pipeline.fingerprint`.
    """
    state = {
        "recbole_dsl": __version__,
        "model": config.spec.target,
        "dataset": config["dataset"],
        "config": encode(config.layered),
        "origins": dict(config.origins),
        "epoch": epoch,
        "cur_step": cur_step,
        "best_valid_score": float(best_valid_score),
        "state_dict": model.state_dict(),
        "other_parameter": encode(others_of(model)),
        "optimizer": optimizer.state_dict(),
        "fingerprint": fingerprint,
    }
    sealed_file.write(path, state)


def read(
    source: str | os.PathLike[str] | IO[bytes], device: torch.device | str = "cpu", name: str = ""
) -> dict[str, Any]:
    """A checkpoint as a dict, its tensors on a device.

    Args:
        source: its path, or a file open for reading bytes. name: what messages call it; empty: the
            path.
    Raises:
        UsageError: the file is missing, not a checkpoint of ours, or not what was written.
    """
    name = name or str(source)
    state = sealed_file.read(source, device, name)
    if "generators" in state:
        raise UsageError(
            f"{name} is the state of a run that was stopped, for --resume; the weights of its best "
            "epoch so far are in the file without .last"
        )
    check_entries(state, _ENTRIES, name)
    return state


def check_entries(
    state: Mapping[str, Any], entries: Mapping[str, type | tuple[type, ...]], name: str
) -> None:
    """Raise UsageError unless a file holds exactly these entries, each of its type."""
    missing = [key for key in entries if key not in state]
    if missing:
        raise UsageError(f"{name} is not a checkpoint of recbole_dsl: it lacks {missing[0]}")
    for key, value in state.items():
        if key not in entries:
            raise UsageError(f"{name} is not a checkpoint of recbole_dsl: it has {key!r} too much")
        if not isinstance(value, entries[key]):
            raise UsageError(
                f"{name} is not a checkpoint of recbole_dsl: {key} is a {type(value).__name__}"
            )


def restore(model: Any, state: Mapping[str, Any], name: str) -> None:
    """Load a checkpoint's weights, and what a model keeps beside them, into a RecBole model.

    Args:
        name: what messages call the checkpoint.
    Raises:
        UsageError: the checkpoint is not one of this model, or weights are no numbers.
    """
    check_weights(model, state["state_dict"], name)
    others = decoded_others(model, state["other_parameter"], name)
    model.load_state_dict(state["state_dict"])
    model.load_other_parameter(others)
    wrong = first_non_finite(model)
    if wrong:
        raise UsageError(f"{name}: the weights {wrong} are not finite numbers")


def check_weights(model: torch.nn.Module, weights: Mapping[str, Any], name: str) -> None:
    """Raise UsageError unless weights have the names and shapes of a model's, and none is nan."""
    wanted = model.state_dict()
    for key in [*wanted, *weights]:
        if key not in weights:
            raise UsageError(f"{name} lacks the weights {key} of this model")
        if key not in wanted:
            raise UsageError(f"{name} has the weights {key!r}, which this model has not")
        given, own = weights[key], wanted[key]
        if not isinstance(given, torch.Tensor) or given.layout != own.layout:
            raise UsageError(f"{name}: the weights {key} are no dense tensor")
        if given.shape != own.shape or given.dtype != own.dtype:
            raise UsageError(
                f"{name}: the weights {key} are {_kind(given)}, those of this model {_kind(own)}"
            )
    wrong = first_nan(weights)
    if wrong:
        raise UsageError(f"{name}: the weights {wrong} are not finite numbers")


def decoded_others(model: Any, encoded: Any, name: str) -> dict[str, Any] | None:
    """What a model keeps beside its weights, decoded; the model says which names there are.

    Raises:
        UsageError: other names, or values that cannot be decoded.
    """
    try:
        others = decode(encoded)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise UsageError(f"{name}: other_parameter is not what was written") from error
    own, given = _own_others(model), others or {}
    if set(given) - set(own):
        raise UsageError(f"{name}: other_parameter names what this model does not keep")
    for key, value in own.items():
        if key not in given or not _alike(given[key], value):
            raise UsageError(f"{name}: {key} in other_parameter is not what this model keeps")
    tensors = {key: x for key, x in (others or {}).items() if isinstance(x, torch.Tensor)}
    wrong = first_nan(tensors)
    if wrong:
        raise UsageError(f"{name}: the weights {wrong} are not finite numbers")
    return others


def others_of(model: Any) -> dict[str, Any]:
    """What a model keeps beside its weights; some of RecBole's name modules, which are weights."""
    others: dict[str, Any] = model.other_parameter() or {}
    return {name: value for name, value in others.items() if not isinstance(value, torch.nn.Module)}


def _own_others(model: Any) -> dict[str, Any]:
    """As :func:`others_of`, of a new model, which may not have all of them yet."""
    names = getattr(model, "other_parameter_name", None)
    if names is None:
        return others_of(model)
    values = {name: getattr(model, name, None) for name in names}
    return {name: value for name, value in values.items() if not isinstance(value, torch.nn.Module)}


def _alike(given: Any, own: Any) -> bool:
    """Whether a value may stand in a model's place of another one; None: of a tensor to come."""
    if own is None or given is None:
        return isinstance(given if own is None else own, (torch.Tensor, np.ndarray, type(None)))
    if scipy.sparse.issparse(own):  # stored in one of its forms
        return scipy.sparse.issparse(given) and given.shape == own.shape
    shapes = [getattr(x, "shape", None) for x in (given, own)]
    numbers = (int, float, np.number)
    same = isinstance(given, type(own)) or (isinstance(given, numbers) and isinstance(own, numbers))
    return same and shapes[0] == shapes[1]


def _kind(tensor: torch.Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
