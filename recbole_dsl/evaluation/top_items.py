"""Exact top-k of dot products over a whole catalogue, in bounded memory. Imports torch only.

Users come in blocks, items in blocks, and each user keeps a running top-k; that of a block is
found by :func:`recbole_dsl.common.row_topk.row_topk`.
"""

import math
from collections.abc import Sequence

import torch

from recbole_dsl.common.row_topk import group_size, row_topk
from recbole_dsl.data.sampling.user_items import UserPositives

# Items of a block: long enough for top-k by groups to pay, short enough for many users beside it.
_ITEMS = 1 << 14
# Scores of a block on a CPU, 16 MiB in float32: more no longer speeds the product up, and leaves
# the cache.
_CPU_SCORES = 1 << 22
# Rows of scores begin at multiples of 64 bytes, for which the product takes 0.9 of the time.
_ALIGNED = 16


class TopItems:
    """Ranks the items that a user has not seen by the dot product of user and item vectors.

    Args:
        user_table: (U, D). item_table: (I, D), of the same type, on the same device; item 0 is
            padding and never ranked above another.
        seen: each user's items to leave out, on that device.
        k: K in [1, I], items to return for each user.
        memory: bytes that the scores of one call, and what top-k makes of them, may take.

    Attributes:
        users: how many users a call may have.

    Raises:
        ValueError: k is larger than the number of items, the padding item counted.
    """

    def __init__(
        self,
        user_table: torch.Tensor,
        item_table: torch.Tensor,
        seen: UserPositives,
        k: int,
        *,
        memory: int,
    ) -> None:
        items, device = len(item_table), item_table.device
        if not 1 <= k <= items:
            raise ValueError(f"k must be from 1 to the {items} items, got {k}")
        self._user_table, self._item_table = user_table, item_table
        self._seen, self._k = seen, k
        blocks = math.ceil(items / max(_ITEMS, k))
        self._block = math.ceil(items / blocks)  # of nearly equal length
        self._width = math.ceil(self._block / _ALIGNED) * _ALIGNED
        size, group = item_table.element_size(), group_size(self._block, k)
        self.users = users_per_block(self._width, group, k, size, memory)
        if device.type == "cpu":
            self.users = min(self.users, max(_CPU_SCORES // self._width, 1))
        self.users = min(self.users, len(user_table))
        self._scores: torch.Tensor | None = None
        # Masked items fill the list of a user with fewer than K others, in the order in which
        # torch.topk meets them in the whole row; such users, if any, are ranked that way.
        self._short = items - 1 - seen.counts < k
        self._any_short = bool(self._short.any())

    def __call__(self, users: torch.Tensor) -> torch.Tensor:
        """The K best items of each user, best first: (b,) int64 ids -> (b, K) int64 ids.

        As ``torch.topk`` over whole rows whose seen items and item 0 are -inf. Which of several
        equal scores comes first, or makes the list, is left open there and here.

        Raises:
            ValueError: more users than a call may have.
        """
        if len(users) > self.users:
            raise ValueError(f"at most {self.users} users a call, got {len(users)}")
        vectors = self._user_table[users]
        rows, seen = self._seen.of(users)
        starts = range(0, len(self._item_table), self._block)
        if len(starts) == 1:
            top = self._best(vectors, 0, rows, seen)[1]
        else:
            top = self._running(vectors, starts, rows, seen)
        if self._any_short:
            for row in self._short[users].nonzero().squeeze(1).tolist():
                top[row] = self._whole_row(vectors[row], seen[rows == row])
        return top

    def _running(
        self, vectors: torch.Tensor, starts: Sequence[int], rows: torch.Tensor, seen: torch.Tensor
    ) -> torch.Tensor:
        """Top-k over the blocks of items that begin at ``starts``."""
        seen, order = torch.sort(seen)
        rows = rows[order]
        borders = torch.tensor([*starts, len(self._item_table)], device=seen.device)
        edges = torch.searchsorted(seen, borders).tolist()  # waits for the device, once a call
        values, top = vectors.new_empty(len(vectors), 0), rows.new_empty(len(vectors), 0)
        for start, first, last in zip(starts, edges, edges[1:], strict=False):
            new, ids = self._best(vectors, start, rows[first:last], seen[first:last] - start)
            if start > 0:
                new, ids = torch.cat((values, new), dim=1), torch.cat((top, ids), dim=1)
                new, index = torch.topk(new, min(self._k, new.shape[1]))
                ids = ids.gather(1, index)
            values, top = new, ids
        return top

    def _best(
        self, vectors: torch.Tensor, start: int, rows: torch.Tensor, columns: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Best scores (b, k) and items among one block, given where it is masked, (P,) each."""
        block = self._item_table[start : start + self._block]
        buffer = self._buffer()
        rows_of_scores = buffer[: len(vectors) * self._width].view(len(vectors), self._width)
        scores = rows_of_scores[:, : len(block)]
        torch.mm(vectors, block.T, out=scores)
        if start == 0:
            scores[:, 0] = -math.inf
        buffer.index_fill_(0, rows * self._width + columns, -math.inf)
        values, index = row_topk(scores, min(self._k, len(block)), sorted=True)
        return values, index + start

    def _buffer(self) -> torch.Tensor:
        """Room for a block of scores, flat, which all calls share."""
        if self._scores is None:
            self._scores = self._item_table.new_empty(self.users * self._width)
        return self._scores

    def _whole_row(self, vector: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        scores = self._item_table @ vector  # (I,)
        scores[0] = -math.inf
        scores[seen] = -math.inf
        return torch.topk(scores, self._k).indices


def users_per_block(width: int, group: int, k: int, size: int, memory: int) -> int:
    """How many users' scores fit into memory, at least one.

    Args:
        width: scores of a user.
        group: S, items of a group in :func:`recbole_dsl.common.row_topk.row_topk`; 1: no groups.
        k: K.
        size: bytes of a score.
        memory: bytes.
    """
    pair = 8 + size  # what a top-k returns
    each = width * size + k * pair
    if group > 1:
        each += width // group * size + k * pair + k * group * size  # maxima, groups, candidates
    return max(memory // each, 1)
