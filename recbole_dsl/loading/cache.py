"""A loaded dataset kept on disk, found again by the content of its files and its settings.

An entry is a folder of .npy files and a meta.json that names each with a digest of what it holds.
Plain data only: reading an entry runs no code of its own.
"""

import hashlib
import importlib.metadata
import json
import shutil
import uuid
from logging import getLogger
from pathlib import Path

import numpy as np
import pandas as pd
from recbole.utils import FeatureSource, FeatureType
from recbole.utils.argument_list import dataset_arguments

from recbole_dsl import __version__
from recbole_dsl.loading.phases import Clock

_FORMAT = 1

# Settings that RecBole's loader reads beside those that RecBole lists as the dataset's.
_MORE = ("dataset", "encoding", "numerical_features", "discretization")

# dataset_cache: auto keeps what took longer than this to load, in seconds.
_SLOW = 10

# What a dataset's loading leaves behind, beside its tables and token maps: plain values.
_PLAIN = ("feat_name_list", "field2seqlen", "field2bucketnum", "file_size_list")


def _digest(data):
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _file_digest(path):
    total = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 24):
            total.update(block)
    return total.hexdigest()


def _files(config):
    """The atomic files that RecBole's loader may read for these settings."""
    name, parts = config["dataset"], config["benchmark_filename"]
    inter = [f"{part}.inter" for part in parts] if parts else ["inter"]
    names = [*inter, "user", "item", *(config["additional_feat_suffix"] or ())]
    paths = [Path(config["data_path"]) / f"{name}.{suffix}" for suffix in names]
    return [path for path in paths if path.is_file()]


def key(config):
    """32 hexadecimal digits: equal only where files, settings and versions are."""
    known = {
        "format": _FORMAT,
        "versions": [__version__, importlib.metadata.version("recbole"), pd.__version__],
        "settings": {name: config[name] for name in (*dataset_arguments, *_MORE)},
        "files": {path.name: _file_digest(path) for path in _files(config)},
    }
    return _digest(json.dumps(known, sort_keys=True, default=repr).encode())


class Store:
    """The cache entry of one configuration.

    Settings read: ``dataset_cache`` (auto, True or False), ``cache_dir``, and those of the data.
    """

    def __init__(self, config):
        self.mode = str(config["dataset_cache"])
        self.folder, self.damaged = None, False
        if self.mode != "False" and Path(config["data_path"]).is_dir():
            clock = Clock()
            self.folder = Path(config["cache_dir"]) / f"{config['dataset']}-{key(config)}"
            clock.done(f"hash {', '.join(path.name for path in _files(config))}")

    def load_into(self, dataset):
        """Fill a dataset as it is after loading; False: there is no entry, or a damaged one."""
        if self.folder is None or not self.folder.is_dir():
            return False
        clock = Clock()
        try:
            state = _read(self.folder)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            getLogger().warning(f"{self.folder} is damaged and not used: {error}")
            self.damaged = True
            return False
        dataset._get_preset()
        dataset._get_field_from_config()
        vars(dataset).update(state)
        clock.done(f"load {self.folder}", len(dataset.inter_feat))
        return True

    def keep(self, dataset, seconds):
        """Write the entry of a dataset that took seconds to load, if the settings want it."""
        if self.folder is None or (self.mode == "auto" and seconds < _SLOW):
            return
        if odd := _not_plain(dataset):
            getLogger().info(f"the loaded dataset is not cached: {odd}")
            return
        clock = Clock()
        try:
            _write_whole(self.folder, dataset, replace=self.damaged)
        except OSError as error:
            getLogger().warning(f"the loaded dataset is not cached: {error}")
        else:
            clock.done(f"keep {self.folder}", len(dataset.inter_feat))


def _not_plain(dataset):
    """What of a dataset an entry cannot hold; empty: nothing."""
    if dataset._preloaded_weight:
        return "preload_weight is set"
    for feat in dataset.feat_name_list:
        for field, column in getattr(dataset, feat).items():
            if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iufb":
                return f"{field} is no column of numbers"
    return ""


# Writing ---------------------------------------------------------------------------------------


def _write_whole(folder, dataset, replace):
    """Write to a folder of its own, then give it its name: no reader sees half an entry.

    Args:
        replace: whether an entry of that name is damaged; else it is another run's, and as good.
    """
    made = folder.with_name(f".{uuid.uuid4().hex}.part")
    made.mkdir(parents=True)
    try:
        _write(made, dataset)
        if replace and folder.exists():
            folder.rename(made / "old")
        if not folder.exists():
            made.rename(folder)
            shutil.rmtree(folder / "old", ignore_errors=True)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write(folder, dataset):
    arrays = []

    def put(values):
        kind = str(values.dtype)
        if values.dtype == np.int64 and len(values) and np.abs(values).max() < 1 << 31:
            values = values.astype(np.int32)
        name = f"{len(arrays)}.npy"
        np.save(folder / name, values, allow_pickle=False)
        arrays.append({"file": name, "dtype": kind, "digest": _digest(_raw(values))})
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
    (folder / "meta.json").write_text(json.dumps([_digest(text.encode()), text]), encoding="utf-8")


def _raw(values):
    """An array's bytes as a buffer, without a copy."""
    return np.ascontiguousarray(values).view(np.uint8).data if values.size else b""


# Reading ---------------------------------------------------------------------------------------


def _read(folder):
    """Attributes of a dataset from an entry.

    Raises:
        OSError, EOFError, ValueError, KeyError, TypeError: something is missing or not what was
            written.
    """
    digest, text = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    if _digest(text.encode()) != digest:
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
    if _digest(_raw(values)) != digest:
        raise ValueError(f"{file} is not what was written")
    return np.array(values, dtype=dtype)
