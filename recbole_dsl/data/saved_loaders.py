"""RecBole's pickle of loaders (``save_dataloaders``, ``dataloaders_save_path``), and a JSON file
beside it that says how their rows were chosen, which a loader does not know."""

import json
from collections.abc import Sequence
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


class SavedLoaders(NamedTuple):
    """Loaders of an earlier run: train, valid and test; the rest is that of a Partition."""

    loaders: list[AbstractDataLoader]
    notes: dict[str, Any]
    added_noise: dict[str, int] | None


def load(config: Config) -> SavedLoaders | None:
    """Loaders of the same dataset, split and seed, or None.

    A pickle without its JSON file, or with that of another pickle, is not used: its rows may have
    been chosen in another way.
    """
    path = Path(config["dataloaders_save_path"] or _written_by_recbole(config))
    if not (path.is_file() and _json_beside(path).is_file()):
        return None
    kept = json.loads(_json_beside(path).read_text(encoding="utf-8"))
    if kept.pop("digest") != file_digest(path):
        return None
    loaders = load_split_dataloaders(config)
    if loaders is None or not settings.same_split(loaders[0]._dataset.config, config):
        return None
    return SavedLoaders(list(loaders), **kept)


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
    beside = {"digest": file_digest(path), "notes": notes, "added_noise": added_noise}
    text = json.dumps(beside, indent=2) + "\n"
    write_atomically(_json_beside(path), lambda file: file.write_text(text, encoding="utf-8"))


def _written_by_recbole(config: Config) -> Path:
    name = f"{config['dataset']}-for-{config['model']}-dataloader.pth"
    return Path(config["checkpoint_dir"]) / name


def _json_beside(path: Path) -> Path:
    return path.with_suffix(".json")
