"""What RecBole's models keep beside their parameters, as tensors and plain data, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
import torch

_KIND = "__recbole_dsl_kind__"


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
    """The inverse of :func:`encode`.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: not what it returns.
    """
    if isinstance(value, Mapping):
        kind = value.get(_KIND)
        if kind == "csr":
            parts = tuple(decode(value[name]) for name in ("data", "indices", "indptr"))
            matrix = scipy.sparse.csr_matrix(parts, shape=tuple(value["shape"]))
            matrix.check_format(full_check=True)  # SciPy does not check indices when it uses them
            return matrix
        if kind == "matrix":
            return decode(value["data"]).view(np.matrix)
        if kind == "array":
            return value["data"].cpu().numpy()
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(decode(item) for item in value)
    return value
