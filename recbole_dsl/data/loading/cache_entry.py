"""One entry of the cache: a loaded dataset as a folder of plain data.

The folder holds .npy files and a meta.json that names each with a digest of its content. Nothing in
it is pickled, so that reading an entry runs no code from it.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from recbole.data.dataset import Dataset
from recbole.utils import FeatureSource, FeatureType

from recbole_dsl.common.files import temporary_folder
from recbole_dsl.data.loading.cache_entry_checks import check_entry

# Attributes that loading sets beside the tables and token maps, and that JSON can hold.
_PLAIN = ("feat_name_list", "field2seqlen", "field2bucketnum", "file_size_list", "data_notes")


def digest_of(data: bytes | memoryview) -> str:
    """32 hexadecimal digits of a buffer's bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def obstacle(dataset: Dataset) -> str:
    """Why an entry cannot hold a dataset; empty where it can."""
    if dataset._preloaded_weight:
        return "preload_weight is set"
    for feat in dataset.feat_name_list:
        for field, column in getattr(dataset, feat).items():
            if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iufb":
                return f"{field} is no column of numbers"
    return ""


def write(folder: Path, dataset: Dataset, replace: bool) -> None:
    """Write an entry under another name and rename it when it is whole.

    Args:
        replace: True where there is a damaged entry of that name; an entry that is there else is
            one that another run has just written, and stays.
    Raises:
        OSError: it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder) as made:
        _write_into(made, dataset)
        if replace and folder.exists():
            folder.rename(made / "old")
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run has just written it
                raise
        else:
            shutil.rmtree(folder / "old", ignore_errors=True)


def _write_into(folder: Path, dataset: Dataset) -> None:
    arrays: list[dict[str, str]] = []

    def put(values: npt.NDArray[Any]) -> int:
        kind = str(values.dtype)
        if values.dtype == np.int64 and len(values) and np.abs(values).max() < 1 << 31:
            values = values.astype(np.int32)
        name = f"{len(arrays)}.npy"
        np.save(folder / name, values, allow_pickle=False)
        arrays.append({"file": name, "dtype": kind, "digest": digest_of(_raw(values))})
        return len(arrays) - 1

    feats = {
        feat: [(field, put(column.to_numpy())) for field, column in getattr(dataset, feat).items()]
        for feat in dataset.feat_name_list
    }
    maps: dict[str, int] = {}
    seen: dict[int, int] = {}
    for field, tokens in dataset.field2id_token.items():  # aliases share one map
        if id(tokens) not in seen:
            seen[id(tokens)] = put(tokens)
        maps[field] = seen[id(tokens)]
    sources = {
        field: [isinstance(source, FeatureSource), getattr(source, "value", source)]
        for field, source in dataset.field2source.items()
    }
    meta = {
        "feats": feats,
        "tokens": maps,
        "arrays": arrays,
        "field2type": {field: kind.value for field, kind in dataset.field2type.items()},
        "field2source": sources,
        "alias": {name: [str(field) for field in fields] for name, fields in dataset.alias.items()},
        "rest": [str(field) for field in dataset._rest_fields],
        **{name: getattr(dataset, name) for name in _PLAIN if hasattr(dataset, name)},
    }
    text = json.dumps(meta)
    (folder / "meta.json").write_text(
        json.dumps([digest_of(text.encode()), text]), encoding="utf-8"
    )


def _raw(values: npt.NDArray[Any]) -> bytes | memoryview:
    """An array's bytes as a buffer, without a copy."""
    return np.ascontiguousarray(values).view(np.uint8).data if values.size else b""


def read(folder: Path, needed: Sequence[str] = ()) -> dict[str, Any]:
    """Attributes of a dataset from an entry.

    Args:
        needed: token fields without which the interactions are of no use: user and item.
    Raises:
        ValueError: something is missing or not what was written.
    """
    try:
        return _read(folder, needed)
    except ValueError:
        raise
    except Exception as error:  # whatever somebody has put there
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _read(folder: Path, needed: Sequence[str]) -> dict[str, Any]:
    digest, text = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    if digest_of(text.encode()) != digest:
        raise ValueError("meta.json is not what was written")
    meta = json.loads(text)
    arrays = [
        _array(folder, f"{number}.npy", **array) for number, array in enumerate(meta["arrays"])
    ]
    check_entry(meta, arrays, needed)
    feats = {
        feat: pd.DataFrame({field: arrays[at] for field, at in columns}, copy=False)
        for feat, columns in meta["feats"].items()
    }
    maps = {
        at: {token: id_ for id_, token in enumerate(arrays[at])}
        for at in set(meta["tokens"].values())
    }
    no_feats = dict.fromkeys(("user_feat", "item_feat"))
    return {
        **no_feats,
        **feats,
        "field2id_token": {field: arrays[at] for field, at in meta["tokens"].items()},
        "field2token_id": {field: maps[at] for field, at in meta["tokens"].items()},
        "field2type": {field: FeatureType(kind) for field, kind in meta["field2type"].items()},
        "field2source": {
            field: FeatureSource(source) if listed else source
            for field, (listed, source) in meta["field2source"].items()
        },
        "alias": {name: np.array(fields) for name, fields in meta["alias"].items()},
        "_rest_fields": np.array(meta["rest"]),
        **{name: meta[name] for name in _PLAIN if name in meta},
    }


def _array(folder: Path, name: str, *, file: str, dtype: str, digest: str) -> npt.NDArray[Any]:
    """Check and read an array; its file is found by its number, whatever the entry says."""
    if file != name or np.dtype(dtype).kind not in "iufbU":
        raise ValueError(f"{name} is not described as what was written")
    values = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    narrowed = dtype == "int64" and values.dtype == np.int32
    if values.ndim != 1 or not (narrowed or values.dtype == np.dtype(dtype)):
        raise ValueError(f"{name} is no column of {dtype}")
    if digest_of(_raw(values)) != digest:
        raise ValueError(f"{name} is not what was written")
    return np.array(values, dtype=dtype)
