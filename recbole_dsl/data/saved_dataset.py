"""RecBole's pickle of a dataset (``save_dataset``, ``dataset_save_path``), and a JSON file beside
it that says which files it was read from."""

import json
import os
import pickle
from collections.abc import Iterator
from logging import getLogger
from pathlib import Path
from typing import Any

import recbole.data.dataset
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.dataset import Dataset, KnowledgeBasedDataset
from recbole.utils import ModelType

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import write_atomically
from recbole_dsl.data.loading.cache import file_digest, files_of
from recbole_dsl.data.loading.sequential_dataset import SequentialDataset

_CLASSES: dict[ModelType, type[Dataset]] = {
    ModelType.SEQUENTIAL: SequentialDataset,
    ModelType.KNOWLEDGE: KnowledgeBasedDataset,
}
# What unpickling raises for what is no pickle, or one of something else.
_NO_DATASET = (pickle.PickleError, EOFError, AttributeError, ImportError, IndexError)


def create(config: Config) -> Dataset:
    """RecBole's ``create_dataset``, that takes no pickle of files that have changed since, and none
    from ``checkpoint_dir`` unless ``save_dataset`` asks for it.

    Raises:
        UsageError: there is no such pickle where ``dataset_save_path`` names one, or it is none.
    """
    path, named = _path(config), config["dataset_save_path"]
    if named and not path.is_file():
        raise UsageError(f"dataset_save_path: there is no file {path}")
    if not named and not config["save_dataset"]:
        return _class(config)(config)
    before = file_digest(path) if path.is_file() else None
    if before and (reason := _why_not_of_these_files(config, path, before)):
        getLogger().warning(f"{path} is not used: {reason}")
        dataset = _class(config)(config)
        if config["save_dataset"]:
            dataset.save()
    else:
        dataset = _recboles(config, path)
    if not named and file_digest(path) != before:
        files = {"digest": file_digest(path), "files": digests(config)}
        text = json.dumps(files, indent=2) + "\n"
        write_atomically(path.with_suffix(".json"), lambda file: file.write_text(text, "utf-8"))
    return dataset


def _recboles(config: Config, path: Path) -> Dataset:
    try:
        return create_dataset(config)
    except _NO_DATASET as error:
        if not path.is_file():
            raise
        reason = " ".join(str(error).split())
        raise UsageError(f"{path} holds no dataset that RecBole has saved: {reason}") from error


def digests(config: Config) -> dict[str, str]:
    """What the files of a dataset hold: name -> digest."""
    return {path.name: file_digest(path) for path in _files(config)}


def _files(config: Config) -> Iterator[Path]:
    yield from files_of(config)
    for suffix in ("kg", "link"):
        path = Path(config["data_path"]) / f"{config['dataset']}.{suffix}"
        if path.is_file():
            yield path


def _class(config: Config) -> Any:
    """The class that RecBole takes for a model, or ours of its name."""
    own = getattr(recbole.data.dataset, f"{config['model']}Dataset", None)
    return own or _CLASSES.get(config["MODEL_TYPE"], Dataset)


def _path(config: Config) -> Path:
    """Where RecBole looks for the pickle."""
    default = f"{config['dataset']}-{_class(config).__name__}.pth"
    return Path(config["dataset_save_path"] or os.path.join(config["checkpoint_dir"], default))


def _why_not_of_these_files(config: Config, path: Path, digest: str) -> str:
    """By the digests beside it; of a pickle without them, by the times of the files."""
    try:
        kept = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    if isinstance(kept, dict) and kept.get("digest") == digest:
        return "" if kept.get("files") == digests(config) else "the dataset's files have changed"
    newer = [file.name for file in _files(config) if file.stat().st_mtime > path.stat().st_mtime]
    return f"{', '.join(newer)} changed after it was saved" if newer else ""
