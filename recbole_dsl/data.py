"""From a Config to RecBole's datasets and loaders: positives for our models, many users a step."""

import hashlib
from logging import getLogger

import recbole.data.dataset
import torch
from recbole.data import create_dataset, create_samplers
from recbole.data.dataloader import (
    FullSortEvalDataLoader,
    KnowledgeBasedDataLoader,
    TrainDataLoader,
)
from recbole.data.interaction import Interaction
from recbole.data.utils import get_dataloader, load_split_dataloaders, save_split_dataloaders
from recbole.sampler import KGSampler
from recbole.utils import ModelType, init_seed

from recbole_dsl import partition, shards
from recbole_dsl.fullsort import BatchedFullSortLoader
from recbole_dsl.loading.dataset import ArrayDataset, take
from recbole_dsl.loading.phases import Clock
from recbole_dsl.settings import UsageError


class PositivesLoader(TrainDataLoader):
    """Users and items of ``train_batch_size`` positives at a time, from tensors on the device.

    RecBole's loader gathers each batch on the CPU and copies it over, for which a GPU is waited
    for; here one permutation an epoch goes over, and batches are indexed there.
    """

    def _set_neg_sample_args(self, config, dataset, dl_format, neg_sample_args):
        super()._set_neg_sample_args(config, dataset, dl_format, {"distribution": "none"})

    def __iter__(self):
        device, feat = self.config["device"], self._dataset.inter_feat
        columns = {name: feat[name].to(device) for name in (self.uid_field, self.iid_field)}
        rows = torch.tensor(list(self.batch_sampler.sampler)).to(device)
        for index in rows.split(self.batch_sampler.batch_size):
            yield Interaction({name: column[index] for name, column in columns.items()})


def _eval_loader(config, phase, part, sampler, earlier):
    """The loader of a part, or None where it is empty; ``earlier`` are the parts before it."""
    if len(part) == 0:
        return None
    loader = get_dataloader(config, phase)
    if loader is not FullSortEvalDataLoader:
        return loader(config, part, sampler, shuffle=False)
    # RecBole masks nothing where users may meet an item again
    earlier = [] if config["repeatable"] else earlier
    return BatchedFullSortLoader(config, part, sampler, shuffle=False, earlier=earlier)


def _samplers(config, dataset, parts):
    """RecBole's samplers of train, valid and test, or None each where nothing draws from them.

    Our models draw their own negatives; RecBole's samplers keep a set of items for every user.
    """
    unused = {"full", "labeled"}.issuperset(config["eval_args"]["mode"].values())
    if config.spec.backbone and unused:
        return [None] * len(parts)
    try:
        return create_samplers(config, dataset, parts)
    except ValueError as error:
        raise UsageError(f"dataset {config['dataset']!r}: {error}") from error


def load_dataset(config):
    """The filtered dataset, seeded as RecBole seeds it, so that its random split follows from seed.

    Raises:
        UsageError: the dataset has to be downloaded and cannot, or its files or filters are wrong.
    """
    init_seed(config["seed"], config["reproducibility"])
    try:
        if _is_plain(config):
            return ArrayDataset(config)
        clock = Clock()
        dataset = create_dataset(config)
        clock.done(f"read {config['dataset']} by RecBole's own loader", len(dataset.inter_feat))
        return dataset
    except (OSError, ValueError) as error:
        raise UsageError(f"dataset {config['dataset']!r} cannot be loaded: {error}") from error


def _is_plain(config):
    """Whether RecBole would build its own plain Dataset, and is not asked for its pickled one."""
    special = ModelType.SEQUENTIAL, ModelType.KNOWLEDGE
    return not (
        hasattr(recbole.data.dataset, f"{config['model']}Dataset")
        or config["MODEL_TYPE"] in special
        or config["save_dataset"]
        or config["dataset_save_path"]
    )


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
    clock = Clock()
    if len(parts) == 2:
        parts = [*_hold_out(config, parts[0]), parts[1]]
    if len(parts[0]) and config["train_noise"]["false_positive"]:
        parts = partition.with_false_positives(config, parts)
    if len(parts[0]) == 0:
        raise UsageError(f"eval_args: {config['eval_args']['split']} leaves no row to train on")
    samplers = _samplers(config, dataset, parts[:3])
    for test in parts[3:]:  # each test set has its own
        samplers += _samplers(config, dataset, [*parts[:2], test])[2:]
    loaders = [shards.divide(_train_loader(config, dataset, parts[0], samplers[0]), config)]
    for at in range(1, len(parts)):
        phase = "valid" if at == 1 else "test"
        # What is masked: train, and at test validation, but no other test set.
        earlier = parts[: 1 if config["mask_at_test"] == "train" else min(at, 2)]
        loaders.append(_eval_loader(config, phase, parts[at], samplers[at], earlier))
    if config["save_dataloaders"]:
        save_split_dataloaders(config, dataloaders=loaders)
        loaders = load_split_dataloaders(config)  # saving takes the generators out of the loaders
    clock.done("loaders", len(parts[0]))
    return tuple(loaders)


def _hold_out(config, part):
    """Part without a random share ``benchmark_valid`` of its rows, and those rows, by split_seed
    or seed."""
    rows = len(part)
    seed = config["seed"] if config["split_seed"] is None else config["split_seed"]
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    held = round(rows * config["benchmark_valid"])
    valid, train = order[:held].sort().values, order[held:].sort().values
    return [take(part, index) for index in (train, valid)]


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
            "users": int(torch.bincount(users).count_nonzero()),
            "items": int(torch.bincount(items).count_nonzero()),
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
