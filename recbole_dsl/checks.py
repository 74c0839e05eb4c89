"""Checks of single settings that every run has. Each raises UsageError with one line."""

import math

from recbole.evaluator.register import metrics_dict
from recbole.utils import ModelType

from recbole_dsl import settings
from recbole_dsl.settings import UsageError, did_you_mean

MASKS = ("train_valid", "train")
LEARNERS = ("adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam")


def topk(value):
    """Cut-offs as a list: one or more integers >= 1, from an integer, a list or "5,10"."""
    given = value
    if isinstance(value, str):
        value = settings.parse_value("topk", f"[{value}]")
    value = list(value) if isinstance(value, (list, tuple)) else [value]
    if not value or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in value):
        raise UsageError(f"topk must be one or more integers >= 1, got {given!r}")
    return value


def metrics(value):
    """Metric names as a list, each one of RecBole's, from a list or "Recall, NDCG"."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else list(value)
    for name in names:
        if str(name).lower() not in metrics_dict:
            raise UsageError(f"unknown metric {name!r}{did_you_mean(name, metrics_dict)}")
    return names


def valid_metric(value, names, cutoffs):
    """The metric of early stopping must be among those reported."""
    name, at, k = str(value).partition("@")
    allowed = [f"{metric}@{cutoff}" for metric in names for cutoff in cutoffs]
    with_k = f"{name}@{k}".lower() in [choice.lower() for choice in allowed]
    if name.lower() not in [metric.lower() for metric in names] or (at and not with_k):
        raise UsageError(
            f"valid_metric {value!r} is not among the metrics at topk {cutoffs}: "
            f"{', '.join(allowed)}{did_you_mean(value, allowed)}"
        )


def learner(value):
    """The optimiser must be one that RecBole builds; it takes Adam for any other name."""
    if str(value).lower() not in LEARNERS:
        raise UsageError(
            f"learner must be one of {', '.join(LEARNERS)}, got {value!r}"
            f"{did_you_mean(value, LEARNERS)}"
        )


def _keys(setting, value, known):
    if not isinstance(value, dict):
        raise UsageError(f"{setting} must be a map, got {value!r}")
    for key in value:
        if key not in known:
            hint = did_you_mean(key, known)
            raise UsageError(f"{setting} has no key {key!r} (known: {', '.join(known)}){hint}")


def eval_args(arguments):
    """``eval_args`` has RecBole's four keys; what they hold is for RecBole to check."""
    _keys("eval_args", arguments, ("split", "group_by", "order", "mode"))


def mask_at_test(values, model_type):
    """``mask_at_test`` is a word we know, and "train" goes with a ranking of all items."""
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


def train_noise(values, spec, model_type):
    """``train_noise``: two numbers >= 0, for models that can take them."""
    noise = values["train_noise"]
    known = ("false_positive", "false_negative")
    _keys("train_noise", noise, known)
    for key in known:
        value = noise[key]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 <= value < math.inf:
            raise UsageError(f"{key} of train_noise must be a number >= 0, got {value!r}")
    if noise["false_negative"] and not spec.backbone:
        raise UsageError(
            f"train_noise: false_negative is for <Backbone>_<Loss>; {spec.name} draws its "
            "negatives by RecBole's sampler"
        )
    plain = ModelType.GENERAL, ModelType.TRADITIONAL, ModelType.KNOWLEDGE
    if noise["false_positive"] and model_type not in plain:
        raise UsageError(
            f"train_noise: false_positive is for models of users and items; {spec.name} reads more "
            "of a row than the two"
        )


def share(name, value):
    """A share of rows, from 0 to below 1."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:
        raise UsageError(f"{name} must be a share of rows in [0, 1), got {value!r}")


def mebibytes(name, value):
    """An amount of memory in MiB, an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name} must be an integer >= 1, in MiB, got {value!r}")


def dataset_cache(value):
    """``auto``, ``True`` or ``False``, as a word."""
    word = {"auto": "auto", "true": "True", "false": "False"}.get(str(value).lower())
    if word is None:
        raise UsageError(f"dataset_cache must be auto, True or False, got {value!r}")
    return word


def negatives(arguments):
    """``train_neg_sample_args`` of our models: keys, number, exponent, nothing dynamic."""
    known = ("distribution", "sample_num", "alpha", "dynamic", "candidate_num", "block")
    _keys("train_neg_sample_args", arguments, known)
    for key in ("sample_num", "block"):
        number = arguments[key]
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise UsageError(
                f"{key} of train_neg_sample_args must be an integer >= 1, got {number!r}"
            )
    alpha = arguments["alpha"]
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
        raise UsageError(f"alpha of train_neg_sample_args must be a number, got {alpha!r}")
    if arguments.get("dynamic"):
        raise UsageError(
            "train_neg_sample_args: dynamic sampling is RecBole's, for its own models; the softmax "
            "losses weigh hard negatives themselves (use dynamic: False)"
        )


def processes(values):
    """RecBole's settings for several processes: each in its range, and fitting each other."""
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
