"""Whether what an entry of the cache holds is a dataset: it may have been written by anybody."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from recbole.utils import FeatureType

_KEYS = {"feats", "tokens", "arrays", "field2type", "field2source", "alias", "rest"}
_PLAIN = {
    "feat_name_list": list,
    "field2seqlen": dict,
    "field2bucketnum": dict,
    "file_size_list": list,
    "data_notes": dict,
}


def check_entry(
    meta: dict[str, Any], arrays: Sequence[npt.NDArray[Any]], needed: Sequence[str]
) -> None:
    """Check the description of an entry against its arrays, and the ids in them.

    Args:
        meta: as :func:`recbole_dsl.data.loading.cache_entry.write` makes it.
        arrays: its columns and lists of tokens, 1-D.
        needed: token fields that the interactions must have.
    Raises:
        ValueError: it is not what could have been written. LookupError, TypeError, AttributeError:
            as ValueError.
    """
    _require(set(meta) - set(_PLAIN) == _KEYS, "other entries")
    _require(
        all(isinstance(meta[key], kind) for key, kind in _PLAIN.items() if key in meta),
        "other kinds of entries",
    )
    feats = meta["feats"]
    _require(list(feats) == meta["feat_name_list"] and "inter_feat" in feats, "other tables")
    for feat, columns in feats.items():
        _require(feat.endswith("_feat"), f"the table {feat!r}")
        _check_columns(feat, columns, meta, arrays)
    fields = [field for field, _ in feats["inter_feat"]]
    missing = [field for field in needed if field not in fields or field not in meta["tokens"]]
    _require(not missing, f"no {', '.join(missing)}")
    for field, at in meta["tokens"].items():
        tokens = _at(arrays, at)
        _require(tokens.dtype.kind == "U" and len(tokens) > 0, f"no tokens of {field}")
        _require(len(np.unique(tokens)) == len(tokens), f"a token of {field} twice")
    _require(all(_is_names(names) for names in (*meta["alias"].values(), meta["rest"])), "no names")
    sizes = meta.get("file_size_list")
    if sizes is not None:
        rows = len(_at(arrays, feats["inter_feat"][0][1]))
        _require(all(type(size) is int and size >= 0 for size in sizes), "no lengths of files")
        _require(sum(sizes) == rows, "other lengths of files")


def _check_columns(
    feat: str, columns: list[tuple[str, int]], meta: dict[str, Any], arrays: Sequence[Any]
) -> None:
    _require(bool(columns), f"no column in {feat}")
    lengths = {len(_at(arrays, at)) for _, at in columns}
    _require(len(lengths) == 1, f"columns of {feat} of unlike lengths")
    for field, at in columns:
        column, kind = arrays[at], FeatureType(meta["field2type"][field])
        _require(field in meta["field2source"] and field in meta["field2seqlen"], field)
        _require(column.dtype.kind in "iufb", f"{field} is no column of numbers")
        if kind == FeatureType.TOKEN:
            n_tokens = len(_at(arrays, meta["tokens"][field]))
            inside = not len(column) or (column.min() >= 0 and column.max() < n_tokens)
            # Columns with gaps come filled, as floats
            whole = column.dtype.kind in "iu" or bool((column == np.floor(column)).all())
            _require(bool(inside) and whole, f"{field} has ids without tokens")
        else:
            _require(kind == FeatureType.FLOAT, f"{field} is no token and no number")


def _at(arrays: Sequence[npt.NDArray[Any]], at: object) -> npt.NDArray[Any]:
    _require(type(at) is int and 0 <= at < len(arrays), "no such array")
    return arrays[at]  # type: ignore[call-overload]  # an int, as was just checked


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _require(right: bool, what: str) -> None:
    if not right:
        raise ValueError(f"not what was written: {what}")
