"""The act of splitting: from a loaded dataset to RecBole's dataset of each part, and a record."""

import contextlib
from collections.abc import Iterator
from logging import getLogger
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.timing import Clock
from recbole_dsl.compat.exact_time import numbers
from recbole_dsl.data import settings, splitting
from recbole_dsl.data.loading.dataset import take
from recbole_dsl.data.sampling import noise
from recbole_dsl.data.splitting import options


class Partition(NamedTuple):
    """The parts of a dataset, and how they were made.

    Attributes:
        parts: name -> RecBole dataset: train, valid, and test or one for each of several test sets.
        notes: how the rows were divided, as plain data: ``split`` and ``seed``; of our own splits
            also ``test_sets``, ``reserved``, ``left_out``, and ``shift`` and ``valid_shift`` of PS;
            of validation rows held out of train ``valid_shift``, and ``reserved`` with a shift.
        added_noise: number of ``false_positives`` in train, and their ``seed``; None without any.
    """

    parts: dict[str, Dataset]
    notes: dict[str, Any]
    added_noise: dict[str, int] | None = None


def build(config: Config, dataset: Dataset) -> Partition:
    """Split a loaded dataset.

    Raises:
        ValueError, NotImplementedError, AssertionError: the split cannot be made of these rows.
    """
    name, _ = settings.split_of(config)
    if name in options.OWN and not config["benchmark_filename"]:
        return _by_own_split(config, dataset)
    return _by_recbole(config, dataset)


def _by_recbole(config: Config, dataset: Dataset) -> Partition:
    """RecBole's own splits, and files that are a split already; with validation rows held out of
    train where these make only train and test."""
    with _seeded(config["split_seed"]):
        parts = dataset.build()
    notes: dict[str, Any] = {}
    if len(parts) == 2:
        held_out, notes = _hold_out(config, parts[0])
        parts = [*held_out, parts[1]]
    names = settings.part_names(config)
    if len(parts) != len(names):
        raise ValueError(f"it makes {len(parts)} parts, not {len(names)}: {', '.join(names)}")
    files = config["benchmark_filename"]
    split = {"benchmark_filename": files} if files else config["eval_args"]["split"]
    notes = {"split": split, "seed": _seed(config), **notes}
    return Partition(dict(zip(names, parts, strict=True)), notes)


def _seed(config: Config) -> int:
    return config["seed"] if config["split_seed"] is None else config["split_seed"]


@contextlib.contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """RecBole's random splits, which follow torch's global generator, by a seed of their own."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _hold_out(config: Config, train: Dataset) -> tuple[list[Dataset], dict[str, Any]]:
    """Train without a share ``benchmark_valid`` of its rows, and those rows, drawn at random or by
    ``valid_shift``; and notes on it."""
    rows, shift = len(train), config["valid_shift"]
    n_valid = round(rows * config["benchmark_valid"])
    notes: dict[str, Any] = {"valid_shift": shift}
    if shift:
        users, items = (train.inter_feat[field].numpy() for field in _ids(train))
        drawn, notes["reserved"] = splitting.hold_out_shifted(
            users, items, n_valid, seed=_seed(config), shift=shift
        )
        stays = np.ones(rows, bool)
        stays[drawn] = False
        valid, rest = torch.from_numpy(drawn), torch.from_numpy(np.flatnonzero(stays))
    else:
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(_seed(config)))
        valid, rest = order[:n_valid].sort().values, order[n_valid:].sort().values
    return [take(train, index) for index in (rest, valid)], notes


def _ids(dataset: Dataset) -> tuple[str, str]:
    return dataset.uid_field, dataset.iid_field


def _by_own_split(config: Config, dataset: Dataset) -> Partition:
    """PS and GT."""
    clock = Clock()
    name, ratios = settings.split_of(config)
    seed = options.DEFAULT_SEED if config["split_seed"] is None else config["split_seed"]
    test_sets = options.resolve_test_sets(name, config["test_sets"])
    feat = dataset.inter_feat
    users, items = (np.asarray(feat[field]) for field in _ids(dataset))
    notes = {"split": {name: list(ratios)}, "seed": seed, "test_sets": test_sets}
    if name == "PS":
        notes["shift"], notes["valid_shift"] = config["split_shift"], config["valid_shift"]
        split = splitting.popularity_split(
            users, items, ratios, seed=seed, shift=config["split_shift"],
            valid_shift=config["valid_shift"], test_sets=test_sets,
        )  # fmt: skip
    else:
        split = splitting.temporal_split(
            users, items, _times(dataset), ratios, seed=seed, test_sets=test_sets
        )
    if config["time-aware"]:  # DiffRec sorts train by float32 times, which keeps an exact order
        rows = split.parts["train"]
        split.parts["train"] = rows[np.argsort(_times(dataset)[rows], kind="stable")]
    dataset._change_feat_format()
    dataset._drop_unused_col()
    parts = {part: take(dataset, torch.from_numpy(rows)) for part, rows in split.parts.items()}
    clock.done("split", sum(map(len, parts.values())))
    notes |= {"reserved": split.reserved, "left_out": split.left_out}
    return Partition(parts, notes)


def _times(dataset: Dataset) -> npt.NDArray[np.float64]:
    times = numbers(dataset.inter_feat[dataset.time_field])
    return times if times.ndim == 1 else times[:, 0]


def with_false_positives(config: Config, partition: Partition) -> Partition:
    """The same with ``train_noise``'s share of random unobserved interactions at train's end.

    What else a row has, such as a timestamp, is that of another row of the same user.

    Raises:
        UsageError: so many cannot be drawn.
    """
    parts, seed = partition.parts, _seed(config)
    train = parts["train"]
    user, item = train.uid_field, train.iid_field
    all_users, all_items = (
        torch.cat([part.inter_feat[field] for part in parts.values()]) for field in (user, item)
    )
    columns = train.inter_feat.interaction
    share = config["train_noise"]["false_positive"]
    size = train.user_num, train.item_num
    try:
        rows, items = noise.false_positives(
            columns[user], (all_users, all_items), *size, share=share, seed=seed
        )
    except ValueError as error:
        raise UsageError(f"train_noise: {error}") from error
    added = {name: items if name == item else column[rows] for name, column in columns.items()}
    longer = {name: torch.cat([column, added[name]]) for name, column in columns.items()}
    getLogger().info(
        f"train_noise: {len(rows):,} random unobserved interactions added to {len(train):,} "
        f"training rows, seed {seed}"
    )
    return partition._replace(
        parts={**parts, "train": train.copy(Interaction(longer))},
        added_noise={"false_positives": len(rows), "seed": seed},
    )
