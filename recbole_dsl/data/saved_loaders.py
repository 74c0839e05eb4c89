"""RecBole's pickle of loaders (``save_dataloaders``, ``dataloaders_save_path``), and a JSON file
beside it that says how their rows were chosen, which a loader does not know."""

import json
from collections.abc import Sequence
from logging import getLogger
from pathlib import Path
from typing import Any, NamedTuple

import torch
from recbole.config import Config
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from recbole.data.utils import load_split_dataloaders, save_split_dataloaders

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import write_atomically
from recbole_dsl.data import settings
from recbole_dsl.data.loading.cache import file_digest
from recbole_dsl.data.saved_dataset import digests


class SavedLoaders(NamedTuple):
    """Loaders of an earlier run: train, valid and test; the rest is that of a Partition."""

    loaders: list[AbstractDataLoader]
    notes: dict[str, Any]
    added_noise: dict[str, int] | None


def load(config: Config) -> SavedLoaders | None:
    """Loaders of the same dataset, split and seed, or None.

    A pickle without its JSON file, or with that of another pickle, is not used: its rows may have
    been chosen in another way. Nor is one of files that have changed. The log says so.

    Raises:
        UsageError: ``dataloaders_save_path`` names no file.
    """
    named = config["dataloaders_save_path"]
    path = Path(named or _written_by_recbole(config))
    if not path.is_file():
        if named:
            raise UsageError(f"dataloaders_save_path: there is no file {path}")
        return None
    kept = _kept_beside(path)
    reason = _why_not_of_this_data(config, path, kept)
    loaders = None if reason else load_split_dataloaders(config)
    if loaders is None or not settings.same_split(loaders[0]._dataset.config, config):
        reason = reason or "it is of other settings"
        getLogger().warning(f"{path} is not used: {reason}")
        return None
    return SavedLoaders(list(loaders), kept["notes"], kept["added_noise"])


def _kept_beside(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(_json_beside(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    keys = {"digest", "files", "notes", "added_noise"}
    return kept if isinstance(kept, dict) and kept.keys() == keys else {}


def _why_not_of_this_data(config: Config, path: Path, kept: dict[str, Any]) -> str:
    if not kept:
        return f"{_json_beside(path)}, which says how rows were chosen, is not there, or damaged"
    if kept["digest"] != file_digest(path):
        return f"{_json_beside(path)} is of another file"
    return "" if kept["files"] == digests(config) else "the dataset's files have changed"


def save(
    config: Config,
    loaders: Sequence[AbstractDataLoader | None],
    notes: dict[str, Any],
    added_noise: dict[str, int] | None,
) -> None:
    """Write loaders for later runs. For runs of one process.

    Raises:
        UsageError: a part is empty, or there is more than one test set.
    """
    kept = [loader for loader in loaders if loader is not None]
    if len(kept) != 3 or len(loaders) != 3:
        raise UsageError(
            "save_dataloaders: RecBole stores train, valid and one test set, none of them empty"
        )
    states = [loader.generator.get_state() for loader in kept]
    save_split_dataloaders(config, dataloaders=kept)
    for loader, state in zip(kept, states, strict=True):  # saving takes the generators out
        loader.generator = loader.sampler.generator = torch.Generator()
        loader.generator.set_state(state)
    path = _written_by_recbole(config)
    made_of = {"digest": file_digest(path), "files": digests(config)}
    beside = {**made_of, "notes": notes, "added_noise": added_noise}
    text = json.dumps(beside, indent=2) + "\n"
    write_atomically(_json_beside(path), lambda file: file.write_text(text, encoding="utf-8"))


def _written_by_recbole(config: Config) -> Path:
    name = f"{config['dataset']}-for-{config['model']}-dataloader.pth"
    return Path(config["checkpoint_dir"]) / name


def _json_beside(path: Path) -> Path:
    return path.with_suffix(".json")
