"""What a run reports: the result file, the log's last lines, and what goes into them."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.utils import ModelType

from recbole_dsl._version import __version__
from recbole_dsl.common import text
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import check_folder_writable, check_writable, write_atomically
from recbole_dsl.common.machine import processor, usable_cores
from recbole_dsl.common.terminal import say
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import SplitData
from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.evaluation import per_user
from recbole_dsl.evaluation.group_metrics.tables import group_tables

_PACKAGES = ("recbole", "torch", "numpy", "scipy", "pandas")


def versions() -> dict[str, str]:
    """Versions of everything a number may depend on."""
    found = {"recbole_dsl": __version__, "python": platform.python_version()}
    return {**found, **{name: importlib.metadata.version(name) for name in _PACKAGES}}


def machine(device: torch.device) -> dict[str, Any]:
    """What seconds depend on, as plain data.

    Args:
        device: on which the model is trained.
    Returns:
        ``processor``, ``cores`` that this process may use, ``threads`` of torch, and ``gpu``, the
        device's name, None on a CPU.
    """
    return {
        "processor": processor(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    }


def count_parameters(config: Config, model: torch.nn.Module) -> int:
    """How many numbers are trained.

    None are in RecBole's models without training, EASE and the like: the one parameter they have
    is there only because RecBole's trainer needs one.
    """
    if config["MODEL_TYPE"] == ModelType.TRADITIONAL:
        return 0
    return sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad)


def noise_summary(split: SplitData, model: torch.nn.Module) -> dict[str, float] | None:
    """What the result says of ``train_noise``; None where there was none.

    Returns:
        ``false_positives`` and their ``seed``; ``positives_among_negatives``, the mean over the
        training rows of the share of positives among a user's negatives.
    """
    summary: dict[str, float] = dict(split.added_noise or {})
    sampler = getattr(model, "sampler", None)  # RecBole's models have none
    if isinstance(sampler, NegativeSampler) and sampler.noisy:
        rate = sampler.noise
        part = split.train._dataset
        users = part.inter_feat[part.uid_field].to(rate.device)
        summary["positives_among_negatives"] = float(rate[users].mean())
    return summary or None


def check_folders(config: Config, saved: bool) -> None:
    """Find out now whether the folders of logs, and of checkpoints if saved, can be written to.

    Raises:
        WriteError: one of them cannot.
    """
    for folder in ("log", "log_tensorboard", *([config["checkpoint_dir"]] if saved else [])):
        check_folder_writable(folder)


def check_result_file(config: Config) -> None:
    """Find out now whether ``result_file`` can be written.

    Raises:
        UsageError: it is, or will be, a folder. WriteError: the system refuses.
    """
    path = config["result_file"]
    if path is None:
        return
    check_writable(str(path))
    names = ("log", "log_tensorboard", config["checkpoint_dir"])
    folders = [Path(os.path.abspath(name)) for name in names]
    own = Path(os.path.abspath(path))
    if str(path).endswith("/") or any(own in (made, *made.parents) for made in folders):
        raise UsageError(f"result_file {path} names a folder, not a file")


def result_path(config: Config, checkpoint: str, saved: bool) -> Path | None:
    """Where the result goes: ``result_file``, else beside the checkpoint; None without either."""
    if config["result_file"] is None:
        return Path(checkpoint).with_suffix(".json") if saved else None
    return Path(str(config["result_file"]))


def publish(
    config: Config,
    path: Path | None,
    result: Mapping[str, Any],
    by_user: Mapping[str, Mapping[str, np.ndarray]] | None,
) -> None:
    """Write the result file and what each user got, and say the tables; the main process does.

    Args:
        path: of the result file; None: no file is written.
        result: what the result file holds.
        by_user: metrics of each user, for a file beside it; None: no such file.
    """
    if path is not None:
        if by_user is not None:
            per_user.write(per_user.path_beside(path), by_user)
        write(path, result)
        say(f"Result: {path}")
    decimals = config["metric_decimal_place"]
    say(f"{headline(result)}, peak {result['peak_memory_mb']:.0f} MiB\n{table(result, decimals)}")
    for groups in group_tables(result.get("groups", {}), decimals):
        say(groups)


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Write the result as JSON, all of it or nothing."""
    content = json.dumps(result, indent=2, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(content, encoding="utf-8"))


def headline(result: Mapping[str, Any]) -> str:
    """What ran, the epoch that was chosen, and the seconds it took."""
    best = result["best_epoch"]
    chosen = f"epoch {best} of {len(result['epochs'])}" if best is not None else "no epoch chosen"
    return f"{result['model']} on {result['dataset']}, {chosen}, {result['seconds']:.0f} s"


def measured(
    result: Mapping[str, Any],
) -> tuple[list[str], list[tuple[str, Mapping[str, float]]]]:
    """The names of all metrics, and (part, its metrics) for validation and each test set that has
    any."""
    tests = {f"test_{name}": metrics for name, metrics in result.get("tests", {}).items()}
    parts = {"valid": result["valid"], **(tests or {"test": result["test"]})}
    rows = [(name, metrics) for name, metrics in parts.items() if metrics]
    return list(dict.fromkeys(name for _, metrics in rows for name in metrics)), rows


def table(result: Mapping[str, Any], decimals: int = 4) -> str:
    """Validation and test metrics, a row each, as text; a row for each of several test sets."""
    names, rows = measured(result)
    if not rows:
        return "no validation and no test rows: nothing was measured"
    shown = [
        [label, *(f"{metrics[n]:.{decimals}f}" if n in metrics else "" for n in names)]
        for label, metrics in rows
    ]
    return text.table(["", *names], shown, "l" + "r" * len(names))
