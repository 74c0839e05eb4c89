"""A loaded dataset kept on disk, found again by the content of its files and its settings."""

import hashlib
import importlib.metadata
import json
import os
from logging import getLogger
from pathlib import Path

import pandas as pd
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.utils.argument_list import dataset_arguments

from recbole_dsl._version import __version__
from recbole_dsl.common.timing import Clock
from recbole_dsl.data.loading import cache_entry

_FORMAT = 2

# What RecBole's loader reads beside the settings that RecBole lists as the dataset's.
_OTHER_SETTINGS = ("dataset", "encoding", "numerical_features", "discretization")

# dataset_cache: auto keeps what took at least as many seconds to load.
SLOW_SECONDS = 10


def file_digest(path: str | os.PathLike[str]) -> str:
    """32 hexadecimal digits of a file's content."""
    total = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 24):
            total.update(block)
    return total.hexdigest()


def files_of(config: Config) -> list[Path]:
    """The atomic files that RecBole's loader may read for these settings."""
    name, parts = config["dataset"], config["benchmark_filename"]
    inter = [f"{part}.inter" for part in parts] if parts else ["inter"]
    names = [*inter, "user", "item", *(config["additional_feat_suffix"] or ())]
    paths = [Path(config["data_path"]) / f"{name}.{suffix}" for suffix in names]
    return [path for path in paths if path.is_file()]


def key(config: Config) -> str:
    """32 hexadecimal digits: equal only where files, settings and versions are."""
    known = {
        "format": _FORMAT,
        "versions": [__version__, importlib.metadata.version("recbole"), pd.__version__],
        "settings": {name: config[name] for name in (*dataset_arguments, *_OTHER_SETTINGS)},
        "files": {path.name: file_digest(path) for path in files_of(config)},
    }
    return cache_entry.digest_of(json.dumps(known, sort_keys=True, default=repr).encode())


class Store:
    """The cache entry of one configuration.

    Settings read: ``dataset_cache`` (auto, True or False), ``cache_dir``, and those of the data.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.mode = str(config["dataset_cache"])
        self.folder: Path | None = None
        self.damaged = False
        if self.mode != "False" and Path(config["data_path"]).is_dir():
            clock = Clock()
            self.folder = Path(config["cache_dir"]) / f"{config['dataset']}-{key(config)}"
            clock.done(f"hash {', '.join(path.name for path in files_of(config))}")

    def load_into(self, dataset: Dataset) -> bool:
        """Fill a dataset as it is after loading; False: there is no entry, or a damaged one."""
        if self.folder is None or not self.folder.is_dir():
            return False
        clock = Clock()
        try:
            names = (self._config["USER_ID_FIELD"], self._config["ITEM_ID_FIELD"])
            state = cache_entry.read(self.folder, names)
        except ValueError as error:
            getLogger().warning(f"{self.folder} is damaged and not used: {error}")
            self.damaged = True
            return False
        dataset._get_preset()
        dataset._get_field_from_config()
        vars(dataset).update(state)
        clock.done(f"load {self.folder}", len(dataset.inter_feat))
        return True

    def keep(self, dataset: Dataset, seconds: float) -> None:
        """Write the entry of a dataset that took seconds to load, if ``dataset_cache`` says so."""
        if self.folder is None or (self.mode == "auto" and seconds < SLOW_SECONDS):
            return
        if reason := cache_entry.obstacle(dataset):
            getLogger().info(f"the loaded dataset is not cached: {reason}")
            return
        clock = Clock()
        try:
            cache_entry.write(self.folder, dataset, replace=self.damaged)
        except OSError as error:
            getLogger().warning(f"the loaded dataset is not cached: {error}")
        else:
            clock.done(f"keep {self.folder}", len(dataset.inter_feat))
