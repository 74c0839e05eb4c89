"""Checks of the settings of evaluation. Each raises UsageError with one line."""

from collections.abc import Mapping, Sequence
from typing import Any

from recbole.evaluator.register import metrics_dict
from recbole.utils import ModelType

from recbole_dsl.common import property_files
from recbole_dsl.common.errors import UsageError, did_you_mean

# Values of mask_at_test: of which parts the items are masked at test.
MASKS = ("train_valid", "train")


def check_topk(value: Any) -> list[int]:
    """Cut-offs as a list: one or more integers >= 1, from an integer, a list or "5,10"."""
    given = value
    if isinstance(value, str):
        value = property_files.parse_value("topk", f"[{value}]")
    value = list(value) if isinstance(value, (list, tuple)) else [value]
    if not value or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in value):
        raise UsageError(f"topk must be one or more integers >= 1, got {given!r}")
    return value


def check_metrics(value: Any) -> list[str]:
    """Metric names as a list, each one of RecBole's, from a list or "Recall, NDCG"."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else list(value)
    for name in names:
        if str(name).lower() not in metrics_dict:
            raise UsageError(f"unknown metric {name!r}{did_you_mean(name, metrics_dict)}")
    return names


def check_valid_metric(value: Any, metrics: Sequence[str], topk: Sequence[int]) -> None:
    """The metric of early stopping must be among those reported."""
    name, at, k = str(value).partition("@")
    allowed = [f"{metric}@{cutoff}" for metric in metrics for cutoff in topk]
    with_k = f"{name}@{k}".lower() in [choice.lower() for choice in allowed]
    if name.lower() not in [metric.lower() for metric in metrics] or (at and not with_k):
        raise UsageError(
            f"valid_metric {value!r} is not among the metrics at topk {topk}: "
            f"{', '.join(allowed)}{did_you_mean(value, allowed)}"
        )


def check_mask_at_test(values: Mapping[str, Any], model_type: ModelType) -> None:
    """``mask_at_test`` must be one of :data:`MASKS`; "train" needs a ranking of all items."""
    value, mode = values["mask_at_test"], values["eval_args"].get("mode")
    if value not in MASKS:
        allowed = " or ".join(MASKS)
        hint = did_you_mean(value, MASKS)
        raise UsageError(f"mask_at_test must be {allowed}, got {value!r}{hint}")
    if value == MASKS[0]:
        return
    mode = mode.get("test") if isinstance(mode, dict) else mode
    if mode != "full":
        raise UsageError(f"mask_at_test {value} needs eval_args mode full at test, got {mode!r}")
    if values["repeatable"] or model_type == ModelType.SEQUENTIAL:
        raise UsageError(
            f"mask_at_test {value}: nothing is masked where a user may meet an item again "
            "(repeatable: True, sequential models)"
        )


def check_user_metrics(config: Any) -> None:
    """``user_metrics`` needs an evaluation of single users."""
    if config["user_metrics"] and (reason := why_no_user_metrics(config)):
        raise UsageError(f"user_metrics: {reason}; leave it out for this run")


def why_no_user_metrics(config: Any) -> str | None:
    """Why values by user cannot be had with these settings, or None.

    Only RecBole's full ranking has a row for each user: sequential models are evaluated by row, and
    sampled candidates come in RecBole's own order.
    """
    mode = config["eval_args"]["mode"]["test"]
    if mode != "full":
        return f"needs full ranking, mode: full in eval_args, got {mode!r}"
    if config["MODEL_TYPE"].name == "SEQUENTIAL":
        return f"{config['model']} is a sequential model, tested by row and not by user"
    return None
