"""Which rows of RecBole's loaders each process takes, and its collected evaluation put together.

Only the index sampler of a loader changes, so that every loader of RecBole's works: for training,
batches and negatives are made as ever, from the process's own rows.
"""

import contextlib

import torch
from torch.utils.data import RandomSampler, SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from recbole_dsl.distributed import from_all, gather_rows, own_part, world


def divide(loader, config):
    """Let each process take its own rows of a training loader, ``train_batch_size`` in all a step.

    Rows are permuted by seed and epoch, alike in all processes, and dealt out in turn, so that a
    step of all processes together is a step of one process over that permutation. Every process has
    as many rows: up to ``world size - 1`` rows are taken twice in an epoch, none is left out.
    ``train_batch_size`` is divided as RecBole divides it, rounding down.
    """
    if world().size > 1:
        batches = loader.batch_sampler
        batches.sampler = DistributedSampler(
            range(len(batches.sampler)),
            num_replicas=world().size,
            rank=world().rank,
            shuffle=isinstance(batches.sampler, RandomSampler),
            seed=config["seed"],
        )
        batches.batch_size = max(batches.batch_size // world().size, 1)
    return loader


def start_epoch(loader, epoch):
    """Draw a training loader's rows anew for an epoch."""
    if world().size > 1:
        loader.batch_sampler.sampler.set_epoch(epoch)


@contextlib.contextmanager
def whole(loader):
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
def own_users(loader):
    """An evaluation loader over this process's part of its users, each user in one part alone.

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


def gather(struct):
    """What all processes collected of their users, as if one had: a RecBole ``DataStruct``.

    Rows come in the order of the loader. What is not of single users is alike in all and stays.
    """
    if world().size == 1:
        return struct
    mine = {
        key: value
        for key, value in struct._data_dict.items()
        if isinstance(value, torch.Tensor) and (key.startswith("rec.") or key == "data.label")
    }
    shapes = {}
    for found in from_all({key: (x.dtype, x.shape[1:]) for key, x in mine.items()}):
        shapes.update(found)
    for key, (dtype, shape) in sorted(shapes.items()):
        rows = mine.get(key)
        rows = torch.empty(0, *shape, dtype=dtype) if rows is None else rows
        struct.set(key, gather_rows(rows))
    return struct
