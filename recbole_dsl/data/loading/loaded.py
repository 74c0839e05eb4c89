"""What a loaded dataset is checked for before it is split, and what the log says of its rows."""

from logging import getLogger
from typing import Any

import numpy as np
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.utils import FeatureType, InputType, ModelType

from recbole_dsl.compat.data_notes import data_notes
from recbole_dsl.compat.exact_time import numbers

_EXACT = 2**53  # integers up to here are exact in 64 bits


def orders_by_time(config: Config) -> str | None:
    """The setting by which a run needs the time of each row; None where it does not.

    Ready parts (``benchmark_filename``) are taken as they are.
    """
    if config["time-aware"]:
        return f"time-aware of {config['model']}"
    if config["benchmark_filename"]:
        return None
    arguments = config["eval_args"]
    split = arguments["split"]
    name = next(iter(split)) if isinstance(split, dict) and split else None
    if name in ("TS", "GT"):
        return f"split {name}"
    if config["MODEL_TYPE"] == ModelType.SEQUENTIAL:
        return f"the sequential model {config['model']}"
    return "order TO" if arguments["order"] == "TO" and name != "PS" else None


def check_times(config: Config, dataset: Dataset) -> None:
    """Check that every row has a time where rows are ordered by it.

    Raises:
        ValueError: no such column, one of another type, one without its order, or rows whose time
            is missing or infinite.
    """
    field, rows, needed_by = dataset.time_field, dataset.inter_feat, orders_by_time(config)
    if needed_by is None:
        if config["rm_dup_inter"] is None or field not in rows or config["benchmark_filename"]:
            return
        needed_by = "rm_dup_inter"
    if field not in rows:
        raise ValueError(
            f"{needed_by} needs the column {field!r} (TIME_FIELD) of the .inter file, loaded "
            "(load_col)"
        )
    kind = dataset.field2type[field]
    if kind != FeatureType.FLOAT:
        raise ValueError(f"{needed_by} needs numbers: {field}:{kind.value} must be {field}:float")
    if field in (config["discretization"] or ()):
        raise ValueError(f"{needed_by} needs times: discretization makes buckets of {field}")
    missing = data_notes(dataset)["filled"].get(f"inter.{field}", 0)
    times = numbers(rows[field])
    infinite = int((~np.isfinite(times)).sum())
    if missing or infinite:
        counts = [f"{missing:,} rows have no {field}"] * bool(missing)
        counts += [f"{infinite:,} have an infinite one"] * bool(infinite)
        raise ValueError(f"{' and '.join(counts)}, which {needed_by} needs for every row")
    if len(times) and np.abs(times).max() > _EXACT:
        getLogger().warning(
            f"{field}: times above 2**53, such as nanoseconds, are told apart to 256 or more units"
        )


def log_notes(config: Config, dataset: Dataset) -> None:
    """Say how many rows were left out, how many values filled, and what labels are ignored."""
    notes, logger = data_notes(dataset), getLogger()
    for title, counts in (("rows left out", "removed"), ("missing values filled", "filled")):
        if notes[counts]:
            phrases = ", ".join(f"{count:,} ({what})" for what, count in notes[counts].items())
            logger.warning(f"{title}: {phrases}")
    labels = notes["labels"]
    if labels and labels["zeros"] and not _reads_labels(config) and not config["drop_zero_labels"]:
        logger.warning(
            f"{labels['zeros']:,} of {labels['rows']:,} rows are labelled 0 ({labels['field']}), "
            f"and {config['model']} takes every row for a positive; drop_zero_labels: True leaves "
            "them out of training and evaluation"
        )


def _reads_labels(config: Config) -> bool:
    """Whether a model learns from the labels: pointwise ones that draw no negatives."""
    arguments: Any = config["train_neg_sample_args"]
    draws = isinstance(arguments, dict) and arguments.get("distribution") not in (None, "none")
    return (
        not draws
        and config["MODEL_INPUT_TYPE"] == InputType.POINTWISE
        and config["MODEL_TYPE"] != ModelType.TRADITIONAL
        and config["loss_type"] != "CE"  # RecBole's name for a softmax over items
    )
