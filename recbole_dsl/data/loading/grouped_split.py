"""RecBole's splits inside groups, as array operations. Knows nothing of RecBole.

A group is the rows of one key, such as a user. Every function returns the rows of each part: groups
come in order of first appearance, a group's rows in their order, as in RecBole's loops.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

_Rows = npt.NDArray[np.int64]


class Groups:
    """Rows gathered by key.

    Args:
        keys: (N,) integers, the group of each row.

    Attributes:
        rows: (N,) int64. Row numbers, group after group, ascending within a group.
        sizes: (G,) int64. Rows of each group.
        group: (N,) int64. The group of each entry of ``rows``.
        position: (N,) int64. The place of each entry within its group, from 0.
    """

    def __init__(self, keys: npt.NDArray[np.integer]) -> None:
        codes, distinct = pd.factorize(keys)
        narrow = torch.from_numpy(codes.astype(np.int32))  # torch sorts integers by radix
        self.rows = torch.sort(narrow, stable=True).indices.numpy()
        self.sizes = np.bincount(codes, minlength=len(distinct))
        self.group = np.repeat(np.arange(len(distinct)), self.sizes)
        starts = np.cumsum(self.sizes) - self.sizes
        self.position = np.arange(len(codes)) - starts[self.group]

    def split(self, part: npt.NDArray[np.integer], n_parts: int) -> list[_Rows]:
        """The rows of each part, (N_p,) each. part: (N,), the part of each entry of ``rows``."""
        return [self.rows[part == number] for number in range(n_parts)]


def by_ratio(groups: Groups, ends_of: Callable[[int], Sequence[int]], n_parts: int) -> list[_Rows]:
    """Rows of each part under shares of every group.

    Args:
        ends_of: size of a group -> where each part but the last ends, ``_calcu_split_ids``.
    """
    sizes, inverse = np.unique(groups.sizes, return_inverse=True)
    ends = np.array([ends_of(int(size)) for size in sizes]).reshape(len(sizes), n_parts - 1)
    part = np.zeros(len(groups.rows), dtype=np.int8)
    for end in ends.T:
        part += groups.position >= end[inverse][groups.group]
    return groups.split(part, n_parts)


def leave_out(groups: Groups, n_out: int) -> list[_Rows]:
    """Rows of 1 + n_out parts: the last n_out rows of a group, one each, but never its first row.

    A group too small for all of them fills the last parts.
    """
    from_end = groups.sizes[groups.group] - groups.position  # 1 for the last row
    left_out = (from_end <= n_out) & (groups.position > 0)
    return groups.split(np.where(left_out, n_out + 1 - from_end, 0), n_out + 1)


def by_time(groups: Groups, early: npt.NDArray[np.bool_], share: float) -> list[_Rows]:
    """Rows of train, validation and test around one point in time.

    Of a group with k early rows, its first k are for training and validation, the rest for test.

    Args:
        early: (N,) bool. Whether each row lies before the point. share: of training among the k.
    """
    n_early = np.bincount(groups.group[early[groups.rows]], minlength=len(groups.sizes))
    cut = (n_early * share).astype(np.int64)
    part = (groups.position >= cut[groups.group]).astype(np.int8)
    part += groups.position >= n_early[groups.group]
    return groups.split(part, 3)
