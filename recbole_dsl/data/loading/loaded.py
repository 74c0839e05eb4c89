"""What a loaded dataset is checked for before it is split, and what the log says of its rows."""

from collections.abc import Mapping
from logging import getLogger
from typing import Any

import numpy as np
import pandas as pd
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.utils import FeatureType, InputType, ModelType

from recbole_dsl.common.errors import UsageError
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


def check_columns(config: Config, dataset: Dataset) -> None:
    """Check that labels are labels where they are read, and that every token has an id.

    Raises:
        ValueError: they are not.
    """
    for name in dataset.feat_name_list:
        for field, column in getattr(dataset, name).items():
            token = dataset.field2type[field] == FeatureType.TOKEN
            if token and not pd.api.types.is_numeric_dtype(column.dtype):
                raise ValueError(
                    f"the tokens of {field} in .{name.removesuffix('_feat')} get no ids from "
                    "RecBole: name the column in alias_of_user_id or its like, or leave it out by "
                    "load_col"
                )
    modes = config["eval_args"]["mode"].values()
    context = config["MODEL_TYPE"] == ModelType.CONTEXT
    errors_alone = {"mae", "rmse"}.issuperset(name.lower() for name in config["metrics"])
    if "labeled" in modes:
        check_labels(dataset, "mode labeled", any_number=errors_alone and not context)
    elif context and _reads_labels(config):
        check_labels(dataset, config["model"])


def check_parts(config: Config, parts: Mapping[str, Dataset]) -> None:
    """Check that each part can be measured as the settings ask, before anything is trained.

    Args:
        parts: name -> RecBole dataset.
    Raises:
        UsageError: AUC of a part with labels of one kind; more items in a list than there are.
    """
    names = {name.lower() for name in config["metrics"]}
    for part, dataset in parts.items():
        mode = config["eval_args"]["mode"].get("valid" if part == "valid" else "test")
        if part == "train" or len(dataset) == 0:
            continue
        if mode != "labeled":
            k, items = max(config["topk"]), dataset.item_num - 1  # without the padding
            if k > items:
                raise UsageError(f"topk must be at most the {items} items, got {k}")
        elif names & {"auc", "gauc"}:
            labels = dataset.inter_feat[dataset.label_field]
            if bool((labels == labels[0]).all()):
                raise UsageError(
                    f"AUC compares rows labelled 1 with rows labelled 0, and {part} has none of "
                    f"{'the latter' if labels[0] else 'the former'}"
                )


def check_labels(dataset: Dataset, needed_by: str, any_number: bool = False) -> None:
    """Check that a dataset, or a part of it, has labels of 0 and 1.

    Raises:
        ValueError: it has none, some are missing, or are something else.
    """
    field, rows = dataset.label_field, dataset.inter_feat
    if field not in rows:
        raise ValueError(
            f"{needed_by} needs labels: the column {field!r} (LABEL_FIELD) of 0 and 1, loaded "
            "(load_col), or threshold, such as {rating: 4}"
        )
    kind = dataset.field2type[field]
    if kind != FeatureType.FLOAT:
        raise ValueError(f"{needed_by} needs numbers: {field}:{kind.value} must be {field}:float")
    # RecBole fills what is missing by the mean before it labels by threshold
    made_of = next(iter(dataset.config["threshold"] or {}), field)
    missing = data_notes(dataset)["filled"].get(f"inter.{made_of}", 0)
    labels = np.asarray(rows[field], np.float64)
    wrong = labels[~np.isfinite(labels) if any_number else (labels != 0) & (labels != 1)]
    if missing or len(wrong):
        found = f"{missing:,} rows have no {made_of}" if missing else f"one is {wrong[0]:g}"
        wanted = "labels that are numbers" if any_number else "labels that are 0 or 1"
        raise ValueError(f"{needed_by} needs {wanted}, and {found}")


def log_notes(config: Config, dataset: Dataset) -> None:
    """Say how many rows were left out, how many values filled, and what labels are ignored."""
    notes, logger = data_notes(dataset), getLogger()
    for title, counts in (("rows left out", "removed"), ("missing values filled", "filled")):
        if notes[counts]:
            phrases = ", ".join(f"{count:,} ({what})" for what, count in notes[counts].items())
            logger.warning(f"{title}: {phrases}")
    for field in config["seq_len"] or ():
        if field not in dataset.field2type:
            logger.warning(f"seq_len: no column {field} is loaded; ignored")
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
