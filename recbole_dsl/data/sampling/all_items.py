"""Every item as a negative of every row, but for the positives of the row's user: nothing is drawn.

A user has n_u positives, so that rows have different numbers of negatives, I - 1 - n_u, of the
M = I - 1 columns of one tensor. What stands in the columns of the positives is either left out, as
a score of -inf, which a log-sum-exp does not see, or another negative of the row, for losses that
count their negatives.
"""

import math
from typing import NamedTuple

import torch

from recbole_dsl.common import tensors
from recbole_dsl.data.sampling.independent import draw_directly, draw_one_each
from recbole_dsl.data.sampling.shared_negatives import Negatives, SharedNegatives
from recbole_dsl.data.sampling.tables import SamplingTables
from recbole_dsl.data.sampling.user_items import UserPositives


class AllItems(NamedTuple):
    """M = I - 1 columns, the same items for all rows, and which of them a row leaves out.

    Attributes:
        items: (M,) int64. 1 to I - 1, the item of each column.
        left_out: the cells of (B, M) that are positives of their row's user: on the CPU
            (rows, columns), (P,) int64 each; elsewhere (B, M) bool.
    """

    items: torch.Tensor
    left_out: tuple[torch.Tensor, torch.Tensor] | torch.Tensor

    def leave_out(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B, M) with -inf where a positive is left out, in place."""
        if isinstance(self.left_out, torch.Tensor):
            return scores.masked_fill_(self.left_out, -math.inf)
        return scores.index_put_(self.left_out, scores.new_tensor(-math.inf))


def leave_out_positives(positives: UserPositives, users: torch.Tensor) -> AllItems:
    """All items for (B,) users, the users' positives left out."""
    items = torch.arange(1, positives.n_items, device=users.device)
    if tensors.is_synchronous(users.device):
        rows, found = positives.of(users)
        return AllItems(items, (rows, found - 1))
    mask = torch.zeros(len(users), positives.n_items, dtype=torch.bool, device=users.device)
    # Column 0, the padding item's, takes what fills up the lists of positives.
    return AllItems(items, mask.scatter_(1, positives.padded(users), True)[:, 1:])


def replace_positives(
    tables: SamplingTables, users: torch.Tensor, generator: torch.Generator | None
) -> Negatives:
    """All items for (B,) users, each of a user's positives replaced by a negative drawn at random.

    Every negative of a user is there once, and n_u of them, drawn anew, once more: a mean over the
    columns is in expectation the mean over the user's negatives.

    Returns:
        On the CPU :class:`SharedNegatives`, all rows one block; elsewhere ids (B, M), for which no
        value has to be awaited.
    """
    items = torch.arange(1, tables.n_items, device=users.device)
    if tensors.is_synchronous(users.device):
        rows, found = tables.positives.of(users)
        own = draw_one_each(tables, users[rows], generator)
        return SharedNegatives(items.unsqueeze(0), max(len(users), 1), own, rows, found - 1)
    places = tables.positives.padded(users)
    own = draw_directly(tables, users, places.shape[1], generator)
    ids = torch.arange(tables.n_items, device=users.device).repeat(len(users), 1)
    return ids.scatter_(1, places, own)[:, 1:]
