"""Negative sampling on the device: (B,) users in, (B, M) item ids out.

The tensors are in :mod:`.tables`, the ways of drawing in :mod:`.independent` (every row its own
negatives), :mod:`.shared_negatives` (blocks of rows share them) and :mod:`.noise` (positives among
them, for studies of noise); :mod:`.all_items` takes all items and draws none. The sampler here
picks the way that suits the device and the sizes.
"""

import torch

from recbole_dsl.common import tensors
from recbole_dsl.data.sampling.all_items import (
    AllItems,
    leave_out_positives,
    replace_positives,
)
from recbole_dsl.data.sampling.independent import draw_by_rejection, draw_directly, mask_is_cheap
from recbole_dsl.data.sampling.noise import FalseNegatives
from recbole_dsl.data.sampling.shared_negatives import (
    Negatives,
    SharedNegatives,
    SharedWithSpares,
    draw_shared,
    draw_with_spares,
)
from recbole_dsl.data.sampling.tables import SamplingTables
from recbole_dsl.data.sampling.user_items import UserPositives


class NegativeSampler(torch.nn.Module):
    r"""Draws negatives independently for every row, never one of the row user's training positives.

    .. math:: P(j \mid u) \propto w_j\,[\,j \ne 0,\; (u, j) \text{ not in training}\,]

    with w = 1 (uniform) or w = (training count of j)^alpha (popularity). With ``false_negative`` r
    > 0, for studies of noise, a training positive is drawn too, with weight r w_j.

    Args:
        users, items: (E,) int64. Training interactions; repeated pairs count once as a positive.
        n_users, n_items: U and I, the padding ids 0 included.
        distribution: "uniform" or "popularity".
        alpha: exponent of the popularity distribution, a number; unused for "uniform".
        seed: of the sampler's own generator, so that draws do not depend on other random code.
        false_negative: r >= 0, how likely one of a user's training positives, the row's own
            included, is drawn, relative to a negative of the same weight; 0 never, 1 as if
            positives were not excluded.

    Attributes:
        tables: the :class:`SamplingTables`.
    Raises:
        ValueError: unknown distribution, false_negative < 0, or a training user who has no negative
            left.
    Source: uniform: Rendle et al., UAI 2009; popularity^alpha: Mikolov et al., NeurIPS 2013.
    false_negative: the relative sampling weight of the noise studies of BSL (Wu et al., ICDE 2024)
    and PSL (Yang et al., NeurIPS 2024).
    Differs from RecBole: counts come from training rows only, not from validation and test too.
    """

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        n_users: int,
        n_items: int,
        *,
        distribution: str,
        alpha: float,
        seed: int,
        false_negative: float = 0.0,
    ) -> None:
        super().__init__()
        self.tables = SamplingTables(
            users, items, n_users, n_items, distribution=distribution, alpha=alpha
        )
        self.false_negatives = FalseNegatives(self.tables, false_negative)
        self.seed = seed
        self._generator: torch.Generator | None = None

    @property
    def generator(self) -> torch.Generator:
        """The sampler's own generator, on the device it has been moved to."""
        device = self.tables.left.device
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device=device).manual_seed(self.seed)
        return self._generator

    @property
    def positives(self) -> UserPositives:
        """The training positives of every user."""
        return self.tables.positives

    @property
    def noisy(self) -> bool:
        """Whether positives are drawn too."""
        return self.false_negatives.rate > 0

    @property
    def noise(self) -> torch.Tensor:
        """(U,) float32. Share of a user's draws that are positives."""
        return self.false_negatives.share

    def forward(self, users: torch.Tensor, m: int) -> torch.Tensor:
        """(B,) int64 user ids -> (B, M) int64 item ids on the same device; m: M, ids a row."""
        by_mask = tensors.is_synchronous(users.device) and mask_is_cheap(
            len(users), self.tables.n_items
        )
        draw = draw_by_rejection if by_mask else draw_directly
        drawn = draw(self.tables, users, m, self.generator)
        if not self.noisy:
            return drawn
        noisy: torch.Tensor = self.false_negatives(self.positives, users, drawn, self.generator)
        return noisy

    def shared(self, users: torch.Tensor, m: int, block: int) -> SharedNegatives | SharedWithSpares:
        """Negatives that ``block`` consecutive rows have in common, save for a row's positives.

        Args:
            users: (B,) int64. m: M, negatives a row. block: R >= 1, rows of a block.
        Returns:
            :class:`SharedNegatives` on the CPU; elsewhere :class:`SharedWithSpares`, for which no
            value has to be awaited.
        Raises:
            ValueError: the sampler draws positives too (``false_negative`` > 0).
        """
        if self.noisy:
            raise ValueError("false negatives are drawn for every row, not for blocks of rows")
        draw = draw_shared if tensors.is_synchronous(users.device) else draw_with_spares
        return draw(self.tables, users, m, block, self.generator)

    def all_but_positives(self, users: torch.Tensor) -> AllItems:
        """All items for (B,) users, each user's positives left out; nothing is drawn.

        Raises:
            ValueError: ``false_negative`` > 0, or a distribution that is not uniform.
        """
        self._check_all_alike()
        return leave_out_positives(self.positives, users)

    def all_with_positives_replaced(self, users: torch.Tensor) -> Negatives:
        """All items for (B,) users, each user's positives replaced by negatives drawn at random.

        Raises:
            ValueError: as :meth:`all_but_positives`.
        """
        self._check_all_alike()
        return replace_positives(self.tables, users, self.generator)

    def _check_all_alike(self) -> None:
        if self.noisy or not self.tables.uniform:
            raise ValueError(
                "all items are taken alike: false_negative must be 0 and the distribution uniform"
            )
