"""Corrections of faults that RecBole 1.2.1 has whatever the versions of the libraries under it.

Two faults are avoided elsewhere, as they need more than a changed function:

- ``from ray import tune`` fails at import (ray <= 2.6.3 needs ``pkg_resources`` and ``np.bool8``,
  and has no wheel for Python >= 3.12): RecBole#2105, #1820. Only ``recbole.quick_start`` imports
  ray, and this package never imports that: ``experiments`` takes its place.
- ``torch.load`` refuses RecBole's checkpoints since torch 2.6 (``weights_only=True``), as they
  pickle the Config: RecBole#2212, PR #2155. ``training/checkpoint.py`` writes tensors and plain
  data.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import torch

from recbole_dsl.common.distributed import world
from recbole_dsl.compat.recbole_import import import_module


def missing_ids() -> None:
    """Symptom: where some rows lack a user and others an item, whole rows are removed and rows
    without an item stay, as the padding item 0; or ``IndexError`` while the dataset loads.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1 with any pandas. It takes the
    index labels of the rows to remove for positions, which they no longer are after the first
    removal. Can go once RecBole drops by label.
    """
    from recbole.data.dataset.dataset import Dataset

    def filter_nan_user_or_item(self: Any) -> None:
        for field, name in ((self.uid_field, "user_feat"), (self.iid_field, "item_feat")):
            for feat_name in (name, "inter_feat"):
                feat = getattr(self, feat_name)
                if feat is None or field is None:
                    continue
                missing = feat[field].isnull()
                if missing.any():
                    lines = (feat.index[missing][:5] + 2).tolist()
                    self.logger.warning(
                        f"{feat_name}: {missing.sum():,} row(s) without {field} are removed; "
                        f"the first in line(s) {lines}"
                    )
                    setattr(self, feat_name, feat[~missing])

    Dataset._filter_nan_user_or_item = filter_nan_user_or_item


def coverage_metrics() -> None:
    """Symptom: ``AttributeError: 'int' object has no attribute 'cpu'`` for ItemCoverage, GiniIndex,
    ShannonEntropy, AveragePopularity and TailPercentage.

    Reported: RecBole#2194, #2191. Versions: RecBole 1.2.1 with any torch. The collector moves every
    resource to the CPU, also those that are no tensors. Can go once RecBole checks for tensors.
    """
    from recbole.evaluator.collector import Collector

    def get_data_struct(self: Any) -> Any:
        collected = self.data_struct._data_dict
        result = type(self.data_struct)()
        for key, value in collected.items():
            result.set(key, value.cpu() if isinstance(value, torch.Tensor) else value)
        for key in [key for key in collected if not key.startswith("data.") or key == "data.label"]:
            del self.data_struct[key]
        return result

    Collector.get_data_struct = get_data_struct


def folders_made_twice() -> None:
    """Symptom: ``FileExistsError: './log'`` in one of several runs that start in a new folder.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. It looks whether a folder
    exists before it makes it; another run may make it in between. Can go once its ``ensure_dir``
    passes ``exist_ok``.
    """

    def ensure_dir(dir_path: str) -> None:
        os.makedirs(dir_path, exist_ok=True)

    for name in (
        "utils.utils", "utils", "utils.logger", "trainer.trainer", "data.utils",
        "data.dataset.dataset",
    ):  # fmt: skip
        module: Any = import_module(f"recbole.{name}")
        module.ensure_dir = ensure_dir


def download_barrier() -> None:
    """Symptom: ``ValueError: Default process group has not been initialized`` right after a dataset
    was downloaded; the second run works.

    Reported: RecBole#1989. Versions: RecBole 1.2.1 with any torch. The barrier is not needed where
    there is a group either: one process of a machine loads the data first, and the others find the
    files. Can go once RecBole asks whether there is a group.
    """
    from recbole.data.dataset import dataset as module

    original = module.Dataset._download
    if hasattr(original, "__wrapped__"):  # changed already
        return

    @functools.wraps(original)
    def download(self: Any) -> None:
        barrier = torch.distributed.barrier
        torch.distributed.barrier = lambda: None  # type: ignore[assignment,misc]  # during the call
        try:
            original(self)
        finally:
            torch.distributed.barrier = barrier

    module.Dataset._download = download


class _SilentWriter:
    """Has the methods of a SummaryWriter and writes nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


def tensorboard_of_each_process() -> None:
    """Symptom: a run of several processes leaves an events file of each of them.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1 with any TensorBoard. Can go
    once RecBole's Trainer asks for its rank.
    """
    from recbole.trainer import trainer as module

    original = module.get_tensorboard
    if hasattr(original, "__wrapped__"):  # changed already
        return

    @functools.wraps(original)
    def get_tensorboard(logger: Any) -> Any:
        return original(logger) if world().main else _SilentWriter()

    module.get_tensorboard = get_tensorboard


def bars_that_go() -> None:
    """Symptom: on a terminal each epoch of RecBole's models leaves a progress bar of training and
    one of evaluation, between the lines that say how it ended.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1 with any tqdm. Can go once
    RecBole calls tqdm with leave=False.
    """
    from recbole.trainer import trainer as module

    original = module.tqdm
    if not hasattr(original, "func"):  # else changed already
        module.tqdm = functools.partial(original, leave=False)
