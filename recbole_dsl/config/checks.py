"""Rules between the settings of a run, before any data is read.

What values each setting may have is in :mod:`recbole_dsl.config.schema`. Each check raises
UsageError with one line.
"""

import importlib.util
from collections.abc import Mapping
from typing import Any

from recbole.utils import ModelType

from recbole_dsl.common.errors import UsageError, how_to_install
from recbole_dsl.config import host_checks
from recbole_dsl.config.columns import check_columns
from recbole_dsl.config.ignored import ignored_settings
from recbole_dsl.data import settings as data_settings
from recbole_dsl.evaluation.group_metrics.settings import check_group_metrics
from recbole_dsl.evaluation.settings import (
    check_mask_at_test,
    check_metrics,
    check_modes,
    check_topk,
    check_valid_metric,
)
from recbole_dsl.models.batch_inputs import DRAWN
from recbole_dsl.models.registry import loss_class
from recbole_dsl.models.resolve import Model
from recbole_dsl.models.settings import ALL, check_has_diagnostics, check_pair_settings

# A softmax over fewer negatives than this is a poor stand-in for one over the catalogue.
_FEW_NEGATIVES = 16
_READ_BY_TRANSFORM = {
    "mask_itemseq": "mask_ratio",
    "crop_itemseq": "eta",
    "reorder_itemseq": "beta",
}


def check_all(
    values: dict[str, Any], spec: Model, model_type: ModelType, *, given: Mapping[str, str]
) -> list[str]:
    """Check the settings of a run against each other.

    Args:
        values: all settings, each of its type; ``topk``, ``metrics``, ``group_metrics``,
            ``test_sets`` and ``dataset_cache`` are replaced by their one normal form.
        spec: the model. model_type: RecBole's kind of it.
        given: the settings that the user gave -> where.
    Returns:
        Warnings, sentences for the log.
    Raises:
        UsageError: a value that does not go with another.
    """
    values["topk"] = check_topk(values["topk"])
    values["metrics"] = check_metrics(values["metrics"])
    check_valid_metric(values["valid_metric"], values["metrics"], values["topk"])
    values["group_metrics"], warning = check_group_metrics(values, given="group_metrics" in given)
    check_modes(values)
    values["test_sets"] = data_settings.check_split(values, model_type)
    check_mask_at_test(values, model_type)
    data_settings.check_train_noise(
        values["train_noise"], spec.name, model_type, is_pair=spec.is_pair
    )
    values["dataset_cache"] = data_settings.check_dataset_cache(values["dataset_cache"])
    check_columns(values, model_type, given)
    check_sequences(values, spec, model_type)
    check_processes(values)
    check_installed(values)
    host_checks.check_package(values, spec)
    if values["diagnostics"]:
        check_has_diagnostics(spec.name, spec.loss)
    warnings = [] if warning is None else [warning]
    if spec.is_pair:
        check_pair(values, spec)
        warnings += few_negatives(values, spec)
    else:
        warnings += host_checks.check_host(values, spec, given)
    return warnings + ignored_settings(values, given)


def few_negatives(values: Mapping[str, Any], spec: Model) -> list[str]:
    """A warning where a softmax loss draws so few negatives that it is another loss, or none."""
    number, loss = values["train_neg_sample_args"]["sample_num"], loss_class(str(spec.loss))
    softmax = hasattr(loss, "robust_view") and DRAWN & set(loss.inputs)
    if not softmax or number == ALL or number >= _FEW_NEGATIVES:
        return []
    return [
        f"{spec.loss} is a softmax over a positive and its negatives, and train_neg_sample_args: "
        f"{{sample_num: {number}}} gives it {number}: results are worse than with more; 100 to "
        "1000 are usual"
    ]


def check_sequences(values: Mapping[str, Any], spec: Model, model_type: ModelType) -> None:
    """Sequences are ordered by time; ``transform`` changes them, and reads a setting that only some
    models have."""
    order, transform = values["eval_args"].get("order"), values["transform"]
    sequential = model_type == ModelType.SEQUENTIAL
    if sequential and order != "TO":
        raise UsageError(
            f"{spec.name} is a sequential model, and needs eval_args: {{order: TO}}, got {order!r}"
        )
    if transform is None:
        return
    if not sequential:
        raise UsageError(f"transform {transform} is for sequential models, and {spec.name} is none")
    if spec.is_pair:
        raise UsageError(f"transform {transform} is for RecBole's own models, not {spec.name}")
    option = _READ_BY_TRANSFORM.get(transform)
    if option is not None and values.get(option) is None:
        raise UsageError(
            f"transform {transform} needs the setting {option}, which {spec.name} lacks"
        )


def check_installed(values: Mapping[str, Any]) -> None:
    """Packages that a setting needs and that need not be installed."""
    if values["log_wandb"] and importlib.util.find_spec("wandb") is None:
        raise UsageError(f"log_wandb: True: {how_to_install('wandb')}")


def check_pair(values: Mapping[str, Any], spec: Model) -> None:
    """The settings of a ``<Backbone>_<Loss>``: its name, its negatives, its loss."""
    for key in ("backbone", "loss"):
        if values[key] != getattr(spec, key):
            raise UsageError(
                f"{key} {values[key]!r} contradicts the model name {spec.name}: "
                "name the pair in --model=<Backbone>_<Loss>"
            )
    check_negatives(values["train_neg_sample_args"])
    if values.get("layer_cl", 0) > values.get("n_layers", 0) and spec.backbone == "XSimGCL":
        raise UsageError(
            f"{spec.name}: layer_cl must be at most n_layers = {values['n_layers']}, got "
            f"{values['layer_cl']}"
        )
    try:
        check_pair_settings({**values, "model": spec.name})
    except KeyError as error:  # a class of the user's own whose YAML lacks an option
        raise UsageError(f"{spec.name}: {error.args[0]}") from error


def check_negatives(arguments: Mapping[str, Any]) -> None:
    """``train_neg_sample_args`` of our models: nothing dynamic, and nothing drawn of all items."""
    if arguments["distribution"] is None:
        raise UsageError(
            "distribution of train_neg_sample_args must be uniform or popularity, got None"
        )
    if arguments.get("dynamic"):
        raise UsageError(
            "train_neg_sample_args: dynamic sampling is RecBole's, for its own models; the softmax "
            "losses weigh hard negatives themselves (use dynamic: False)"
        )
    if arguments["sample_num"] == ALL:
        _check_nothing_is_drawn(arguments)


def _check_nothing_is_drawn(arguments: Mapping[str, Any]) -> None:
    """``sample_num: all`` beside settings that say how negatives are drawn."""
    for key, default in (("distribution", "uniform"), ("block", 1)):
        if arguments[key] != default:
            raise UsageError(
                f"train_neg_sample_args: sample_num: {ALL} takes every item and draws none: "
                f"{key} must be {default}, got {arguments[key]}"
            )


def check_processes(values: Mapping[str, Any]) -> None:
    """RecBole's settings for several processes are consistent."""
    nproc, size, offset = (values[name] for name in ("nproc", "world_size", "group_offset"))
    port = values["port"]
    if size == 0 or 0 < size < nproc:
        raise UsageError(f"world_size must be -1 or at least nproc = {nproc}, got {size}")
    size = nproc if size == -1 else size
    if offset + nproc > size:
        raise UsageError(
            f"group_offset {offset} and nproc {nproc} go beyond the run's {size} process(es): "
            "world_size counts those of all machines"
        )
    if size > nproc and port is None:
        raise UsageError(
            f"world_size {size} > nproc {nproc} means several machines, which have to be told the "
            "same --ip and --port of the first one"
        )
    batch = values["train_batch_size"]
    if isinstance(batch, int) and batch < size:
        raise UsageError(
            f"train_batch_size must be at least the number of processes, {size}, got {batch}: it "
            "counts the rows of one step in all processes together"
        )
