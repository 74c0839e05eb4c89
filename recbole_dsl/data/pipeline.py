"""From a Config to RecBole's datasets and loaders: positives for our models, many users a step."""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import Any
from urllib.error import URLError

import recbole.data.dataset
import torch
from recbole.config import Config
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from recbole.data.dataset import Dataset
from recbole.utils import ModelType, init_seed

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.timing import Clock
from recbole_dsl.compat.data_notes import data_notes
from recbole_dsl.data import partition, saved_dataset, saved_loaders, settings, split_card
from recbole_dsl.data.loaders import sharding
from recbole_dsl.data.loaders.build import eval_loader, make_samplers, train_loader
from recbole_dsl.data.loading import loaded
from recbole_dsl.data.loading.dataset import ArrayDataset


def load_dataset(config: Config) -> Dataset:
    """The filtered dataset, seeded as RecBole seeds it, so that its random split follows from seed.

    Raises:
        UsageError: the dataset has to be downloaded and cannot, or its files or filters are wrong.
    """
    init_seed(config["seed"], config["reproducibility"])
    try:
        dataset = _load(config)
        loaded.check_times(config, dataset)
        loaded.check_columns(config, dataset)
    except UsageError:
        raise
    except URLError as error:
        raise UsageError(
            f"dataset {config['dataset']!r} is not in {config['data_path']}, and RecBole's "
            f"download of it failed: {error}"
        ) from error
    except (OSError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).splitlines())
        raise UsageError(f"dataset {config['dataset']!r} cannot be loaded: {reason}") from error
    loaded.log_notes(config, dataset)
    return dataset


def _load(config: Config) -> Dataset:
    if _takes_array_dataset(config):
        return ArrayDataset(config)
    clock = Clock()
    dataset = saved_dataset.create(config)
    clock.done(f"read {config['dataset']} by RecBole's own loader", len(dataset.inter_feat))
    return dataset


def _takes_array_dataset(config: Config) -> bool:
    """Whether RecBole would build its own plain Dataset, and is not asked for its pickled one."""
    special = ModelType.SEQUENTIAL, ModelType.KNOWLEDGE
    return not (
        hasattr(recbole.data.dataset, f"{config['model']}Dataset")
        or config["MODEL_TYPE"] in special
        or config["save_dataset"]
        or config["dataset_save_path"]
    )


@dataclass(frozen=True)
class SplitData:
    """The loaders of a split dataset, and what the split holds.

    Attributes:
        loaders: part -> its loader: train, valid, and test or one for each of several test sets;
            None where the part is empty.
        notes, added_noise: as in :class:`recbole_dsl.data.partition.Partition`.
    """

    loaders: dict[str, AbstractDataLoader | None]
    notes: dict[str, Any]
    added_noise: dict[str, int] | None

    @property
    def train(self) -> AbstractDataLoader:
        """The loader of the training rows."""
        return self.loaders["train"]

    @property
    def valid(self) -> AbstractDataLoader | None:
        """The loader of the validation users; None without validation rows."""
        return self.loaders["valid"]

    @property
    def tests(self) -> dict[str, AbstractDataLoader | None]:
        """The loader of each test set, by its name without ``test_``."""
        return {
            name.removeprefix("test_"): loader
            for name, loader in self.loaders.items()
            if name not in ("train", "valid")
        }

    @property
    def _parts(self) -> dict[str, Dataset | None]:
        return {n: None if x is None else x._dataset for n, x in self.loaders.items()}

    @functools.cached_property
    def summary(self) -> dict[str, dict[str, int]]:
        """Rows, users and items of each part: :func:`recbole_dsl.data.split_card.sizes`."""
        return split_card.sizes(self._parts)

    @functools.cached_property
    def card(self) -> dict[str, Any]:
        """How the split was made, and popularity: :func:`recbole_dsl.data.split_card.card`."""
        return split_card.card(self._parts, self.notes)


def split_dataset(config: Config, dataset: Dataset) -> SplitData:
    """Split a dataset and build the loaders, or take those that an earlier run has saved.

    Raises:
        UsageError: the split leaves nothing to train on, or RecBole refuses it.
    """
    reuse = config["save_dataloaders"] or config["dataloaders_save_path"]
    saved = saved_loaders.load(config) if reuse else None
    if saved is not None:
        dataset._change_feat_format()
        loaders, notes, added_noise = saved
    else:
        made = _partition(config, dataset)
        loaders = _loaders(config, dataset, list(made.parts.values()))
        notes, added_noise = {**made.notes, "data": data_notes(dataset)}, made.added_noise
        if config["save_dataloaders"]:
            saved_loaders.save(config, loaders, notes, added_noise)
    sharding.shard_rows(loaders[0], config)
    return SplitData(
        dict(zip(settings.part_names(config), loaders, strict=True)), notes, added_noise
    )


def _partition(config: Config, dataset: Dataset) -> partition.Partition:
    split = config["eval_args"]["split"]
    try:
        made = partition.build(config, dataset)
    except (ValueError, NotImplementedError, AssertionError) as error:
        raise UsageError(f"eval_args: split {split!r} cannot be made: {error}") from error
    if len(made.parts["train"]) and config["train_noise"]["false_positive"]:
        made = partition.with_false_positives(config, made)
    if len(made.parts["train"]) == 0:
        raise UsageError(f"eval_args: {split} leaves no row to train on")
    if not config["benchmark_filename"]:
        _check_shares(split, made.parts)
    loaded.check_parts(config, made.parts)
    return made


def _check_shares(split: dict[str, Any], parts: Mapping[str, Dataset]) -> None:
    """A part that was asked for has rows.

    Raises:
        UsageError: there are none to test.
    """
    [(name, shares)] = split.items()
    if name == "LS":
        wanted = {"valid": shares != "test_only", "test": shares != "valid_only"}
    else:
        wanted = {"valid": len(shares) > 2 and shares[1] > 0, "test": shares[-1] > 0}
    for part, rows in parts.items():
        if len(rows) or not wanted.get(part.partition("_")[0]):
            continue
        message = f"eval_args: split {split} leaves no row for {part}"
        if part != "valid":
            why = "times are equal" if name == "TS" else "users have too few rows"
            raise UsageError(f"{message}: too many {why}")
        getLogger().warning(f"{message}: the last epoch is tested")


def _loaders(
    config: Config, dataset: Dataset, parts: Sequence[Dataset]
) -> list[AbstractDataLoader | None]:
    """A loader for each part, None for an empty one."""
    clock = Clock()
    train, valid, *tests = parts
    samplers = make_samplers(config, dataset, [train, valid, tests[0]])
    for test in tests[1:]:  # each test set has its own
        samplers += make_samplers(config, dataset, [train, valid, test])[2:]
    loaders = [
        train_loader(config, dataset, train, samplers[0]),
        eval_loader(config, "valid", valid, samplers[1], [train]),
        *(
            # What comes before is train and validation, but no other test set.
            eval_loader(config, "test", test, sampler, [train, valid])
            for test, sampler in zip(tests, samplers[2:], strict=True)
        ),
    ]
    clock.done("loaders", len(train))
    return loaders


def fingerprint(train: AbstractDataLoader) -> str:
    """SHA-256 of the training rows' internal ids and of the tokens of all users and items: tells
    whether data or split have changed."""
    part = train._dataset
    digest = hashlib.sha256(f"{part.user_num} {part.item_num}".encode())
    for field in (part.uid_field, part.iid_field):
        digest.update("\n".join(map(str, part.field2id_token[field])).encode())
    users, items = part.inter_feat[part.uid_field], part.inter_feat[part.iid_field]
    digest.update(torch.sort(users * part.item_num + items).values.numpy().tobytes())
    return digest.hexdigest()
