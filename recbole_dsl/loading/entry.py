"""One entry of the cache: a loaded dataset as a folder of plain data.

The folder holds .npy files and a meta.json that names each with a digest of its content. Reading an
entry runs no code of the entry's own.
"""

import hashlib
import json
import shutil
import uuid

import numpy as np
import pandas as pd
from recbole.utils import FeatureSource, FeatureType

# What a dataset's loading leaves behind, beside its tables and token maps: plain values.
_PLAIN = ("feat_name_list", "field2seqlen", "field2bucketnum", "file_size_list")


def digest_of(data):
    """32 hexadecimal digits of a buffer's bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def not_plain(dataset):
    """What of a dataset an entry cannot hold; empty: nothing."""
    if dataset._preloaded_weight:
        return "preload_weight is set"
    for feat in dataset.feat_name_list:
        for field, column in getattr(dataset, feat).items():
            if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iufb":
                return f"{field} is no column of numbers"
    return ""


def write(folder, dataset, replace):
    """Write to a folder of its own, then give it its name: no reader sees half an entry.

    Args:
        replace: whether an entry of that name is damaged; else it is another run's, and as good.
    """
    made = folder.with_name(f".{uuid.uuid4().hex}.part")
    made.mkdir(parents=True)
    try:
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
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write_into(folder, dataset):
    arrays = []

    def put(values):
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
    maps, seen = {}, {}
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


def _raw(values):
    """An array's bytes as a buffer, without a copy."""
    return np.ascontiguousarray(values).view(np.uint8).data if values.size else b""


def read(folder):
    """Attributes of a dataset from an entry.

    Raises:
        OSError, EOFError, ValueError, KeyError, TypeError: something is missing or not what was
            written.
    """
    digest, text = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    if digest_of(text.encode()) != digest:
        raise ValueError("meta.json is not what was written")
    meta = json.loads(text)
    arrays = [_array(folder, **array) for array in meta["arrays"]]
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


def _array(folder, file, dtype, digest):
    values = np.load(folder / file, mmap_mode="r", allow_pickle=False)
    if digest_of(_raw(values)) != digest:
        raise ValueError(f"{file} is not what was written")
    return np.array(values, dtype=dtype)
