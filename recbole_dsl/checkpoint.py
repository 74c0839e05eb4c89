"""Checkpoints of tensors and plain data: ``torch.load(path, weights_only=True)`` reads them."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.sparse
import torch

from recbole_dsl.settings import UsageError

_KIND = "__recbole_dsl_kind__"


def encode(value):
    """Turn NumPy arrays and SciPy matrices, which RecBole's models keep, into tensors and maps.

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


def decode(value):
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


def write_atomically(path, write):
    """Call write(temporary path), then move that file to path: path is never half written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path, device="cpu"):
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
