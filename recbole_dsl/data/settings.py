"""Checks of the settings of the data, before any of it is read."""

import math
from collections.abc import Mapping
from typing import Any

from recbole.utils import ModelType

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.validation import check_keys
from recbole_dsl.data.splitting import options
from recbole_dsl.data.splitting.methods import part_names as names_of_own_split

_RECBOLE_SPLITS = ("RS", "LS", "TS")
# What decides about rows and masks, beside the settings that RecBole compares itself.
_OF_THE_SPLIT = (
    "split_seed", "split_shift", "valid_shift", "test_sets", "train_noise", "mask_at_test",
)  # fmt: skip


def check_split(values: Mapping[str, Any], model_type: ModelType) -> list[str] | None:
    """Check eval_args' split, split_seed, split_shift, valid_shift and test_sets.

    Returns:
        ``test_sets`` as a list, or None where it is not given.
    Raises:
        UsageError: one of them is wrong, or does not go with another setting.
    """
    options.check_seed(values["split_seed"])
    for shift in ("split_shift", "valid_shift"):
        options.check_shift(shift, values[shift])
    name, ratios = split_of(values)
    given = values["test_sets"]
    if name is None:
        raise UsageError(
            "eval_args: split must be a map of one split, such as {RS: [0.8, 0.1, 0.1]}, got "
            f"{values['eval_args'].get('split')!r}"
        )
    options.check_name(name, (*_RECBOLE_SPLITS, *options.OWN))
    test_sets = options.resolve_test_sets(name, given)
    if not values["benchmark_filename"]:
        _check_recboles_split(name, ratios)
    if name in options.OWN:
        options.check_ratios(f"eval_args: split {name}", ratios)
        options.check_train_share(ratios, test_sets)
        if values["benchmark_filename"]:
            raise UsageError(
                f"eval_args: split {name} and benchmark_filename exclude each other: those files "
                "are a split already"
            )
        if model_type == ModelType.SEQUENTIAL:
            raise UsageError(f"eval_args: split {name} is not for sequential models; use LS or TS")
    files = values["benchmark_filename"]
    held_out = values["benchmark_valid"] if holds_out_validation(values) else None
    where = f"benchmark_filename {files}" if files else name
    options.check_shifted_validation(values["valid_shift"], where, ratios, held_out)
    if len(test_sets) > 1 and (values["save_dataloaders"] or values["dataloaders_save_path"]):
        raise UsageError("save_dataloaders: RecBole stores one test set, and test_sets names two")
    return None if given is None else test_sets


def _check_recboles_split(name: str, value: Any) -> None:
    """What RecBole's splits take: LS a word, RS and TS shares of the parts."""
    if name == "LS":
        known = ("valid_and_test", "valid_only", "test_only")
        if value not in known:
            raise UsageError(
                f"eval_args: split LS takes {', '.join(known)}, got {value!r}"
                f"{did_you_mean(value, known)}"
            )
        return
    if name in options.OWN:
        return
    shares = isinstance(value, list) and len(value) in (2, 3) and all(map(_is_share, value))
    if not shares or value[0] == 0:
        raise UsageError(
            f"eval_args: split {name} takes the shares [train, valid, test], such as "
            f"[0.8, 0.1, 0.1], or [train, test], train above 0, got {value!r}"
        )


def _is_share(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 <= value < math.inf


def split_of(values: Mapping[str, Any]) -> tuple[Any, Any]:
    """Name and value of eval_args' split; (None, None) where it is not a map of one key."""
    split = values["eval_args"].get("split", {"RS": [0.8, 0.1, 0.1]})  # RecBole's default
    if not isinstance(split, dict) or len(split) != 1:
        return None, None
    return next(iter(split.items()))


def holds_out_validation(values: Mapping[str, Any]) -> bool:
    """Whether the split has train and test alone, so that ``benchmark_valid`` makes validation."""
    if values["benchmark_filename"]:
        return len(values["benchmark_filename"]) == 2
    name, shares = split_of(values)
    return name in ("RS", "TS") and len(shares) == 2


def part_names(values: Mapping[str, Any]) -> list[str]:
    """Names of the parts: train, valid, and test or the names of several test sets."""
    files = values["benchmark_filename"]
    if files:
        return ["train", "valid", *(files[2:] if len(files) > 3 else ["test"])]
    name, _ = split_of(values)
    return names_of_own_split(options.resolve_test_sets(name, values["test_sets"]))


def same_split(values: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Whether two configurations agree in the settings of the split that RecBole leaves out when
    it compares them."""
    return all(values[key] == others[key] for key in _OF_THE_SPLIT)


def check_train_noise(
    noise: Mapping[str, Any], model: str, model_type: ModelType, *, is_pair: bool
) -> None:
    """``train_noise``: two numbers >= 0, for models that can take them.

    Args:
        model: its name. is_pair: whether it is a ``<Backbone>_<Loss>``.
    Raises:
        UsageError: a wrong key or value, or a noise that the model cannot have.
    """
    known = ("false_positive", "false_negative")
    check_keys("train_noise", noise, known)
    for key in known:
        value = noise[key]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 <= value < math.inf:
            raise UsageError(f"{key} of train_noise must be a number >= 0, got {value!r}")
    if noise["false_negative"] and not is_pair:
        raise UsageError(
            f"train_noise: false_negative is for <Backbone>_<Loss>; {model} draws its "
            "negatives by RecBole's sampler"
        )
    plain = ModelType.GENERAL, ModelType.TRADITIONAL, ModelType.KNOWLEDGE
    if noise["false_positive"] and model_type not in plain:
        raise UsageError(
            f"train_noise: false_positive is for models of users and items; {model} reads more "
            "of a row than the two"
        )


def check_dataset_cache(value: object) -> str:
    """``dataset_cache``: ``auto``, ``True`` or ``False``, as a word."""
    word = {"auto": "auto", "true": "True", "false": "False"}.get(str(value).lower())
    if word is None:
        raise UsageError(f"dataset_cache must be auto, True or False, got {value!r}")
    return word
