"""Settings that a user gave and that this run does not read: each is told."""

from collections.abc import Mapping
from typing import Any

from recbole.evaluator import smaller_metrics

from recbole_dsl.data.settings import holds_out_validation, split_of
from recbole_dsl.data.splitting.options import shares_line

# What RecBole filters by where it splits itself; it takes the rows of ready parts as they are.
_FILTERS = (
    "rm_dup_inter", "val_interval", "user_inter_num_interval", "item_inter_num_interval",
)  # fmt: skip
# Setting -> the one that it belongs to, and the values with which that does not read it.
_PART_OF: dict[str, tuple[str, tuple[Any, ...]]] = {
    "diagnostics_rows": ("diagnostics", (False,)),
    "wandb_project": ("log_wandb", (False,)),
    "cache_dir": ("dataset_cache", ("False",)),
    "init_std": ("initialization", ("xavier_uniform", "spectral")),
}
# Loss -> the same of its options: one of somebody's own may have other ones of these names.
_QUANTILES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "quantile_every": ("quantile", ("regression",)),
    "quantile_learning_rate": ("quantile", ("exact",)),
}
_PART_OF_LOSS = {
    "DSL": {
        "similarity": ("beta", (0,)),
        "hardness": ("alpha", (0,)),
        "intensity": ("gamma", (0,)),
        "centre": ("gamma", (0,)),
        "tau": ("base_tau", ("effective_share", "score_gap")),
        "effective_share": ("base_tau", ("given", "score_gap")),
    },
    "SLatK": _QUANTILES,
    "Talos": _QUANTILES,
}


def ignored_settings(values: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """Sentences for the log, one for each setting that has no effect beside the others.

    Args:
        values: all settings. given: those that the user gave -> where.
    """
    found = []
    bigger = str(values["valid_metric"]).partition("@")[0].lower() not in smaller_metrics
    if "valid_metric_bigger" in given and values["valid_metric_bigger"] != bigger:
        found.append(
            f"valid_metric_bigger: {values['valid_metric_bigger']} is ignored: of "
            f"{values['valid_metric']} the {'largest' if bigger else 'smallest'} value is the best"
        )
    parts = _PART_OF | _PART_OF_LOSS.get(str(values.get("loss")), {})
    for name, (whole, without) in parts.items():
        if name in given and values.get(whole) in without:
            found.append(f"{name} is ignored: it is for {whole}, which is {values[whole]}")
    if "train_neg_sample_args" in given:
        found += _of_negatives(values["train_neg_sample_args"] or {})
    return found + _of_split(values, given)


def _of_negatives(arguments: Mapping[str, Any]) -> list[str]:
    """Keys of ``train_neg_sample_args`` that belong to another value of another key."""
    found = []
    distribution = arguments.get("distribution", "uniform")
    if arguments.get("alpha", 1) != 1 and distribution != "popularity":
        found.append(
            f"train_neg_sample_args: alpha {arguments['alpha']} is ignored: it is for distribution "
            f"popularity, and the distribution is {distribution}"
        )
    if arguments.get("candidate_num") and not arguments.get("dynamic"):
        found.append(
            f"train_neg_sample_args: candidate_num {arguments['candidate_num']} is ignored: it is "
            "for dynamic: True"
        )
    return found


def _of_split(values: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """Settings of another split than the one that is made."""
    found = []
    split, shares = split_of(values)
    files = values["benchmark_filename"]
    if "split_shift" in given and (split != "PS" or files):
        found.append(
            f"split_shift is ignored: it is of split PS, and the split is {files or split}"
        )
    if "benchmark_valid" in given and not holds_out_validation(values):
        found.append(
            "benchmark_valid is ignored: it is for benchmark_filename with two parts, [train, "
            f"test], and the split is {files or split}"
        )
    if files:
        found += [
            f"{name} is ignored: the rows of benchmark_filename {files} are taken as they are"
            for name in _FILTERS
            if name in given and values[name] is not None
        ]
        if given.get("eval_args") and _gives_split(values):
            found.append(
                f"eval_args: split is ignored: benchmark_filename {files} is a split already"
            )
    elif "eval_args" in given:
        found += _of_eval_args(values["eval_args"], split, shares)
    return found


def _of_eval_args(arguments: Mapping[str, Any], split: Any, shares: Any) -> list[str]:
    """Order and grouping that a split does not have, and shares that are not shares of one."""
    found = []
    if split == "PS" and arguments.get("order") == "TO":
        found.append("eval_args: order TO is ignored: split PS draws rows and does not order them")
    group = arguments.get("group_by", "user")
    if split in ("PS", "GT", "LS") and group != "user":
        why = "takes rows of every user" if split == "LS" else "divides the rows of all users"
        found.append(f"eval_args: group_by {group} is ignored: split {split} {why}")
    if isinstance(shares, list) and (line := shares_line(shares)):
        found.append(f"eval_args: split {split}: {line}")
    return found


def _gives_split(values: Mapping[str, Any]) -> bool:
    return values["eval_args"].get("split") != {"RS": [0.8, 0.1, 0.1]}
