"""Whether a dataset's files are there, before any of them is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.property_files import read_yaml
from recbole_dsl.config.columns import check_intervals
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES
from recbole_dsl.evaluation.group_metrics import user_field


def check_dataset_files(values: Mapping[str, Any], dataset: str) -> None:
    """Check that a dataset has the files its settings name, or that RecBole can download it.

    Args:
        values: settings, ``data_path`` with the dataset's own folder in it.
        dataset: its name.
    Raises:
        UsageError: a file is missing, the name is unknown or a path, or ``benchmark_filename``
            names parts that make no split.
    """
    if dataset in (".", "..") or any(mark in dataset for mark in "/\\"):
        raise UsageError(f"dataset must be the name of a folder in data_path, got {dataset!r}")
    folder = Path(values["data_path"])
    parts = values.get("benchmark_filename")
    several = isinstance(parts, list) and len(parts) > 1 and len(set(parts)) == len(parts)
    if parts is not None and not several:
        raise UsageError(
            "benchmark_filename must name three parts, such as [train, valid, test], or two, "
            "[train, test], or more for several test sets, [train, valid, test_iid, "
            f"test_popularity], got {parts!r}"
        )
    if not folder.is_dir():
        _check_download(folder, dataset)
        return
    names = [f"{dataset}.{part}.inter" for part in parts] if parts else [f"{dataset}.inter"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"dataset {dataset!r}: {folder} has no {', '.join(missing)}")
    check_intervals(values, dataset)
    if "user_field" in values["group_metrics"]:
        user_field.check_user_field(values, dataset)


def _check_download(folder: Path, dataset: str) -> None:
    downloads = read_yaml(RECBOLE_PROPERTIES / "dataset" / "url.yaml")
    if dataset not in downloads:
        near = folder.parent.iterdir() if folder.parent.is_dir() else ()
        choices = ["ml-100k", *downloads, *(path.name for path in near if path.is_dir())]
        raise UsageError(
            f"unknown dataset {dataset!r}: there is no folder {folder}, and RecBole has "
            f"no download of that name{did_you_mean(dataset, choices)}"
        )
