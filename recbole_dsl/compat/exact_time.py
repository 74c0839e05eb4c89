"""Rows in order of time, by 64-bit numbers.

Here the results differ from stock RecBole's on purpose: for ``order: TO``, split TS and sequential
models wherever two times of the data are one float32 number, such as 1600000010 and 1600000020; for
TS with ``order: RO`` always; for ``rm_dup_inter`` among rows of equal time.
"""

import contextvars
import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_building = contextvars.ContextVar("building", default=False)


def numbers(column: Any) -> npt.NDArray[np.float64]:
    """A data frame's column of floats: (N,), or (N, 2) where it is among the
    ``numerical_features``, the number first."""
    values = column.to_numpy()
    return np.array(values.tolist() if values.dtype == object else values, np.float64)


def exact_time_order() -> None:
    """Symptom: with ``order: TO`` or split TS, and in the sequences of sequential models, rows of
    different seconds stand in any order; TS may leave test empty.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. Times become float32, which
    holds seconds of today to 128 s, before anything is sorted by them. Here they are float64 while
    a dataset is built and float32, as the models expect, in the parts. Rows of equal time stay in
    the order of the file. For DiffRec's ``time-aware``, which sorts the float32 times once more,
    train is in order of time. Can go once RecBole sorts by 64-bit times.
    """
    from recbole.data.dataset.dataset import Dataset

    convert, build = Dataset._dataframe_to_interaction, Dataset.build
    if hasattr(build, "__wrapped__"):  # changed already
        return

    @functools.wraps(convert)
    def dataframe_to_interaction(self: Any, data: Any) -> Any:
        made = convert(self, data)
        field = self.time_field
        timed = data is self.inter_feat and field in made and made[field].dtype == torch.float32
        if timed and _building.get():
            made[field] = torch.from_numpy(numbers(data[field]))
        return made

    @functools.wraps(build)
    def build_exactly(self: Any) -> Any:
        token = _building.set(True)
        try:
            parts = build(self)
        finally:
            _building.reset(token)
        if self.config["time-aware"] and self.time_field in parts[0].inter_feat:
            parts[0].sort(by=self.time_field)
        for dataset in (self, *parts):
            columns = dataset.inter_feat.interaction
            columns.update({k: v.float() for k, v in columns.items() if v.dtype == torch.float64})
        return parts

    Dataset._dataframe_to_interaction, Dataset.build = dataframe_to_interaction, build_exactly


def splits_by_time() -> None:
    """Symptom: split TS with ``order: RO``, the default, tests rows that are not the latest; TS of
    two shares is an ``IndexError``.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. It counts how many rows of a
    user are early and takes as many from the user's shuffled rows. Here TS is by time whatever
    ``order`` says, and two shares are train and test. Can go once RecBole sorts before TS.
    """
    from recbole.data.dataset.dataset import Dataset
    from recbole.data.interaction import cat_interactions

    shuffle, split_by_time = Dataset.shuffle, Dataset.time_based_split
    if hasattr(shuffle, "__wrapped__"):  # changed already
        return

    @functools.wraps(shuffle)
    def shuffle_or_sort(self: Any) -> None:
        split = self.config["eval_args"]["split"]
        if _building.get() and isinstance(split, dict) and "TS" in split:
            self.sort(by=self.time_field)
        else:
            shuffle(self)

    @functools.wraps(split_by_time)
    def time_based_split(self: Any, ratios: Any, group_by: Any) -> Any:
        if len(ratios) != 2:
            return split_by_time(self, ratios, group_by)
        train, rest, test = split_by_time(self, [ratios[0], 0, ratios[1]], group_by)
        if len(rest):  # RecBole rounds train's share of them down
            train.inter_feat = cat_interactions([train.inter_feat, rest.inter_feat])
        return [train, test]

    Dataset.shuffle, Dataset.time_based_split = shuffle_or_sort, time_based_split


def stable_duplicates() -> None:
    """Symptom: of repeated rows of equal time, ``rm_dup_inter`` keeps any, and which one depends on
    the processor.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. It sorts by an unstable
    method. Can go once it asks pandas for a stable one.
    """
    from recbole.data.dataset.dataset import Dataset

    original = Dataset._remove_duplication
    if hasattr(original, "__wrapped__"):  # changed already
        return

    @functools.wraps(original)
    def remove_duplication(self: Any) -> None:
        keep = self.config["rm_dup_inter"]
        if keep is None or self.time_field not in self.inter_feat:
            original(self)
            return
        self._check_field("uid_field", "iid_field")
        ordered = self.inter_feat.sort_values(by=self.time_field, kind="stable")
        self.logger.info(f"rm_dup_inter: rows are in order of {self.time_field} from here on")
        self.inter_feat = ordered.drop_duplicates(
            subset=[self.uid_field, self.iid_field], keep=keep
        )

    Dataset._remove_duplication = remove_duplication
