"""Which settings there are: those of a model, those of other models, and what is misspelled."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.property_files import SEARCH, properties_dir, read_yaml
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES
from recbole_dsl.models.resolve import Model

# Settings that RecBole reads and that no property file of its own lists.
UNLISTED = {
    "dataset", "model", "encoding", "tail_ratio", "POS_ITEMS", "NEG_ITEMS", "cin", "contrast",
    "eta", "feature_num", "has_residual", "norm", "sim", "token_num_threshold", "use_filter",
}  # fmt: skip

# Keys of settings that are maps, which are easily taken for settings.
_NESTED = {
    **dict.fromkeys(
        ("block", "sample_num", "distribution", "exclude", "dynamic", "candidate_num"),
        "train_neg_sample_args",
    ),
    **dict.fromkeys(("split", "order", "group_by", "mode"), "eval_args"),
    "false_negative": "train_noise",
}

# Settings of earlier versions of RecBole, of its tools and of its users' habits -> what to use.
REPLACED = {
    "eval_setting": "eval_args, such as {order: RO, split: {RS: [0.8, 0.1, 0.1]}, mode: full}",
    "split_ratio": "eval_args: {split: {RS: [0.8, 0.1, 0.1]}}",
    "leave_one_num": "eval_args: {split: {LS: valid_and_test}}",
    "group_by_user": "eval_args: {group_by: user}, or none",
    "real_time_process": "nothing: data is processed as it is needed",
    "drop_filter_field": "nothing: a field of threshold is always dropped",
    "drop_preload_weight": "nothing",
    "training_neg_sample_num": "train_neg_sample_args: {sample_num: N}",
    "neg_sampling": "train_neg_sample_args: {distribution: uniform, sample_num: N}",
    "eval_neg_sample_args": "eval_args: {mode: uniN}",
    "min_user_inter_num": 'user_inter_num_interval, such as "[5,inf)"',
    "max_user_inter_num": 'user_inter_num_interval, such as "[0,50]"',
    "min_item_inter_num": 'item_inter_num_interval, such as "[5,inf)"',
    "max_item_inter_num": 'item_inter_num_interval, such as "[0,50]"',
    "lowest_val": 'val_interval, such as {rating: "[3,inf)"}',
    "highest_val": 'val_interval, such as {rating: "[0,3]"}',
    "equal_val": 'val_interval, such as {rating: "[3,3]"}',
    "not_equal_val": 'val_interval, such as {rating: "[0,3);(3,inf)"}',
    "fields_in_same_space": "alias_of_user_id or alias_of_item_id",
    "draw_loss_pic": "the result file, which has the losses of all epochs",
    "config_file": '--config_files="A.yaml B.yaml"',
    "config_file_list": '--config_files="A.yaml B.yaml"',
    "params_file": "recbole_dsl tune --params_file=FILE",
    "hyper_file": "recbole_dsl tune",
    "max_evals": "recbole_dsl tune --trials=N",
    "algo": "recbole_dsl tune",
    "early_stop": "stopping_step",
    "offset": "group_offset",
    "gpu": "gpu_id, or device",
    "lr": "learning_rate",
    "batch_size": "train_batch_size, and eval_batch_size",
    "model_file": "recbole_dsl.load(PATH) in Python",
}


def models_by_setting() -> dict[str, list[str]]:
    """Setting -> names of the models whose own property file has it, or all pairs at once."""
    ours = properties_dir()
    found = {key: ["<Backbone>_<Loss>"] for key in read_yaml(ours / "pair.yaml")}
    of_pairs = set(found)
    for folder in (ours / "backbone", ours / "loss", ours / "model", RECBOLE_PROPERTIES / "model"):
        for path in sorted(folder.glob("*.yaml")):
            name = f"*_{path.stem}" if folder == ours / "loss" else path.stem
            name = f"{path.stem}_*" if folder == ours / "backbone" else name
            skipped = {SEARCH, *(of_pairs if folder.parent == ours else ())}
            for key in read_yaml(path).keys() - skipped:
                found.setdefault(key, []).append(name)
    return found


def check_part_file(path: Path, options: Collection[str], known: Collection[str]) -> None:
    """Refuse the file of a user's own loss or backbone for a setting that nothing reads.

    Args:
        path: the file. options: settings that its class reads. known: those of other files.
    Raises:
        UsageError: a key of the file is neither, and no model's.
    """
    others = {*known, *options, *UNLISTED, SEARCH}
    for key in sorted(read_yaml(path).keys() - others - models_by_setting().keys()):
        near = did_you_mean(key, [*options, *known])
        raise UsageError(f"{path}: unknown setting {key!r}{near}")


class Unknown(NamedTuple):
    """What becomes of a setting that the model does not have.

    Attributes:
        kept: whether it is passed on to the model; else it is dropped.
        warning: what the user is told, or None.
    """

    kept: bool
    warning: str | None


def unknown_setting(
    key: str, spec: Model, known: Collection[str], *, layer: str, shared: bool, strict: bool
) -> Unknown:
    """Decide on a setting that is not among the known ones of a model.

    Args:
        key: the setting. spec: the model. known: the model's settings.
        layer: where the setting was given. shared: whether that layer may serve several models, so
            that settings of the others are expected in it.
        strict: the setting ``strict_config``: whether a mistake stops the run.
    Raises:
        UsageError: it is taken for a mistake.
    """
    models = None if key in REPLACED else models_by_setting().get(key)
    own_class = spec.source == "own"  # what a user's own class reads is not known here
    if models:
        if own_class:
            return Unknown(True, None)
        shown = ", ".join(models[:3]) + (", ..." if len(models) > 3 else "")
        message = f"{key} is not a setting of {spec.name}, but of {shown}"
        if strict and not shared:
            raise UsageError(f"{message} (strict_config: False ignores it)")
    else:
        near = f"; use {REPLACED[key]}" if key in REPLACED else did_you_mean(key, known)
        near = f"; it is a key of {_NESTED[key]}" if key in _NESTED else near
        message = f"unknown setting {key!r} ({layer}){near}"
        if own_class:
            return Unknown(True, f"{message} (passed on to {spec.name})")
        if strict:
            raise UsageError(message)
    return Unknown(False, f"{message}; ignored")
