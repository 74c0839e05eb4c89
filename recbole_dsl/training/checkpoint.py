"""Checkpoints of tensors and plain data: ``torch.load(path, weights_only=True)`` reads them."""

import os
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import scipy.sparse
import torch

from recbole_dsl._version import __version__
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import write_atomically

_KIND = "__recbole_dsl_kind__"


def write(
    path: str | os.PathLike[str],
    *,
    config: Any,
    model: Any,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    cur_step: int,
    best_valid_score: float,
    extra: Mapping[str, Any],
) -> None:
    """Write a checkpoint, all of it or nothing.

    Args:
        config: the settings of the run, a :class:`recbole_dsl.config.run_config.Config`.
        model: a RecBole model.
        epoch: number of the epoch whose weights these are, -1 before the first one.
        cur_step: how many validations in a row brought no better score.
        best_valid_score: the best score of ``valid_metric`` so far.
        extra: more entries, plain data.
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
        "other_parameter": encode(model.other_parameter()),
        "optimizer": optimizer.state_dict(),
        **extra,
    }
    write_atomically(path, lambda temporary: torch.save(state, temporary))


def read(
    path: str | os.PathLike[str] | IO[bytes], device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """A checkpoint as a dict, its tensors on device; path may be an open binary file.

    Raises:
        UsageError: the file is missing or not one of ours.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"no checkpoint {path}") from None
    except Exception as error:  # torch raises pickle, zip and runtime errors alike
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path} is not a checkpoint of recbole_dsl: {reason}") from error
    if not isinstance(state, dict) or "recbole_dsl" not in state:
        raise UsageError(f"{path} is not a checkpoint of recbole_dsl")
    return state


def restore(model: Any, state: Mapping[str, Any]) -> None:
    """Load a checkpoint's weights, and what a model keeps beside them, into a RecBole model."""
    model.load_state_dict(state["state_dict"])
    model.load_other_parameter(decode(state["other_parameter"]))


def encode(value: Any) -> Any:
    """Turn NumPy arrays and SciPy matrices, which RecBole's models keep, into tensors and dicts.

    Raises:
        TypeError: something that cannot be stored as plain data.
    """
    if isinstance(value, torch.Tensor):
        return value.detach()
    if scipy.sparse.issparse(value):
        matrix = value.tocsr()
        parts = {name: encode(getattr(matrix, name)) for name in ("data", "indices", "indptr")}
        return {_KIND: "csr", "shape": list(matrix.shape), **parts}
    if isinstance(value, np.matrix):
        return {_KIND: "matrix", "data": encode(np.asarray(value))}
    if isinstance(value, np.ndarray):
        return {_KIND: "array", "data": torch.from_numpy(np.ascontiguousarray(value))}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(encode(item) for item in value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"a checkpoint holds tensors and plain data, not {type(value).__name__}")


def decode(value: Any) -> Any:
    """The inverse of :func:`encode`."""
    if isinstance(value, Mapping):
        kind = value.get(_KIND)
        if kind == "csr":
            parts = tuple(decode(value[name]) for name in ("data", "indices", "indptr"))
            return scipy.sparse.csr_matrix(parts, shape=tuple(value["shape"]))
        if kind == "matrix":
            return decode(value["data"]).view(np.matrix)
        if kind == "array":
            return value["data"].cpu().numpy()
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(decode(item) for item in value)
    return value
