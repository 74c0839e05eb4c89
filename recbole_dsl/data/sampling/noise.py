"""Noise for studies of robustness: false positives to train on, false negatives among the draws."""

import torch

from recbole_dsl.common import tensors
from recbole_dsl.data.sampling.independent import draw_directly
from recbole_dsl.data.sampling.tables import SamplingTables, cells_of_positives
from recbole_dsl.data.sampling.user_items import UserPositives


class FalseNegatives(torch.nn.Module):
    """Puts positives among drawn negatives: each has r times the weight of a like negative.

    Args:
        tables: of the sampler. rate: r >= 0; 0 draws none.

    Attributes:
        share: (U,) float32. Share of a user's draws that are positives.
    Raises:
        ValueError: rate < 0.
    """

    share: torch.Tensor
    taken: torch.Tensor  # (U,), cells of the user's positives
    ends: torch.Tensor  # (P,), see cells_of_positives
    before_user: torch.Tensor  # (U,)

    def __init__(self, tables: SamplingTables, rate: float) -> None:
        super().__init__()
        if rate < 0:
            raise ValueError(f"false_negative must be >= 0, got {rate!r}")
        self.rate = rate
        taken = tables.total - tables.left
        self.register_buffer("share", rate * taken / (tables.left + rate * taken), persistent=False)
        if rate > 0:
            ends, before_user = cells_of_positives(tables.weights, tables.positives)
            for name, value in (("taken", taken), ("ends", ends), ("before_user", before_user)):
                self.register_buffer(name, value, persistent=False)

    def forward(
        self,
        positives: UserPositives,
        users: torch.Tensor,
        drawn: torch.Tensor,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        """Replace a share of the negatives (B, M) of (B,) users by the users' positives, in place.

        Args:
            positives: of the sampler's tables.
        Returns:
            (B, M) int64.
        """
        uniform = torch.rand(
            drawn.shape, generator=generator, device=users.device, dtype=torch.float64
        )
        chosen = uniform < self.share[users].unsqueeze(1)
        if not tensors.is_synchronous(users.device):
            of_all = users.unsqueeze(1).expand_as(drawn)
            return torch.where(chosen, self._draw_positives(positives, of_all, generator), drawn)
        rows, columns = chosen.nonzero(as_tuple=True)
        drawn[rows, columns] = self._draw_positives(positives, users[rows], generator)
        return drawn

    def _draw_positives(
        self, positives: UserPositives, users: torch.Tensor, generator: torch.Generator | None
    ) -> torch.Tensor:
        """One of each user's positives by the items' weights; int64 of any shape."""
        part = torch.rand(
            users.shape, generator=generator, device=users.device, dtype=torch.float64
        )
        taken = self.taken[users]
        cells = (part * taken).long().clamp_(max=taken - 1)
        place = torch.searchsorted(self.ends, self.before_user[users] + cells, right=True)
        return positives.items[place]


def false_positives(
    users: torch.Tensor,
    known: tuple[torch.Tensor, torch.Tensor],
    n_users: int,
    n_items: int,
    *,
    share: float,
    seed: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random unobserved interactions, as many as a share of the training rows.

    Each belongs to the user of a training row drawn uniformly, so that a user gets noise in
    proportion to the user's rows, and to an item drawn uniformly among those that the user has in
    none of the parts. All are distinct.

    Args:
        users: (N,) int64. The user of each training row.
        known: (users, items), (E,) int64 each. The interactions of all parts: one of the test part
            would not be noise.
        n_users, n_items: U and I, the padding ids 0 included.
        share: K = round(share * N) interactions are drawn, share >= 0.
        seed: of a generator of their own.
    Returns:
        (rows, items), (K,) int64 each: a training row of the interaction's user, and its item.
    Raises:
        ValueError: K is more than half of the unobserved pairs of the users, so that a share of
            them would no longer be random; or a user has every item.
    Source: the share of training rows as in SGL's study of robustness (Wu et al., SIGIR 2021),
    which BSL (Wu et al., ICDE 2024) follows for noisy positives.
    """
    wanted = round(share * len(users))
    present = torch.unique(users)
    tables = SamplingTables(*known, n_users, n_items, distribution="uniform", alpha=0.0)
    generator = torch.Generator().manual_seed(seed)
    free = int((n_items - 1 - tables.positives.counts[present]).sum())
    if 2 * wanted > free:
        raise ValueError(
            f"false_positive {share} means {wanted:,} interactions, more than half of the {free:,} "
            "pairs that are not in the data"
        )
    rows, items = users.new_empty(0), users.new_empty(0)
    while len(rows) < wanted:
        missing = wanted - len(rows)
        new = torch.randint(len(users), (missing,), generator=generator)
        drawn = draw_directly(tables, users[new], 1, generator).squeeze(1)
        rows, items = torch.cat([rows, new]), torch.cat([items, drawn])
        first = _first_of_each(users[rows] * n_items + items)
        rows, items = rows[first], items[first]
    return rows, items


def _first_of_each(codes: torch.Tensor) -> torch.Tensor:
    """Where each distinct value of (N,) codes stands first, ascending."""
    distinct, group = torch.unique(codes, return_inverse=True)
    place = torch.full_like(distinct, len(codes))
    place.scatter_reduce_(0, group, torch.arange(len(codes)), reduce="amin")
    return place.sort().values
