"""Labels of interactions: how many rows are labelled 0, and leaving them out."""

import functools
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recbole_dsl.compat import atomic_reader
from recbole_dsl.compat.atomic_rows import read_header
from recbole_dsl.compat.data_notes import data_notes, note_removed

_Labels = npt.NDArray[np.float64]


def zero_labels() -> None:
    """Symptom: models that rank train on rows labelled 0, by the column LABEL_FIELD or by
    ``threshold``, as if they were positives, and a threshold above every value goes unnoticed.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. Here the rows are counted,
    and ``drop_zero_labels: True`` reads a dataset as if its files did not have them. Can go once
    RecBole's samplers read labels.
    """
    from recbole.data.dataset.dataset import Dataset
    from recbole.utils.argument_list import dataset_arguments

    load = Dataset._load_inter_feat
    if hasattr(load, "of_labels"):  # changed already
        return

    @functools.wraps(load)
    def load_inter_feat(self: Any, token: str, dataset_path: str) -> None:
        load(self, token, dataset_path)
        found = _by_threshold(self) if self.config["threshold"] is not None else _by_column(self)
        if found is None:
            return
        name, labels = found
        positive = labels > 0  # a missing one is not
        zeros = int((~positive).sum())
        data_notes(self)["labels"] = {"field": name, "rows": len(labels), "zeros": zeros}
        if self.config["drop_zero_labels"]:
            _keep(self, positive)
            note_removed(self, f"labelled 0: {name}", zeros)

    dataset_arguments.append("drop_zero_labels")  # what saved datasets and loaders depend on
    load_inter_feat.of_labels = True  # type: ignore[attr-defined]
    Dataset._load_inter_feat = load_inter_feat


def _by_threshold(dataset: Any) -> tuple[str, _Labels] | None:
    threshold = dataset.config["threshold"]
    value = next(iter(threshold.values()), None) if isinstance(threshold, dict) else None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or len(threshold) != 1:
        raise ValueError(
            f"threshold must be a field and a number, such as rating: 4, got {threshold!r}"
        )
    [field] = threshold
    if field not in dataset.inter_feat:
        return None  # RecBole says so
    kind = dataset.field2type[field].value
    if kind != "float":
        raise ValueError(f"threshold: {field}:{kind} is no column of numbers")
    values = dataset.inter_feat[field].to_numpy(np.float64)
    labels = (values >= value).astype(np.float64)
    if not labels.any():
        most = f"the largest {field} is {np.nanmax(values):g}" if np.isfinite(values).any() else ""
        raise ValueError(
            f"threshold {threshold} leaves no positive among {len(values):,} rows"
            + (f": {most}" if most else "")
        )
    return f"threshold {field} >= {value:g}", labels


def _by_column(dataset: Any) -> tuple[str, _Labels] | None:
    """The labels in the files, where a column is named LABEL_FIELD, loaded or not."""
    name = dataset.label_field
    if name in dataset.inter_feat:
        column = dataset.inter_feat[name]
        labels = column if dataset.field2type[name].value == "float" else _numbers(column)
        return None if labels is None else (name, np.asarray(labels, np.float64))
    parts = []
    for path in _inter_files(dataset):
        column = _column(dataset, path, name)
        labels = None if column is None else _numbers(column)
        if labels is None:
            return None
        parts.append(labels)
    return name, np.concatenate(parts)


def _column(dataset: Any, path: str, name: str) -> pd.Series | None:
    """A column of tokens or floats of an .inter file, as text; None where it has none."""
    config = dataset.config
    kind = read_header(path, config["field_separator"], config["encoding"]).get(name)
    if kind not in ("float", "token"):
        return None
    column = f"{name}:{kind}"
    frame = atomic_reader.read_csv(
        path,
        delimiter=config["field_separator"],
        usecols=[column],
        dtype={column: str},
        encoding=config["encoding"],
        engine="python",
    )
    return frame[column]


def _numbers(column: pd.Series) -> _Labels | None:
    """Text as numbers; None where some of it is none, as labels of other kinds are."""
    text = column.astype(object)
    numbers = pd.to_numeric(text, errors="coerce")
    return None if (numbers.isna() & text.notna()).any() else numbers.to_numpy(np.float64)


def _inter_files(dataset: Any) -> list[str]:
    name, parts = dataset.dataset_name, dataset.benchmark_filename_list
    names = [f"{name}.{part}.inter" for part in parts] if parts else [f"{name}.inter"]
    return [os.path.join(dataset.dataset_path, file) for file in names]


def _keep(dataset: Any, rows: npt.NDArray[np.bool_]) -> None:
    """Leave the other rows out, of the parts of a ready split too."""
    dataset.inter_feat = dataset.inter_feat[rows]
    if dataset.benchmark_filename_list is not None:
        ends = np.cumsum(dataset.file_size_list)[:-1]
        dataset.file_size_list = [int(part.sum()) for part in np.split(rows, ends)]
        dataset.inter_feat = dataset.inter_feat.reset_index(drop=True)
