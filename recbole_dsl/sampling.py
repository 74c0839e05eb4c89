"""Negative sampling on the device: (B,) users in, (B, M) item ids out. Imports torch only.

Exact, without rejection and without a users x items mask. Each item carries an integer weight w
(1 for uniform draws). Lay all items on a line, item i covering w_i cells. For a user, cut out the
cells of the user's positives: what is left is n_u cells, one draw is one cell r in [0, n_u), and r
plus the weight of the positives that lie before it is a cell of the full line. Which positives lie
before it is one binary search in the user's sorted positives.
"""

import torch

DISTRIBUTIONS = ("uniform", "popularity")

# Weights of the popularity distribution are counted in cells of 1/RESOLUTION of the rarest item's,
# so that every draw is integer arithmetic and a positive can never slip in by rounding.
RESOLUTION = 1024


def _item_weights(items, n_items, distribution, alpha):
    if distribution == "uniform":
        weights = torch.ones(n_items, dtype=torch.int64)
    else:
        counts = torch.bincount(items, minlength=n_items).double()
        weights = counts.pow(alpha)
        weights[counts == 0] = 0  # as in RecBole: an item never seen is never drawn
        weights = (weights / weights[counts > 0].min() * RESOLUTION).round().long()
    weights[0] = 0  # the padding item
    return weights


class NegativeSampler(torch.nn.Module):
    r"""Draws negatives independently for every row, never one of the row user's training positives.

    .. math:: P(j \mid u) \propto w_j\,[\,j \ne 0,\; (u, j) \text{ not in training}\,]

    with w = 1 (uniform) or w = (training count of j)^alpha (popularity).

    Args:
        users, items: (E,) int64. Training interactions; repeated pairs count once as a positive.
        n_users, n_items: U and I, the padding ids 0 included.
        distribution: "uniform" or "popularity".
        alpha: exponent of the popularity distribution, a number; unused for "uniform".
        seed: of the sampler's own generator, so that draws do not depend on other random code.
    Raises:
        ValueError: unknown distribution, or a training user who has no negative left.
    Source: uniform: Rendle et al., UAI 2009; popularity^alpha: Mikolov et al., NeurIPS 2013.
    Differs from RecBole: counts come from training rows only, not from validation and test too.
    """

    def __init__(self, users, items, n_users, n_items, *, distribution, alpha, seed):
        super().__init__()
        if distribution not in DISTRIBUTIONS:
            allowed = " or ".join(DISTRIBUTIONS)
            raise ValueError(f"distribution must be {allowed}, got {distribution!r}")
        weights = _item_weights(items, n_items, distribution, alpha)
        ends = weights.cumsum(0)  # item j covers the cells [ends[j] - w[j], ends[j])
        pairs = torch.unique(users * n_items + items)  # sorted by user, then item
        users, items = pairs // n_items, pairs % n_items
        counts = torch.bincount(users, minlength=n_users)
        starts = counts.cumsum(0) - counts

        covered = weights[items].cumsum(0)
        before_user = torch.cat([covered.new_zeros(1), covered])[starts]
        removed = covered - weights[items] - before_user[users]  # by the user's earlier positives
        keys = ends[items] - weights[items] - removed  # where the cut lies on the shortened line
        left = ends[-1] - torch.cat([covered.new_zeros(1), covered])[starts + counts] + before_user
        starved = (left <= 0) & (counts > 0)
        if bool(starved.any()):
            raise ValueError(
                f"{int(starved.sum())} training user(s), the first with id "
                f"{int(starved.nonzero()[0])}, have every item that can be drawn as a positive: no "
                "negative is left (filter such users with user_inter_num_interval)"
            )
        self.n_items, self.seed, self.uniform = n_items, seed, distribution == "uniform"
        self.longest = int(counts.max())
        state = dict(keys=keys, cut=removed + weights[items], starts=starts, counts=counts)
        for name, value in dict(state, ends=ends, left=left).items():
            self.register_buffer(name, value, persistent=False)
        self._generator = None

    def _draw_cells(self, users, m):
        device = self.left.device
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device=device).manual_seed(self.seed)
        # float64, since 24 random bits would tell too few cells apart
        unit = torch.rand(
            len(users), m, generator=self._generator, device=device, dtype=torch.float64
        )
        left = self.left[users].unsqueeze(1)
        return (unit * left).long().clamp_(max=left - 1)

    def forward(self, users, m):
        """(B,) int64 user ids, m = M draws a row -> (B, M) int64 item ids on the same device."""
        cells = self._draw_cells(users, m)
        on_cpu = users.device.type == "cpu"  # elsewhere, reading the batch's own width would wait
        width = max(int(self.counts[users].max()), 1) if on_cpu else self.longest
        columns = torch.arange(width, device=users.device)
        index = (self.starts[users].unsqueeze(1) + columns).clamp_(max=len(self.keys) - 1)
        padding = columns >= self.counts[users].unsqueeze(1)
        keys = self.keys[index].masked_fill_(padding, torch.iinfo(torch.int64).max)
        passed = torch.searchsorted(keys, cells, right=True)  # positives that lie before the cell
        cut = torch.nn.functional.pad(self.cut[index], (1, 0))  # none passed: nothing to add
        cells += cut.gather(1, passed)
        if self.uniform:
            return cells + 1  # item j covers cell j - 1
        return torch.searchsorted(self.ends, cells, right=True)
