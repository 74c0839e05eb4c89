"""From a Config to RecBole's datasets and loaders: positives for our models, many users a step."""

import hashlib
from logging import getLogger

import torch
from recbole.data import create_dataset, create_samplers
from recbole.data.dataloader import (
    FullSortEvalDataLoader,
    KnowledgeBasedDataLoader,
    TrainDataLoader,
)
from recbole.data.utils import get_dataloader, load_split_dataloaders, save_split_dataloaders
from recbole.model.abstract_recommender import AbstractRecommender
from recbole.sampler import KGSampler
from recbole.utils import ModelType, init_seed

from recbole_dsl import partition
from recbole_dsl.settings import UsageError

# What one score of a full-sort step costs in bytes, from the score itself (4) to the copies that
# masking and top-k make of it.
_BYTES_PER_SCORE = 16


class PositivesLoader(TrainDataLoader):
    """RecBole's training loader without its negatives: a batch is train_batch_size positives."""

    def _set_neg_sample_args(self, config, dataset, dl_format, neg_sample_args):
        super()._set_neg_sample_args(config, dataset, dl_format, {"distribution": "none"})


class BatchedFullSortLoader(FullSortEvalDataLoader):
    """RecBole's full-sort loader with as many users a step as ``eval_memory`` MiB of scores allow.

    RecBole counts ``eval_batch_size`` in user-item pairs, which is one user a step beyond 2,048
    items. Models without ``full_sort_predict`` score pair by pair and keep RecBole's count.
    """

    def _init_batch_size_and_step(self):
        super()._init_batch_size_and_step()
        scores_all = self.config.model_class.full_sort_predict
        if self.is_sequential or scores_all is AbstractRecommender.full_sort_predict:
            return
        items = self._dataset.item_num
        users = int(self.config["eval_memory"]) * 2**20 // (items * _BYTES_PER_SCORE)
        self.step = max(users, self.step)
        self.set_batch_size(self.step * items)


def _eval_loader(config, phase):
    loader = get_dataloader(config, phase)
    return BatchedFullSortLoader if loader is FullSortEvalDataLoader else loader


def load_dataset(config):
    """The filtered dataset, seeded as RecBole seeds it, so that its random split follows from seed.

    Raises:
        UsageError: the dataset has to be downloaded and cannot.
    """
    init_seed(config["seed"], config["reproducibility"])
    try:
        return create_dataset(config)
    except OSError as error:
        raise UsageError(f"dataset {config['dataset']!r} cannot be loaded: {error}") from error


def split_dataset(config, dataset):
    """Split a dataset and build the loaders.

    Returns:
        (train, valid, test) loaders, or (train, valid, test, test, ...) where several test sets are
        asked for; valid and test are None where the split leaves them empty.
    Raises:
        UsageError: the split leaves nothing to train on, or RecBole refuses it.
    """
    cached = config["save_dataloaders"] or config["dataloaders_save_path"]
    loaders = load_split_dataloaders(config) if cached else None
    if loaders is not None and partition.same_split(loaders[0]._dataset.config, config):
        dataset._change_feat_format()
        return loaders
    try:
        parts = partition.build(config, dataset)
    except (ValueError, NotImplementedError, AssertionError) as error:
        split = config["eval_args"]["split"]
        raise UsageError(f"eval_args: split {split!r} cannot be made: {error}") from error
    if len(parts) == 2:
        parts = [*_hold_out(config, parts[0]), parts[1]]
    if len(parts[0]) == 0:
        raise UsageError(f"eval_args: {config['eval_args']['split']} leaves no row to train on")
    try:
        samplers = create_samplers(config, dataset, parts[:3])
        # Each test set has its own: what is masked is train and validation, never another test set.
        for test in parts[3:]:
            samplers += create_samplers(config, dataset, [*parts[:2], test])[2:]
    except ValueError as error:
        raise UsageError(f"dataset {config['dataset']!r}: {error}") from error
    loaders = [_train_loader(config, dataset, parts[0], samplers[0])]
    phases = ["valid"] + ["test"] * (len(parts) - 2)
    for phase, part, sampler in zip(phases, parts[1:], samplers[1:], strict=True):
        loader = _eval_loader(config, phase)
        loaders.append(loader(config, part, sampler, shuffle=False) if len(part) else None)
    if config["save_dataloaders"]:
        save_split_dataloaders(config, dataloaders=loaders)
        loaders = load_split_dataloaders(config)  # saving takes the generators out of the loaders
    return tuple(loaders)


def _hold_out(config, part):
    """Part without a random share ``benchmark_valid`` of its rows, and those rows, by split_seed
    or seed."""
    rows = len(part)
    seed = config["seed"] if config["split_seed"] is None else config["split_seed"]
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    held = round(rows * config["benchmark_valid"])
    valid, train = order[:held].sort().values, order[held:].sort().values
    return [part.copy(part.inter_feat[index]) for index in (train, valid)]


def _train_loader(config, dataset, part, sampler):
    if config.spec.backbone:
        return PositivesLoader(config, part, sampler, shuffle=config["shuffle"])
    loader = get_dataloader(config, "train")
    if loader is KnowledgeBasedDataLoader or config["MODEL_TYPE"] == ModelType.KNOWLEDGE:
        arguments = config["train_neg_sample_args"]
        graph = KGSampler(dataset, arguments["distribution"], arguments["alpha"])
        return loader(config, part, sampler, graph, shuffle=True)
    return loader(config, part, sampler, shuffle=config["shuffle"])


def part_names(loaders):
    """Names of the parts that the loaders serve: train, valid, test or the several test sets."""
    return partition.part_names(loaders[0]._dataset.config)  # not all of RecBole's loaders have one


def split_summary(loaders):
    """Rows, users and items of each part: ``{"train": {"rows": ..., ...}, ...}``."""
    summary = {}
    for phase, loader in zip(part_names(loaders), loaders, strict=True):
        if loader is None:
            summary[phase] = {"rows": 0, "users": 0, "items": 0}
            continue
        part = loader._dataset
        users, items = part.inter_feat[part.uid_field], part.inter_feat[part.iid_field]
        summary[phase] = {
            "rows": len(part),
            "users": int(torch.unique(users).numel()),
            "items": int(torch.unique(items).numel()),
        }
    return summary


def split_card(loaders):
    """How the split was made and the popularity of its parts: :func:`partition.card`."""
    parts = [None if loader is None else loader._dataset for loader in loaders]
    return partition.card(dict(zip(part_names(loaders), parts, strict=True)))


def log_split(summary):
    """One line that says how large each part is, in rows, users and items."""
    parts = ", ".join(
        f"{phase} {size['rows']:,} rows / {size['users']:,} users / {size['items']:,} items"
        for phase, size in summary.items()
    )
    getLogger().info(f"split: {parts}")


def fingerprint(train):
    """SHA-256 of the training rows' internal ids: tells whether data or split have changed."""
    part = train._dataset
    digest = hashlib.sha256(f"{part.user_num} {part.item_num}".encode())
    users, items = part.inter_feat[part.uid_field], part.inter_feat[part.iid_field]
    digest.update(torch.sort(users * part.item_num + items).values.numpy().tobytes())
    return digest.hexdigest()
