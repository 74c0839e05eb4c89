"""Checks of the settings of a ``<Backbone>_<Loss>``, and building backbone and loss from them."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.property_files import require
from recbole_dsl.losses import RowLoss
from recbole_dsl.models.batch_inputs import DRAWN, OFFERED, SCORED
from recbole_dsl.models.own_classes import options_by_setting
from recbole_dsl.models.registry import LOSSES, backbone_class, is_backbone, loss_class

T = TypeVar("T")

# The value of ``sample_num`` that stands for every item of the catalogue.
ALL = "all"
# Scores of all items that a step may make at once: 1 GiB in float32. At its peak a step holds four
# such tensors with SL, six with DSL, ten with PSL and eleven with BC.
_LARGEST_SCORES = 1 << 28


def build_from_settings(cls: type[T], config: Mapping[str, Any], *args: Any) -> T:
    """cls(*args, **options), each keyword-only option read from the setting of the same name.

    Raises:
        KeyError: a setting is missing. UsageError: the class refuses a value.
    """
    options = {name: require(config, key) for key, name in options_by_setting(cls).items()}
    try:
        return cls(*args, **options)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{config['model']}: {error}") from error


def options_of(loss: str) -> frozenset[str]:
    """The names of a loss's own settings."""
    return frozenset(options_by_setting(loss_class(loss)))


def check_pair_settings(config: Mapping[str, Any]) -> None:
    """Check a pair's options, score, loss inputs and false negatives before data is read.

    Raises:
        KeyError: a setting is missing. UsageError: a value outside its range.
    """
    name = config["backbone"]
    if is_backbone(name) or ":" in name:  # those of RecBole's models are as its files have them
        for option in options_by_setting(backbone_class(name)):
            require(config, option)
    loss = build_from_settings(loss_class(config["loss"]), config)
    if require(config, "test_score") not in (None, "cosine", "dot"):
        raise UsageError(
            f"{config['model']}: test_score must be cosine, dot or empty, got "
            f"{config['test_score']!r}"
        )
    if require(config, "score") not in loss.scores:
        allowed = " or ".join(loss.scores)
        raise UsageError(f"{config['model']}: score must be {allowed}, got {config['score']!r}")
    _check_false_negatives(config, loss)
    for name in loss.inputs:
        if name not in OFFERED:
            raise UsageError(
                f"{config['model']}: the loss asks for {name!r}, which is not among the inputs "
                f"offered ({', '.join(sorted(OFFERED))}){did_you_mean(name, OFFERED)}"
            )


def _check_false_negatives(config: Mapping[str, Any], loss: RowLoss) -> None:
    """Refuse them for a loss without negatives, and where blocks of rows share negatives."""
    rate, negatives = config["train_noise"]["false_negative"], config["train_neg_sample_args"]
    block, reason = negatives["block"], None
    if not DRAWN & set(loss.inputs):
        reason = f"{config['loss']} draws no negatives"
    elif negatives["sample_num"] == ALL:
        reason = f"it needs a number for sample_num in train_neg_sample_args, got {ALL}"
    elif negatives.get("exclude") == "target":
        reason = "it needs train_neg_sample_args: {exclude: history}, got target"
    elif block > 1:
        reason = f"it needs train_neg_sample_args: {{block: 1}}, got {block}"
    if rate and reason:
        raise UsageError(f"{config['model']}: train_noise: false_negative {rate}: {reason}")


def check_memory_of_all(config: Mapping[str, Any], loss: RowLoss, n_items: int) -> None:
    """Refuse ``sample_num: all`` where a step's scores of all items would be too large a tensor.

    Args:
        n_items: I, the padding item included.
    Raises:
        UsageError: a batch has more than 2^28 scores.
    """
    batch = config["train_batch_size"]
    if not DRAWN & set(loss.inputs) or batch * n_items <= _LARGEST_SCORES:
        return
    size = batch * n_items * 4 / (1 << 30)
    raise UsageError(
        f"{config['model']}: sample_num: {ALL} in train_neg_sample_args scores {n_items - 1:,} "
        f"items for each of {batch:,} rows, {size:,.1f} GiB a tensor: set train_batch_size to at "
        f"most {_LARGEST_SCORES // n_items:,}, or sample_num to a number"
    )


def check_has_tables(config: Mapping[str, Any], backbone: Any) -> None:
    """Refuse ``reg_weight`` above 0, and ``init_from``, for a backbone without their tables.

    Raises:
        UsageError: the backbone, of the user's own, has no such tables.
    """
    names = ("user_embedding", "item_embedding")
    missing = [
        name for name in names if not isinstance(getattr(backbone, name, None), torch.nn.Embedding)
    ]
    for setting, unset in (("reg_weight", "set reg_weight to 0"), ("init_from", "leave it out")):
        if config[setting] and missing:
            raise UsageError(
                f"{config['model']}: {setting} {config[setting]} is of the tables "
                f"{' and '.join(names)}, torch.nn.Embedding, and the backbone has no {missing[0]}: "
                f"{unset}"
            )


def check_embeddings(backbone: str, found: Any, n_users: int, n_items: int) -> None:
    """Raise UsageError unless a backbone's ``embed()`` has returned (U, D) and (I, D)."""
    tables = list(found) if isinstance(found, (tuple, list)) else [found]
    shapes = [
        tuple(table.shape) if isinstance(table, torch.Tensor) else type(table).__name__
        for table in tables
    ]
    size = shapes[0][-1:] if shapes and isinstance(shapes[0], tuple) else ()
    if shapes == [(n_users, *size), (n_items, *size)] and size:
        return
    got = " and ".join(map(str, shapes))
    raise UsageError(
        f"embed() of the backbone {backbone} must return the vectors of all users and items, "
        f"({n_users}, D) and ({n_items}, D), row 0 for padding, got {got}"
    )


def check_sparse(config: Mapping[str, Any], backbone: Any, loss: RowLoss) -> None:
    """Refuse ``learner: sparse_adam`` where a step's gradient is not row-sparse.

    Raises:
        UsageError: the reason, which is in the backbone, the loss or a setting.
    """
    negatives, reason, remedy = config["train_neg_sample_args"], None, ""
    all_rows = [
        f"{key}: {value}"
        for key, value in (("sample_num", ALL), ("block", 1))
        if negatives[key] == value
    ]
    if not getattr(backbone, "row_wise", False):
        reason = f"{config['backbone']} has gradients for more than these rows"
    elif all_rows and SCORED & set(loss.inputs):
        reason = (
            f"with {all_rows[0]} in train_neg_sample_args the gradient has a row for every item"
        )
        remedy = "draw negatives once for many rows, "
        remedy += "train_neg_sample_args: {sample_num: 1000, block: 1024}, or "
    elif "item_table" in loss.inputs:
        reason = f"{config['loss']} scores all items"
    elif any(parameter.requires_grad for parameter in loss.parameters()):
        reason = f"{config['loss']} has learned parts of its own"
    elif config["weight_decay"]:
        reason = "weight_decay would move every row"
    if reason:
        raise UsageError(
            f"{config['model']}: learner sparse_adam updates only the rows of a batch, but "
            f"{reason}; {remedy}use learner: adam"
        )


def check_has_diagnostics(model: str, loss: str | None) -> None:
    """Refuse a model whose loss is no log-sum-exp over negatives: it has no diagnostics.

    Args:
        model: name of the model, for the message.
        loss: name of its loss, for :func:`registry.loss_class`; None for a model that is no pair.
    Raises:
        UsageError: no diagnostics are defined for it.
    """
    if loss is not None and hasattr(loss_class(loss), "robust_view"):
        return
    known = ", ".join(name for name, cls in LOSSES.items() if hasattr(cls, "robust_view"))
    raise UsageError(
        f"{model} has no diagnostics: they are defined for losses that are a log-sum-exp over "
        f"drawn negatives ({known}, or one of your own with robust_view)"
    )
