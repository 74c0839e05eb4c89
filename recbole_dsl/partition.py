"""From the settings of a run to RecBole's dataset of each part: our splits, or RecBole's own."""

import contextlib
from logging import getLogger

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.utils import ModelType

from recbole_dsl import noise, splits
from recbole_dsl.loading.dataset import take
from recbole_dsl.loading.phases import Clock
from recbole_dsl.settings import UsageError
from recbole_dsl.splits import options
from recbole_dsl.splits.measures import popularity_line
from recbole_dsl.splits.rows import part_names as own_part_names

_HOST = ("RS", "LS", "TS")
_SETTINGS = ("split_seed", "split_shift", "test_sets", "train_noise", "mask_at_test")


def check_settings(values, model_type):
    """Check split, split_seed, split_shift and test_sets before any data is read.

    Returns:
        ``test_sets`` as a list, or None where it is not given.
    Raises:
        UsageError: one of them is wrong, or does not go with another setting.
    """
    options.check_seed(values["split_seed"])
    options.check_shift(values["split_shift"])
    name, shares = _split(values)
    given = values["test_sets"]
    if name is None:  # RecBole says what it makes of that
        return given
    options.check_name(name, (*_HOST, *options.OWN))
    sets = options.resolve_test_sets(name, given)
    if name in options.OWN:
        options.check_ratios(f"eval_args: split {name}", shares)
        options.check_share(shares, sets)
        if values["benchmark_filename"]:
            raise UsageError(
                f"eval_args: split {name} and benchmark_filename exclude each other: those files "
                "are a split already"
            )
        if model_type == ModelType.SEQUENTIAL:
            raise UsageError(f"eval_args: split {name} is not for sequential models; use LS or TS")
    if len(sets) > 1 and (values["save_dataloaders"] or values["dataloaders_save_path"]):
        raise UsageError("save_dataloaders: RecBole stores one test set, and test_sets names two")
    return None if given is None else sets


def _split(values):
    """Name and value of eval_args' split; (None, None) where it is not a map of one key."""
    split = values["eval_args"].get("split")
    if not isinstance(split, dict) or len(split) != 1:
        return None, None
    return next(iter(split.items()))


def part_names(config):
    """Names of the parts: train, valid, and test or the names of several test sets."""
    files = config["benchmark_filename"]
    if files:
        return ["train", "valid", *(files[2:] if len(files) > 3 else ["test"])]
    name, _ = _split(config)
    return own_part_names(options.resolve_test_sets(name, config["test_sets"]))


def tests_by_name(names, results):
    """Test set -> its metrics, such as {"iid": ..., "popularity": ...}."""
    return {n.removeprefix("test_"): r for n, r in zip(names, results, strict=True)}


def same_split(config, other):
    """Whether two configs agree in the settings of the split that RecBole does not compare."""
    return all(config[key] == other[key] for key in _SETTINGS)


def build(config, dataset):
    """Split a loaded dataset.

    Returns:
        List of RecBole's datasets, by :func:`part_names`; two of them for a pre-split dataset of
        two files. The first one's ``split_notes`` say how it was made.
    Raises:
        ValueError, NotImplementedError, AssertionError: the split cannot be made of these rows.
    """
    name, shares = _split(config)
    if name not in options.OWN or config["benchmark_filename"]:
        with _seeded(config["split_seed"]):
            parts = dataset.build()
        seed = config["seed"] if config["split_seed"] is None else config["split_seed"]
        parts[0].split_notes = {"split": config["eval_args"]["split"], "seed": seed}
        if config["benchmark_filename"]:
            parts[0].split_notes["split"] = {"benchmark_filename": config["benchmark_filename"]}
        return parts
    clock = Clock()
    seed = options.DEFAULT_SEED if config["split_seed"] is None else config["split_seed"]
    sets = options.resolve_test_sets(name, config["test_sets"])
    feat = dataset.inter_feat
    users, items = (np.asarray(feat[field]) for field in (dataset.uid_field, dataset.iid_field))
    if name == "PS":
        shift = config["split_shift"]
        split = splits.popularity_split(
            users, items, shares, seed=seed, shift=shift, test_sets=sets
        )
    else:
        times = _times(dataset)
        split = splits.temporal_split(users, items, times, shares, seed=seed, test_sets=sets)
    dataset._change_feat_format()
    dataset._drop_unused_col()
    parts = [take(dataset, torch.from_numpy(rows)) for rows in split.parts.values()]
    clock.done("split", sum(map(len, parts)))
    notes = {"split": {name: list(shares)}, "seed": seed, "test_sets": sets}
    if name == "PS":
        notes["shift"] = shift
    parts[0].split_notes = {**notes, "reserved": split.reserved, "left_out": split.left_out}
    return parts


def _times(dataset):
    if dataset.time_field not in dataset.inter_feat:
        raise ValueError(
            f"GT needs the column {dataset.time_field!r} (TIME_FIELD) of the .inter file, loaded "
            "(load_col)"
        )
    return np.asarray(dataset.inter_feat[dataset.time_field], np.float64)


def with_false_positives(config, parts):
    """The parts, train with ``train_noise``'s share of random unobserved interactions at its end.

    What else a row has, such as a timestamp, is that of another row of the same user. The first
    part's ``false_positives`` says how many were added, and by which seed.

    Raises:
        UsageError: so many cannot be drawn.
    """
    train, seed = parts[0], config["split_seed"]
    seed = config["seed"] if seed is None else seed
    user, item = train.uid_field, train.iid_field
    known = [torch.cat([part.inter_feat[field] for part in parts]) for field in (user, item)]
    columns = train.inter_feat.interaction
    share = config["train_noise"]["false_positive"]
    size = train.user_num, train.item_num
    try:
        rows, items = noise.false_positives(columns[user], known, *size, share=share, seed=seed)
    except ValueError as error:
        raise UsageError(f"train_noise: {error}") from error
    added = {name: items if name == item else column[rows] for name, column in columns.items()}
    longer = {name: torch.cat([column, added[name]]) for name, column in columns.items()}
    noisy = train.copy(Interaction(longer))
    noisy.false_positives = {"false_positives": len(rows), "seed": seed}
    getLogger().info(
        f"train_noise: {len(rows):,} random unobserved interactions added to {len(train):,} "
        f"training rows, seed {seed}"
    )
    return [noisy, *parts[1:]]


def noise_summary(train, model):
    """What the result file says of ``train_noise``; None where there was none.

    Args:
        train: RecBole dataset of the training part. model: the model.
    """
    added = getattr(train, "false_positives", None)
    sampler = getattr(model, "sampler", None)
    rate = getattr(sampler, "noise", None)
    summary = {**added} if added else {}
    if rate is not None and sampler.noisy:
        users = train.inter_feat[train.uid_field].to(rate.device)
        summary["positives_among_negatives"] = float(rate[users].mean())
    return summary or None


@contextlib.contextmanager
def _seeded(seed):
    """RecBole's random splits, which follow torch's global generator, by a seed of their own."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def card(parts):
    """How a split was made and what its parts hold, as plain data.

    Args:
        parts: name -> RecBole dataset, or None for an empty part.
    Returns:
        dict: ``split``, ``seed`` and so on, and ``popularity``: part ->
        :func:`recbole_dsl.splits.describe`.
    """
    columns, rows, before = [], {}, 0
    for name, part in parts.items():
        size = 0 if part is None else len(part)
        rows[name] = np.arange(before, before + size)
        before += size
        if size:
            feat = part.inter_feat
            columns.append((feat[part.uid_field].numpy(), feat[part.iid_field].numpy()))
    users, items = (np.concatenate(ids) for ids in zip(*columns, strict=True))
    return {**parts["train"].split_notes, "popularity": splits.describe(users, items, rows)}


def log_card(made):
    """A line on item popularity, and one on what was reserved or left out."""
    logger = getLogger()
    logger.info(popularity_line(made["popularity"]))
    lines = left_out_lines(made)
    if lines:
        logger.info(f"split by seed {made['seed']}: {'; '.join(lines)}")


def left_out_lines(made):
    """Sentences on rows reserved for train and rows left out; none for RecBole's splits."""
    return options.left_out_lines(made.get("reserved", 0), made.get("left_out", {}))
