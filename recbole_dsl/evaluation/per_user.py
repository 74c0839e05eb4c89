"""What each user of a test set got: values of RecBole's top-k metrics, before the mean is taken."""

import copy
import functools
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from recbole.evaluator.base_metric import TopkMetric
from recbole.evaluator.collector import DataStruct

from recbole_dsl.common.files import write_atomically

Column = npt.NDArray[np.float64] | npt.NDArray[np.str_]


def values_by_user(
    metrics: Iterable[Any], struct: DataStruct
) -> dict[str, npt.NDArray[np.float64]]:
    """The values of each user whose mean a metric reports.

    Args:
        metrics: RecBole's metric objects; those that are no top-k metrics are left out.
        struct: what was collected of N users.
    Returns:
        dict: ``metric@k`` -> (N,), in the order of the users in struct.
    """
    found = {}
    for metric in metrics:
        if isinstance(metric, TopkMetric):
            own = copy.copy(metric)
            own.topk_result = functools.partial(_columns_at, own.topk)  # RecBole's takes the mean
            found.update(own.calculate_metric(struct))
    return found


def _columns_at(
    topk: Iterable[int], name: str, values: np.ndarray
) -> dict[str, npt.NDArray[np.float64]]:
    """(N, K) values at the cut-offs 1 to K -> those at topk, by name."""
    return {f"{name}@{k}": np.asarray(values[:, k - 1], np.float64) for k in topk}


def users_of(loader: Any) -> npt.NDArray[np.str_]:
    """(N,) The users of a test set as the data names them, in the order in which they are
    evaluated.

    Args:
        loader: a :class:`recbole_dsl.data.loaders.full_sort.BatchedFullSortLoader`; of a sequential
            model one with a row for each user.
    """
    dataset, held_out = loader._dataset, loader.held_out
    users = dataset.inter_feat[dataset.uid_field] if held_out is None else held_out.users
    return np.asarray(dataset.id2token(dataset.uid_field, users.numpy()), str)


def write(path: str | os.PathLike[str], tests: Mapping[str, Mapping[str, Column]]) -> None:
    """Write values by user to an .npz file, all of it or nothing.

    Args:
        path: the file.
        tests: as :func:`read` returns it.
    """
    arrays: dict[str, Any] = {
        f"{test_set}/{name}": column
        for test_set, columns in tests.items()
        for name, column in columns.items()
    }

    def save(temporary: Path) -> None:
        with open(temporary, "wb") as file:  # savez would add .npz to a name
            np.savez_compressed(file, **arrays)

    write_atomically(path, save)


def read(path: str | os.PathLike[str]) -> dict[str, dict[str, Column]]:
    """The values of a run: test set -> {"users": (N,) str, metric@k: (N,) float64}."""
    tests: dict[str, dict[str, Column]] = {}
    zipfile.ZipFile(path).close()  # NumPy's own error on a damaged archive leaves the file open
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            test_set, name = key.rsplit("/", 1)
            tests.setdefault(test_set, {})[name] = arrays[key]
    return tests


def path_beside(result_file: str | os.PathLike[str]) -> Path:
    """Where the values of a run go: ``<stem>.users.npz`` beside its result file."""
    return Path(result_file).with_suffix(".users.npz")
