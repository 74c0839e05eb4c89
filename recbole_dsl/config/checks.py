"""Checks of a run's settings, before any data is read. Each raises UsageError with one line."""

from collections.abc import Mapping
from typing import Any

from recbole.utils import ModelType

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.validation import check_keys, check_mebibytes
from recbole_dsl.data import settings as data_settings
from recbole_dsl.evaluation.diagnostics.settings import check_rows
from recbole_dsl.evaluation.group_metrics.settings import check_group_metrics
from recbole_dsl.evaluation.settings import (
    check_mask_at_test,
    check_metrics,
    check_topk,
    check_valid_metric,
)
from recbole_dsl.models.resolve import Model
from recbole_dsl.models.settings import ALL, check_has_diagnostics, check_pair_settings

LEARNERS = ("adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam")


def check_all(
    values: dict[str, Any], spec: Model, model_type: ModelType, *, groups_given: bool
) -> list[str]:
    """Check the settings of a run, each alone and against the others.

    Args:
        values: all settings; ``topk``, ``metrics``, ``group_metrics``, ``test_sets`` and
            ``dataset_cache`` are replaced by their one normal form.
        spec: the model. model_type: RecBole's kind of it.
        groups_given: whether the user set ``group_metrics``; else it is the default.
    Returns:
        Warnings, sentences for the log.
    Raises:
        UsageError: a value outside its range, or one that does not go with another.
    """
    values["topk"] = check_topk(values["topk"])
    values["metrics"] = check_metrics(values["metrics"])
    check_valid_metric(values["valid_metric"], values["metrics"], values["topk"])
    values["group_metrics"], warning = check_group_metrics(values, given=groups_given)
    check_learner(values["learner"])
    data_settings.check_eval_args(values["eval_args"])
    values["test_sets"] = data_settings.check_split(values, model_type)
    check_mask_at_test(values, model_type)
    data_settings.check_train_noise(
        values["train_noise"], spec.name, model_type, is_pair=spec.is_pair
    )
    data_settings.check_benchmark_valid(values["benchmark_valid"])
    check_mebibytes("eval_memory", values["eval_memory"])
    values["dataset_cache"] = data_settings.check_dataset_cache(values["dataset_cache"])
    check_processes(values)
    check_rows("diagnostics_rows", values["diagnostics_rows"])
    if values["diagnostics"]:
        check_has_diagnostics(spec.name, spec.loss)
    if spec.is_pair:
        check_pair(values, spec)
    else:
        check_host_negatives(values.get("train_neg_sample_args"), spec.name)
    return [] if warning is None else [warning]


def check_pair(values: Mapping[str, Any], spec: Model) -> None:
    """The settings of a ``<Backbone>_<Loss>``: its name, its negatives, its loss."""
    for key in ("backbone", "loss"):
        if values[key] != getattr(spec, key):
            raise UsageError(
                f"{key} {values[key]!r} contradicts the model name {spec.name}: "
                "name the pair in --model=<Backbone>_<Loss>"
            )
    check_negatives(values["train_neg_sample_args"])
    try:
        check_pair_settings({**values, "model": spec.name})
    except KeyError as error:  # a loss of the user's own whose YAML lacks an option
        raise UsageError(f"{spec.name}: {error.args[0]}") from error


def check_learner(value: Any) -> None:
    """The optimizer is one that RecBole builds; RecBole takes Adam for any other name."""
    if str(value).lower() not in LEARNERS:
        raise UsageError(
            f"learner must be one of {', '.join(LEARNERS)}, got {value!r}"
            f"{did_you_mean(value, LEARNERS)}"
        )


def check_negatives(arguments: Any) -> None:
    """``train_neg_sample_args`` of our models: keys, number, exponent, nothing dynamic."""
    known = ("distribution", "sample_num", "alpha", "dynamic", "candidate_num", "block")
    check_keys("train_neg_sample_args", arguments, known)
    for key, word in (("sample_num", ALL), ("block", None)):
        number = arguments[key]
        if word is not None and number == word:
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            allowed = "an integer >= 1" + (f" or {word}" if word else "")
            raise UsageError(f"{key} of train_neg_sample_args must be {allowed}, got {number!r}")
    alpha = arguments["alpha"]
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
        raise UsageError(f"alpha of train_neg_sample_args must be a number, got {alpha!r}")
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


def check_host_negatives(arguments: Any, name: str) -> None:
    """``sample_num: all`` is for our models alone."""
    if isinstance(arguments, Mapping) and arguments.get("sample_num") == ALL:
        raise UsageError(
            f"{name}: sample_num: {ALL} in train_neg_sample_args is for <Backbone>_<Loss> models; "
            "RecBole's own draw a number of negatives for each positive"
        )


def check_processes(values: Mapping[str, Any]) -> None:
    """RecBole's settings for several processes: each in its range, and consistent."""
    for name, low in (("nproc", 1), ("world_size", -1), ("group_offset", 0), ("port", 1)):
        value = values[name]
        if name == "port" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise UsageError(f"{name} must be an integer >= {low}, got {value!r}")
    nproc, size, offset = (values[name] for name in ("nproc", "world_size", "group_offset"))
    port = values["port"]
    if port is not None and port > 65535:
        raise UsageError(f"port must be in [1, 65535], got {port}")
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
