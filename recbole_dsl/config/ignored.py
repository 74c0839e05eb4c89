"""Settings that a user gave and that this run does not read: each is told."""

from collections.abc import Mapping
from typing import Any

from recbole.evaluator import smaller_metrics

from recbole_dsl.data.settings import holds_out_validation, split_of


def ignored_settings(values: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """Sentences for the log, one for each setting that has no effect beside the others.

    Args:
        values: all settings. given: those that the user gave -> where.
    """
    found = []
    split, _ = split_of(values)
    files = values["benchmark_filename"]
    bigger = str(values["valid_metric"]).partition("@")[0].lower() not in smaller_metrics
    if "valid_metric_bigger" in given and values["valid_metric_bigger"] != bigger:
        found.append(
            f"valid_metric_bigger: {values['valid_metric_bigger']} is ignored: of "
            f"{values['valid_metric']} the {'largest' if bigger else 'smallest'} value is the best"
        )
    if "split_shift" in given and (split != "PS" or files):
        found.append(
            f"split_shift is ignored: it is of split PS, and the split is {files or split}"
        )
    if "benchmark_valid" in given and not holds_out_validation(values):
        found.append(
            "benchmark_valid is ignored: it is for benchmark_filename with two parts, [train, "
            f"test], and the split is {files or split}"
        )
    if files and given.get("eval_args") and _gives_split(values):
        found.append(f"eval_args: split is ignored: benchmark_filename {files} is a split already")
    return found


def _gives_split(values: Mapping[str, Any]) -> bool:
    return values["eval_args"].get("split") != {"RS": [0.8, 0.1, 0.1]}
