"""Item weights and every user's positives, as the tensors from which negatives are drawn.

Each item has an integer weight w (1 for uniform sampling). All items lie on a line of cells, item i
on w_i of them, so that an item is drawn with a probability proportional to its weight by drawing a
cell uniformly. Without the cells of a user's positives the line has n_u cells left.
"""

import torch

from recbole_dsl.data.sampling.user_items import UserPositives

DISTRIBUTIONS = ("uniform", "popularity")

# Weights of the popularity distribution are counted in cells of 1/RESOLUTION of the rarest item's,
# so that every draw is integer arithmetic and rounding never lets a positive through.
RESOLUTION = 1024


def _item_weights(
    items: torch.Tensor, n_items: int, distribution: str, alpha: float
) -> torch.Tensor:
    if distribution == "uniform":
        weights = torch.ones(n_items, dtype=torch.int64)
    else:
        counts = torch.bincount(items, minlength=n_items).double()
        weights = counts.pow(alpha)
        weights[counts == 0] = 0  # as in RecBole: an item never seen is never drawn
        weights = (weights / weights[counts > 0].min() * RESOLUTION).round().long()
    weights[0] = 0  # the padding item
    return weights


def cells_of_positives(
    weights: torch.Tensor, positives: UserPositives
) -> tuple[torch.Tensor, torch.Tensor]:
    """The positives of all users, one after the other, on a line of cells of their own.

    Returns:
        (P,) int64, where each positive's cells end; (U,) int64, where each user's begin.
    """
    ends = weights[positives.items].cumsum(0)
    return ends, torch.cat([ends.new_zeros(1), ends])[positives.starts]


class SamplingTables(torch.nn.Module):
    """The tensors that all ways of drawing negatives share; they move with the module's device.

    Args:
        users, items: (E,) int64. Training interactions; repeated pairs count once as a positive.
        n_users, n_items: U and I, the padding ids 0 included.
        distribution: "uniform" or "popularity".
        alpha: exponent of the popularity distribution; unused for "uniform".

    Attributes:
        positives: the :class:`UserPositives`, P pairs.
        ends: (I,) int64. Item i lies on the cells [ends[i] - w_i, ends[i]).
        left: (U,) int64. n_u, the cells without those of the user's positives.
        keys: (P,) int64. user * (total + 1) + the cell, on the line without the user's earlier
            positives, at which the positive is cut out; ascending.
        cut: (P,) int64. Cells of the user's positives up to this one.
        total: cells of the whole line.
        most_taken: the largest share of the line that the positives of one training user cover.
        uniform: whether all items have the same weight.
    Raises:
        ValueError: unknown distribution, or a training user who has no negative left.
    """

    ends: torch.Tensor
    left: torch.Tensor
    keys: torch.Tensor
    cut: torch.Tensor

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        n_users: int,
        n_items: int,
        *,
        distribution: str,
        alpha: float,
    ) -> None:
        super().__init__()
        if distribution not in DISTRIBUTIONS:
            allowed = " or ".join(DISTRIBUTIONS)
            raise ValueError(f"distribution must be {allowed}, got {distribution!r}")
        weights = _item_weights(items, n_items, distribution, alpha)
        ends = weights.cumsum(0)
        self.positives = UserPositives(users, items, n_users, n_items)
        items, counts = self.positives.items, self.positives.counts
        users = torch.repeat_interleave(torch.arange(n_users), counts)

        covered, before_user = cells_of_positives(weights, self.positives)
        removed = covered - weights[items] - before_user[users]  # by the user's earlier positives
        up_to = torch.cat([covered.new_zeros(1), covered])[self.positives.starts + counts]
        left = ends[-1] - (up_to - before_user)
        _check_negatives_left(left, counts)
        self.n_items, self.uniform = n_items, distribution == "uniform"
        self.total = int(ends[-1])
        self.most_taken = 1 - float(left[counts > 0].min()) / self.total
        keys = ends[items] - weights[items] - removed + users * (self.total + 1)
        for name, value in (
            ("ends", ends),
            ("left", left),
            ("keys", keys),
            ("cut", removed + weights[items]),
        ):
            self.register_buffer(name, value, persistent=False)

    @property
    def weights(self) -> torch.Tensor:
        """(I,) int64, w."""
        return torch.diff(self.ends, prepend=self.ends.new_zeros(1))

    def items_at(self, cells: torch.Tensor) -> torch.Tensor:
        """The items that lie on cells of the whole line; int64 of any shape."""
        if self.uniform:
            return cells + 1  # item i lies on cell i - 1
        return torch.searchsorted(self.ends, cells, right=True)


def _check_negatives_left(left: torch.Tensor, counts: torch.Tensor) -> None:
    starved = (left <= 0) & (counts > 0)
    if bool(starved.any()):
        raise ValueError(
            f"{int(starved.sum())} training user(s), the first with id "
            f"{int(starved.nonzero()[0])}, have every item that can be drawn as a positive: no "
            "negative is left (filter such users with user_inter_num_interval)"
        )
