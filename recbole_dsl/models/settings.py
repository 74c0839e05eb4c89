"""Checks of the settings of a ``<Backbone>_<Loss>``, and building backbone and loss from them."""

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.property_files import require
from recbole_dsl.losses import RowLoss
from recbole_dsl.models.batch_inputs import OFFERED, SCORED
from recbole_dsl.models.registry import LOSSES, loss_class

T = TypeVar("T")


def build_from_settings(cls: type[T], config: Mapping[str, Any], *args: Any) -> T:
    """cls(*args, **options), each keyword-only option read from the setting of the same name.

    Raises:
        KeyError: a setting is missing. UsageError: the class refuses a value.
    """
    options = {
        name: require(config, name.rstrip("_"))  # lambda_ reads lambda, a keyword of Python's
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    try:
        return cls(*args, **options)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{config['model']}: {error}") from error


def check_pair_settings(config: Mapping[str, Any]) -> None:
    """Check a pair's score, loss options, loss inputs and false negatives before data is read.

    Raises:
        KeyError: a setting is missing. UsageError: a value outside its range.
    """
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
    rate, block = config["train_noise"]["false_negative"], config["train_neg_sample_args"]["block"]
    reason = None
    if not (SCORED | {"negatives"}) & set(loss.inputs):
        reason = f"{config['loss']} draws no negatives"
    elif block > 1:
        reason = f"it needs train_neg_sample_args: {{block: 1}}, got {block}"
    if rate and reason:
        raise UsageError(f"{config['model']}: train_noise: false_negative {rate}: {reason}")


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
