"""A dataset's own settings, and whether its files are there, before any of them is read."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from recbole_dsl.common import dataset_settings
from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.property_files import read_yaml
from recbole_dsl.config.columns import check_intervals
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES
from recbole_dsl.evaluation.group_metrics import user_field

# Settings of ours on data and evaluation, beside RecBole's.
_OURS = {
    "benchmark_valid", "discretization", "encoding", "group_metrics", "mask_at_test",
    "numerical_features", "split_seed", "split_shift", "test_sets", "valid_shift",
}  # fmt: skip


class OwnSettings(NamedTuple):
    """What ``<data_path>/<dataset>/<dataset>.yaml`` says.

    Attributes:
        layer: how the file is called as the origin of its settings.
        values: the settings.
    """

    layer: str
    values: dict[str, Any]


def own_settings(data_path: object, dataset: str) -> OwnSettings | None:
    """The settings that a dataset has in its own folder; None where there is no such file.

    Raises:
        UsageError: the file cannot be read, or is no YAML of ``key: value``.
    """
    if dataset == "ml-100k" or not _is_name(dataset):  # RecBole reads its own copy of ml-100k
        return None
    path = dataset_settings.path_in(Path(str(data_path)) / dataset)
    return OwnSettings(f"dataset file {path}", read_yaml(path)) if path.is_file() else None


def check_own_settings(own: OwnSettings, of_data: Iterable[str], known: Collection[str]) -> None:
    """Check that a dataset's own file has settings of data and evaluation alone.

    A dataset may come from anybody, and all models share its file: no model, no path to write to
    and nothing of training is taken from there. What is no setting at all is found later.

    Args:
        own: what the file says. of_data: RecBole's settings of data and evaluation.
        known: all settings of the run's model.
    Raises:
        UsageError: it has another one.
    """
    for key in own.values.keys() & set(known) - {*of_data, *_OURS}:
        raise UsageError(
            f"{key} ({own.layer}) is no setting of data or evaluation, which a dataset may have: "
            "give it in a file of --config_files, or on the command line"
        )


def _is_name(dataset: str) -> bool:
    return dataset not in (".", "..") and not any(mark in dataset for mark in "/\\")


def check_dataset_files(values: Mapping[str, Any], dataset: str) -> None:
    """Check that a dataset has the files its settings name, or that RecBole can download it.

    Args:
        values: settings, ``data_path`` with the dataset's own folder in it.
        dataset: its name.
    Raises:
        UsageError: a file is missing, the name is unknown or a path, or ``benchmark_filename``
            names parts that make no split.
    """
    if not _is_name(dataset):
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
