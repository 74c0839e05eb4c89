"""RecBole's SequentialDataset whose rows are made by array operations.

RecBole makes each row's lists in a Python loop for each column; the rows here are the same.
"""

from typing import Any

import numpy as np
import torch
from recbole.data.dataset import SequentialDataset as RecBoleSequentialDataset
from recbole.data.interaction import Interaction

_CELLS = 1 << 22  # cells of a list column that are made at a time


class SequentialDataset(RecBoleSequentialDataset):
    """RecBole's, of the same name, by which it names the file of a saved dataset."""

    inter_feat: Any  # a data frame, and from here on an Interaction

    def data_augmentation(self) -> None:
        """A row for each interaction but a user's first: those before it, at most
        ``MAX_ITEM_LIST_LENGTH``, the oldest first, and padding with 0 after them."""
        self._aug_presets()
        self._check_field("uid_field", "time_field")
        self.sort(by=[self.uid_field, self.time_field], ascending=True)
        users = self.inter_feat[self.uid_field].numpy()
        begins = np.concatenate(([True], users[1:] != users[:-1])) if len(users) else users > 0
        row = np.arange(len(users))
        first = np.maximum.accumulate(np.where(begins, row, 0)) if len(users) else row
        targets = row[~begins]
        starts = np.maximum(first[~begins], targets - self.max_item_list_len)
        lengths = targets - starts
        columns = {self.item_list_length_field: torch.from_numpy(lengths)}
        for field in self.inter_feat:
            if field != self.uid_field:
                columns[getattr(self, f"{field}_list_field")] = self._lists(field, starts, lengths)
        rows = self.inter_feat[targets]
        rows.update(Interaction(columns))
        self.inter_feat = rows

    def _lists(self, field: str, starts: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """(N, L, ...), a column's values before each row."""
        values, longest = self.inter_feat[field], self.max_item_list_len
        found = torch.zeros(len(starts), longest, *values.shape[1:], dtype=values.dtype)
        place = np.arange(longest)
        step = max(_CELLS // max(longest * values[:1].numel(), 1), 1)
        for start in range(0, len(starts), step):
            rows = slice(start, start + step)
            inside = torch.from_numpy(place < lengths[rows, None])
            index = torch.from_numpy(starts[rows, None] + place)
            found[rows][inside] = values[index[inside]]
        return found
