"""A temperature from the data: that at which a given share of the negatives is effective."""

import math

import torch

from recbole_dsl.losses.base import ModelView, TrainingRows

MOST_ROWS, MOST_ITEMS = 512, 4096  # of the scores from which a temperature is found
_LOW, _HIGH = 1e-3, 1e2  # bounds of the temperatures that are looked for, in score units


def effective_share(scores: torch.Tensor, tau: float) -> float:
    r"""The share of the negatives that count at a temperature, geometric mean over the rows.

    .. math:: \rho(\tau) = \exp\Bigl(\mathrm{mean}_b\, \bigl(H(q_b) - \log M_b\bigr)\Bigr), \qquad
        q_{bj} \propto \exp(f_{bj}/\tau)

    with H the entropy in nats: :math:`\exp H(q_b)` is the effective number of row b's negatives in
    SL, see :class:`recbole_dsl.losses.dro.WorstCase`, and :math:`M_b` how many there are.

    Args:
        scores: (B, M) float. Scores of each row's negatives; -inf: none, one a row is finite.
        tau: temperature, > 0, in score units.
    Returns:
        float in (0, 1], which rises with tau to 1.
    Example:
        >>> scores = torch.tensor([[0.9, 0.9, -0.9, -0.9]])
        >>> round(effective_share(scores, 0.01), 3), round(effective_share(scores, 100.0), 3)
        (0.5, 1.0)
    """
    entropy = torch.special.entr(torch.softmax(scores.double() / tau, dim=1)).sum(dim=1)
    number = torch.isfinite(scores).sum(dim=1).double()
    return float((entropy - number.log()).mean().exp())


def temperature_of_share(scores: torch.Tensor, share: float) -> float:
    """The temperature at which :func:`effective_share` is ``share``, by bisection of its logarithm.

    Args:
        scores: (B, M) float, as in :func:`effective_share`.
        share: in (0, 1).
    Returns:
        float, in score units, between 0.001 and 100; the nearer end where none has that share.
    """
    low, high = math.log(_LOW), math.log(_HIGH)
    for _ in range(30):  # to a factor of 1 + 1e-8
        middle = (low + high) / 2
        if effective_share(scores, math.exp(middle)) < share:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


class ScoreSample:
    """Scores of some training rows' users with some items, the same ones each time.

    Rows and items are evenly spaced over all, without chance, so that nothing else that is drawn
    depends on them. An item that is a training positive of the user is no negative.

    Args:
        data: the training rows.
    """

    def __init__(self, data: TrainingRows) -> None:
        device = data.users.device
        rows = _spaced(0, len(data.users), MOST_ROWS, device)
        self.users = data.users[rows]
        self.items = _spaced(1, data.n_items, MOST_ITEMS, device)
        place = torch.full((data.n_items,), -1, device=device)
        place[self.items] = torch.arange(len(self.items), device=device)
        kept = place[data.items] >= 0
        pairs = data.users[kept] * len(self.items) + place[data.items[kept]]
        cells = self.users.unsqueeze(1) * len(self.items)
        cells = cells + torch.arange(len(self.items), device=device)
        self._positive = torch.isin(cells, pairs)

    @torch.no_grad()
    def scores(self, view: ModelView) -> torch.Tensor:
        """(B, M) as the model stands; -inf for positives. Rows without a negative are left out."""
        users, items = view.tables()
        found = users[self.users] @ items[self.items].T
        found = found.masked_fill(self._positive, -math.inf)
        return found[~self._positive.all(dim=1)]


def _spaced(first: int, end: int, most: int, device: torch.device) -> torch.Tensor:
    """(min(most, end - first),) int64, evenly spaced from first on."""
    count = min(most, end - first)
    return first + torch.arange(count, device=device) * (end - first) // count
