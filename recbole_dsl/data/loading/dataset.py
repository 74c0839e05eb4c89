"""RecBole's Dataset with the steps that are slow at 20,000,000 rows done on arrays.

The numbers are RecBole's: the same ids for the same tokens, rows in the same order, the same split
for the same seed.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction

from recbole_dsl.common.timing import Clock
from recbole_dsl.compat import atomic_reader
from recbole_dsl.data.loading import cache, filtering, grouped_split

# Of rows: a slice, or (N,) row numbers.
_Index = slice | torch.Tensor | npt.NDArray[np.int64]


def take(dataset: Dataset, index: _Index) -> Dataset:
    """A dataset with the interactions at index alone.

    RecBole's own ``inter_feat[index]`` makes a Python list of the row numbers first.
    """
    columns = dataset.inter_feat.interaction
    return dataset.copy(Interaction({name: column[index] for name, column in columns.items()}))


class ArrayDataset(Dataset):
    """RecBole's Dataset; token columns are categoricals until they become ids."""

    inter_feat: Any  # a data frame, and from build on an Interaction

    # Loading -----------------------------------------------------------------------------------

    def _from_scratch(self) -> None:
        store = cache.Store(self.config)
        if not store.load_into(self):
            started = time.perf_counter()
            super()._from_scratch()
            store.keep(self, time.perf_counter() - started)

    def _load_data(self, token: str, dataset_path: str) -> None:
        clock = Clock()
        with atomic_reader.tokens_as_categories():
            super()._load_data(token, dataset_path)
        clock.done(f"read {token}", len(self.inter_feat))

    def _data_filtering(self) -> None:
        clock = Clock()
        super()._data_filtering()
        clock.done("filter", len(self.inter_feat))

    def _remap_ID_all(self) -> None:
        clock = Clock()
        super()._remap_ID_all()
        clock.done("remap ids", len(self.inter_feat))

    def _concat_remaped_tokens(self, remap_list: Sequence[Any]) -> Any:
        columns = [feat[field].values for feat, field, _ in remap_list]
        if not all(isinstance(column, pd.Categorical) for column in columns):
            return super()._concat_remaped_tokens(remap_list)
        ends = np.cumsum([len(column) for column in columns])[:-1]
        return atomic_reader.union(columns), ends

    def _filter_by_inter_num(self) -> None:
        fields = [self.uid_field, self.iid_field]
        columns = [self.inter_feat[field].values for field in fields if field is not None]
        if (
            len(columns) < 2
            or not all(isinstance(column, pd.Categorical) for column in columns)
            or self.user_feat is not None
            or self.item_feat is not None
        ):
            return super()._filter_by_inter_num()
        keeps = []
        for side in ("user", "item"):
            intervals = self._parse_intervals_str(self.config[f"{side}_inter_num_interval"])
            if intervals and len(intervals) > 1:
                self.logger.warning("More than one interval of interaction number are given!")
            keeps.append(self._count_filter(intervals) if intervals else None)
        kept = filtering.by_counts(*(column.codes for column in columns), *keeps)
        if not kept.all():
            self.inter_feat = self.inter_feat[kept]

    def _count_filter(self, intervals: Any) -> filtering.CountFilter:
        return lambda counts: self._within_intervals(counts, intervals)

    # What RecBole logs of a dataset, without a Python Counter over its rows

    def _mean_count(self, field: str) -> np.floating:
        counts = np.bincount(np.asarray(self.inter_feat[field]))
        return np.mean(counts[counts > 0])

    @property
    def avg_actions_of_users(self) -> np.floating:
        return self._mean_count(self.uid_field)

    @property
    def avg_actions_of_items(self) -> np.floating:
        return self._mean_count(self.iid_field)

    # Splitting ---------------------------------------------------------------------------------

    def build(self) -> list[Dataset]:
        clock = Clock()
        parts = super().build()
        clock.done("split", sum(map(len, parts)))
        return parts

    def _parts(self, indices: Iterable[_Index]) -> list[Dataset]:
        self._drop_unused_col()
        return [take(self, index) for index in indices]

    def split_by_ratio(self, ratios: Sequence[float], group_by: str | None = None) -> list[Dataset]:
        shares = [ratio / sum(ratios) for ratio in ratios]
        if group_by is None:
            ends = [*map(int, self._calcu_split_ids(len(self), shares)), len(self)]
            return self._parts(map(slice, [0, *ends], ends))
        groups = grouped_split.Groups(self.inter_feat[group_by].numpy())
        indices = grouped_split.by_ratio(
            groups, lambda size: self._calcu_split_ids(size, shares), len(shares)
        )
        return self._parts(indices)

    def leave_one_out(self, group_by: str | None, leave_one_mode: str) -> list[Dataset]:
        held_out = {"valid_and_test": 2, "valid_only": 1, "test_only": 1}.get(leave_one_mode)
        if group_by is None or held_out is None:
            return super().leave_one_out(group_by, leave_one_mode)
        groups = grouped_split.Groups(self.inter_feat[group_by].numpy())
        indices = grouped_split.leave_out(groups, held_out)
        if held_out == 1:
            nothing = np.zeros(0, dtype=np.int64)
            indices.insert(2 if leave_one_mode == "valid_only" else 1, nothing)
        return self._parts(indices)

    def time_based_split(self, ratios: Sequence[float], group_by: str | None) -> list[Dataset]:
        if group_by is None or self.time_field not in self.inter_feat:
            return super().time_based_split(ratios, group_by)
        shares = [ratio / sum(ratios) for ratio in ratios]
        times = self.inter_feat[self.time_field].numpy()
        times = times if times.ndim == 1 else times[:, 0]  # one of the numerical_features
        early = times <= np.percentile(times, 100 * (1 - shares[-1]))
        groups = grouped_split.Groups(self.inter_feat[group_by].numpy())
        two = len(shares) == 2  # train and test
        of_early = 1.0 if two else shares[0] / (1 - shares[2])
        train, valid, test = grouped_split.by_time(groups, early, of_early)
        return self._parts([train, test] if two else [train, valid, test])
