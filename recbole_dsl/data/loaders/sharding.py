"""Which rows of RecBole's loaders each process takes: its shard.

Only the index sampler of a loader changes, so that every loader of RecBole's works: for training,
batches and negatives are made as in one process, from the process's own rows.
"""

import contextlib
from collections.abc import Iterator

import torch
from recbole.config import Config
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from torch.utils.data import RandomSampler, SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from recbole_dsl.common.distributed import own_part, world


def shard_rows(loader: AbstractDataLoader, config: Config) -> None:
    """Give each process its shard of a training loader's rows, ``train_batch_size`` in all a step.

    Rows are permuted by seed and epoch, alike in all processes, and row n of the permutation goes
    to process n modulo their number, so that a step of all processes together is a step of one
    process over that permutation. All shards are of one size: up to ``world size - 1`` rows are
    taken twice in an epoch, none is left out. ``train_batch_size`` is divided as RecBole divides
    it, rounding down.
    """
    if world().size > 1:
        batches = loader.batch_sampler
        batches.sampler = DistributedSampler(
            range(len(batches.sampler)),  # type: ignore[arg-type]  # only its length is read
            num_replicas=world().size,
            rank=world().rank,
            shuffle=isinstance(batches.sampler, RandomSampler),
            seed=config["seed"],
        )
        batches.batch_size = max(batches.batch_size // world().size, 1)


def start_epoch(loader: AbstractDataLoader, epoch: int) -> None:
    """Permute a training loader's rows anew for an epoch."""
    if world().size > 1:
        loader.batch_sampler.sampler.set_epoch(epoch)


@contextlib.contextmanager
def whole(loader: AbstractDataLoader) -> Iterator[None]:
    """A training loader as one process has it: all rows, in batches of ``train_batch_size``."""
    batches = loader.batch_sampler
    before = batches.sampler, batches.batch_size
    if world().size > 1:
        own = batches.sampler
        rows = range(len(own.dataset))
        generator = torch.Generator().manual_seed(own.seed + own.epoch)
        batches.sampler = (
            RandomSampler(rows, generator=generator) if own.shuffle else SequentialSampler(rows)
        )
        batches.batch_size *= world().size
    try:
        yield
    finally:
        batches.sampler, batches.batch_size = before


@contextlib.contextmanager
def own_users(loader: AbstractDataLoader) -> Iterator[bool]:
    """An evaluation loader over this process's shard of its users, each user in one shard alone.

    Yields whether there are any: with fewer users than processes some have none.
    """
    batches = loader.batch_sampler
    before = batches.sampler
    if world().size > 1:
        batches.sampler = own_part(len(before))
    try:
        yield len(batches.sampler) > 0
    finally:
        batches.sampler = before
