"""Checks of the settings of evaluation. Each raises UsageError with one line."""

from collections.abc import Mapping, Sequence
from typing import Any

from recbole.evaluator import metric_types
from recbole.evaluator.register import metrics_dict
from recbole.utils import EvaluatorType, ModelType

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
    if not names:
        raise UsageError("metrics names none")
    for name in names:
        if str(name).lower() not in metrics_dict:
            raise UsageError(f"unknown metric {name!r}{did_you_mean(name, metrics_dict)}")
    return names


def check_valid_metric(value: Any, metrics: Sequence[str], topk: Sequence[int]) -> None:
    """The metric of early stopping must be among those reported."""
    allowed = [name for metric in metrics for name in _names(metric, topk)]
    if str(value).lower() not in [choice.lower() for choice in allowed]:
        raise UsageError(
            f"valid_metric {value!r} is not among the metrics at topk {topk}: "
            f"{', '.join(allowed)}{did_you_mean(value, allowed)}"
        )


def reported(metrics: Sequence[str], topk: Sequence[int]) -> list[str]:
    """The names of metrics as results have them: ndcg@10, but auc and gauc."""
    return [name.lower() for metric in metrics for name in _names(metric, topk)]


def _names(metric: str, topk: Sequence[int]) -> list[str]:
    of_lists = metric_types[metric.lower()] == EvaluatorType.RANKING
    if not of_lists or metric.lower() == "gauc":
        return [metric]
    return [f"{metric}@{cutoff}" for cutoff in topk]


def check_modes(values: Mapping[str, Any]) -> None:
    """The mode of validation and of test is one that the metrics can be had by."""
    mode = values["eval_args"].get("mode", "full")
    modes = mode if isinstance(mode, dict) else {"valid": mode, "test": mode}
    kinds = {metric_types[name.lower()] for name in values["metrics"]}
    if len(kinds) > 1:
        raise UsageError(
            f"metrics {values['metrics']} are of two kinds: those of ranked lists and those of "
            "single scores (AUC, LogLoss, MAE, RMSE) cannot be had in one run"
        )
    ranked = kinds == {EvaluatorType.RANKING}
    for part, name in modes.items():
        if name == ("labeled" if ranked else "full"):
            wanted = "full, uniN or popN" if ranked else "labeled, uniN or popN"
            raise UsageError(
                f"eval_args: mode {name} ({part}) does not go with metrics {values['metrics']}: "
                f"use {wanted}"
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

    Only RecBole's full ranking has a row for each user: sampled candidates come in RecBole's own
    order. Sequential models are tested by row of the data, which is one of each user where the last
    one is left out (``LS``).
    """
    mode = config["eval_args"]["mode"]["test"]
    if mode != "full":
        return f"needs full ranking, mode: full in eval_args, got {mode!r}"
    if config["MODEL_TYPE"].name == "SEQUENTIAL":
        split = config["eval_args"]["split"]
        if config["benchmark_filename"] or "LS" not in split:
            found = "benchmark_filename" if config["benchmark_filename"] else f"split {split}"
            return (
                f"{config['model']} is a sequential model, tested by row, and {found} can give a "
                "user several; split: {LS: valid_and_test} gives one"
            )
    return None
