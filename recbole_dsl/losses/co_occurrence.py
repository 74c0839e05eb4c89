"""How similar two items are by who interacted with them, in place of the model's vectors."""

import numpy as np
import torch
from scipy.sparse import csr_matrix

from recbole_dsl.common.errors import UsageError
from recbole_dsl.losses.base import TrainingRows

# Numbers of the buffer that holds a few rows' similarities to all items: 2 MiB, the size of an L2
# cache.
_CACHE = 1 << 19
_ROWS = 16  # rows at a time at least
MOST_PAIRS = (1 << 31) - 1  # in 24 GiB


class CoOccurrence(torch.nn.Module):
    r"""Cosine of two items' columns of the training interactions, as ItemKNN has it.

    .. math:: s_{ij} = \frac{|U_i \cap U_j|}{\sqrt{|U_i|\,|U_j|}}

    with :math:`U_i` the users with a training interaction with item i; 0 for an item that has none.
    In [0, 1], and mostly near 0: the median of those above 0 is 0.04 to 0.05 on three of Amazon's
    data sets, so that a weight of it is larger than one of a cosine of vectors.

    Pairs of items that have a user in common are kept, in 12 bytes each, twice that while they are
    made: 40 MB for 8,360 items and
    182,398 interactions (amazon2014-electronic), 206 MB for 13,874 and 288,610 (cd-popularity).

    Args:
        data: the training rows; a pair of user and item that is there twice counts once.
    Raises:
        UsageError: more than 2 ** 31 - 1 pairs, counted as if no two users had one in common.
    """

    pairs: torch.Tensor
    values: torch.Tensor

    def __init__(self, data: TrainingRows) -> None:
        super().__init__()
        users, items = data.users.cpu().numpy(), data.items.cpu().numpy()
        shape = (data.n_users, data.n_items)
        seen = csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
        pairs = min(int(np.square(np.diff(seen.indptr).astype(float)).sum()), data.n_items**2)
        if pairs > MOST_PAIRS:
            raise UsageError(
                f"similarity co_occurrence may have to keep {pairs:,} pairs of items, and can keep "
                f"{MOST_PAIRS:,}; similarity embeddings keeps none"
            )
        # SciPy has added up rows that are there twice; each column gets the length 1.
        counts = np.bincount(seen.indices)
        seen.data = (1 / np.sqrt(counts[seen.indices])).astype(np.float32)
        found = csr_matrix(seen.T @ seen)
        found.sort_indices()
        self.n_items = data.n_items
        # A pair (i, j) is the number i I + j, in ascending order. Neither buffer is in a
        # checkpoint: they follow from the training rows.
        first = np.repeat(np.arange(data.n_items) * data.n_items, np.diff(found.indptr))
        self.register_buffer("pairs", torch.from_numpy(first + found.indices), persistent=False)
        self.register_buffer("values", torch.from_numpy(found.data), persistent=False)

    @torch.no_grad()
    def forward(self, items: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """Similarities of each row's item and others.

        On a CPU a few rows at a time are written out over all items, which is 3 to 7 times as fast
        as to look for each pair (1,000 of 1,200 to 13,874 items, one thread). Elsewhere each pair
        is looked for, since the number of a row's pairs would have to be waited for.

        Args:
            items: (B,) int64. others: (B, M) int64.
        Returns:
            (B, M), in the type of the values: float32, unless the module was cast.
        """
        if items.device.type != "cpu":
            return self._looked_for(items, others)
        found = self.values.new_empty(others.shape)
        size = max(_CACHE // self.n_items, _ROWS)
        for start in range(0, len(items), size):
            rows = slice(start, start + size)
            torch.gather(self._over_all(items[rows]), 1, others[rows], out=found[rows])
        return found

    def _looked_for(self, items: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        wanted = items.unsqueeze(1) * self.n_items + others
        place = torch.searchsorted(self.pairs, wanted).clamp_(max=len(self.pairs) - 1)
        return torch.where(self.pairs[place] == wanted, self.values[place], 0.0)

    def _over_all(self, items: torch.Tensor) -> torch.Tensor:
        """(b,) items -> (b, I), their similarities to all items."""
        first = items * self.n_items
        start, end = torch.searchsorted(self.pairs, torch.stack((first, first + self.n_items)))
        count, numbers = end - start, torch.arange(len(items))
        row = torch.repeat_interleave(numbers, count)
        place = torch.arange(len(row)) + (start - count.cumsum(0) + count)[row]
        cell = self.pairs[place] + (numbers * self.n_items - first)[row]
        full = self.values.new_zeros(len(items) * self.n_items)
        full[cell] = self.values[place]
        return full.view(len(items), self.n_items)
