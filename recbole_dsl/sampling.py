"""Negative sampling on the device: (B,) users in, (B, M) item ids out. Imports torch only.

Two ways, of the same law. Each item carries an integer weight w (1 for uniform draws).

Direct: lay all items on a line, item i covering w_i cells. For a user, cut out the cells of the
user's positives: what is left is n_u cells, one draw is one cell r in [0, n_u), and r plus the
weight of the positives that lie before it is a cell of the full line. Which positives lie before it
is one binary search among the sorted positives. No data-dependent shape, no users x items mask.

By rejection: draw from the full line, look the draws up in the batch's (B, I) mask of positives and
draw the few hits again, in the end directly. A draw is kept with the same probability whichever
negative it is, so the law is the same. On a CPU the look-up costs a twentieth of the binary search;
elsewhere the changing number of hits would make the device wait.

For studies of noise, ``false_negative`` lets a user's positives through at a chosen rate.
"""

import math

import torch

from recbole_dsl import waits
from recbole_dsl.draws import SharedDraw, SpareDraw
from recbole_dsl.positives import UserPositives

DISTRIBUTIONS = ("uniform", "popularity")

# Weights of the popularity distribution are counted in cells of 1/RESOLUTION of the rarest item's,
# so that every draw is integer arithmetic and a positive can never slip in by rounding.
RESOLUTION = 1024

# Rejection: cells of the batch's mask above which it would cost more than the search, and rounds.
_MASK_CELLS = 1 << 26
_ROUNDS = 2


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

    with w = 1 (uniform) or w = (training count of j)^alpha (popularity). With ``false_negative`` r
    > 0, for studies of noise, a training positive is drawn too, with weight r w_j.

    Args:
        users, items: (E,) int64. Training interactions; repeated pairs count once as a positive.
        n_users, n_items: U and I, the padding ids 0 included.
        distribution: "uniform" or "popularity".
        alpha: exponent of the popularity distribution, a number; unused for "uniform".
        seed: of the sampler's own generator, so that draws do not depend on other random code.
        false_negative: r >= 0, how likely one of a user's training positives, the row's own
            included, is drawn, relative to an item of the same weight that is none; 0 never, 1 as
            if sampling did not look.

    Attributes:
        noise: (U,) float64. Share of a user's draws that are positives.
    Raises:
        ValueError: unknown distribution, false_negative < 0, or a training user who has no negative
            left.
    Source: uniform: Rendle et al., UAI 2009; popularity^alpha: Mikolov et al., NeurIPS 2013.
    false_negative: the relative sampling weight of the noise studies of BSL (Wu et al., ICDE 2024)
    and PSL (Yang et al., NeurIPS 2024).
    Differs from RecBole: counts come from training rows only, not from validation and test too.
    """

    def __init__(
        self, users, items, n_users, n_items, *, distribution, alpha, seed, false_negative=0.0
    ):
        super().__init__()
        if distribution not in DISTRIBUTIONS:
            allowed = " or ".join(DISTRIBUTIONS)
            raise ValueError(f"distribution must be {allowed}, got {distribution!r}")
        if false_negative < 0:
            raise ValueError(f"false_negative must be >= 0, got {false_negative!r}")
        weights = _item_weights(items, n_items, distribution, alpha)
        ends = weights.cumsum(0)  # item j covers the cells [ends[j] - w[j], ends[j])
        self.positives = UserPositives(users, items, n_users, n_items)
        items, starts, counts = (getattr(self.positives, n) for n in ("items", "starts", "counts"))
        users = torch.repeat_interleave(torch.arange(n_users), counts)

        covered = weights[items].cumsum(0)
        before_user = torch.cat([covered.new_zeros(1), covered])[starts]
        removed = covered - weights[items] - before_user[users]  # by the user's earlier positives
        keys = ends[items] - weights[items] - removed  # where the cut lies on the shortened line
        taken = torch.cat([covered.new_zeros(1), covered])[starts + counts] - before_user
        left = ends[-1] - taken
        starved = (left <= 0) & (counts > 0)
        if bool(starved.any()):
            raise ValueError(
                f"{int(starved.sum())} training user(s), the first with id "
                f"{int(starved.nonzero()[0])}, have every item that can be drawn as a positive: no "
                "negative is left (filter such users with user_inter_num_interval)"
            )
        self.n_items, self.seed, self.uniform = n_items, seed, distribution == "uniform"
        self.total = int(ends[-1])
        self.most_taken = 1 - float(left[counts > 0].min()) / self.total  # share of one user's
        keys = keys + users * (self.total + 1)  # ascending over users, for one search among all
        state = dict(keys=keys, cut=removed + weights[items], ends=ends, left=left)
        state["noise"] = false_negative * taken / (left + false_negative * taken)
        self.noisy = false_negative > 0
        if self.noisy:  # the positives on a line of their own
            state.update(covered=covered, before_user=before_user, taken=taken)
        for name, value in state.items():
            self.register_buffer(name, value, persistent=False)
        self._generator = None

    @property
    def generator(self):
        """The sampler's own generator, on the device it has been moved to."""
        device = self.left.device
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device=device).manual_seed(self.seed)
        return self._generator

    def _items(self, cells):
        """The items that cover cells of the full line."""
        if self.uniform:
            return cells + 1  # item j covers cell j - 1
        return torch.searchsorted(self.ends, cells, right=True)

    def direct(self, users, m):
        """Draws by one binary search each; see the module's docstring."""
        starts, left = self.positives.starts[users], self.left[users].unsqueeze(1)
        # float64, since 24 random bits would tell too few cells apart
        where = dict(generator=self.generator, device=users.device, dtype=torch.float64)
        cells = (torch.rand(len(users), m, **where) * left).long().clamp_(max=left - 1)
        sought = users.unsqueeze(1) * (self.total + 1) + cells
        # How many of the user's positives lie before the cell: of all users' keys in one list.
        passed = torch.searchsorted(self.keys, sought, right=True) - starts.unsqueeze(1)
        cut = self.cut[(starts.unsqueeze(1) + passed - 1).clamp_(min=0)]
        cells += cut.masked_fill_(passed == 0, 0)
        return self._items(cells)

    def _propose(self, rows, m):
        """Draws from all items, positives too."""
        where = dict(generator=self.generator, device=self.ends.device)
        return self._items(torch.randint(self.total, (rows, m), **where))

    def _one_each(self, users):
        """One negative for each of (C,) users, (C,): a few rounds of rejection, then directly."""
        if not waits.may_look(users.device):
            return self.direct(users, 1).squeeze(1)
        drawn = self._propose(len(users), 1).squeeze(1)
        hit = self.positives.contain(users, drawn).nonzero().squeeze(1)
        for _ in range(_ROUNDS):
            drawn[hit] = self._propose(len(hit), 1).squeeze(1)
            hit = hit[self.positives.contain(users[hit], drawn[hit])]
        if len(hit):
            drawn[hit] = self.direct(users[hit], 1).squeeze(1)
        return drawn

    def by_rejection(self, users, m):
        """Draws looked up in the batch's positives; see the module's docstring."""
        mask = torch.zeros(len(users), self.n_items, dtype=torch.bool, device=users.device)
        mask[self.positives.of(users)] = True
        drawn = self._propose(len(users), m)
        hit = mask.gather(1, drawn).view(-1).nonzero().squeeze(1)
        drawn.view(-1)[hit] = self._one_each(users[hit // m])
        return drawn

    def shared(self, users, m, block):
        """Draws that ``block`` consecutive rows have in common, positives replaced row by row.

        Each row's negatives have the law of :meth:`forward`; only rows of one block are no longer
        independent of each other.

        Args:
            users: (B,) int64. m: M, draws a block. block: R >= 1, rows of a block.
        Returns:
            :class:`SharedDraw` on the CPU; elsewhere :class:`SpareDraw`, for which the device need
            not wait.
        """
        if self.noisy:
            raise ValueError("false negatives are drawn for every row, not for blocks of rows")
        if not waits.may_look(users.device):
            return self.with_spares(users, m, block)
        n_blocks = -(-len(users) // block)
        drawn = self._propose(n_blocks, m).sort(dim=1).values
        codes = (drawn + torch.arange(n_blocks).unsqueeze(1) * self.n_items).view(-1)  # ascending
        rows, items = self.positives.of(users)
        sought = rows.div(block, rounding_mode="floor") * self.n_items + items
        if n_blocks * self.n_items <= _MASK_CELLS:  # a look-up leaves few of them to search for
            present = torch.zeros(n_blocks * self.n_items, dtype=torch.bool)
            present[codes] = True
            found = present[sought].nonzero().squeeze(1)
            rows, sought = rows[found], sought[found]
        first = torch.searchsorted(codes, sought)
        times = torch.searchsorted(codes, sought, right=True) - first
        rows, first = rows.repeat_interleave(times), first.repeat_interleave(times)
        places = (
            first + torch.arange(len(rows)) - (times.cumsum(0) - times).repeat_interleave(times)
        )
        return SharedDraw(drawn, block, self._one_each(users[rows]), rows, places % m)

    def with_spares(self, users, m, block):
        """As :meth:`shared`, with as many spare draws a block as its rows may need.

        A row uses the first M draws of its block that are not among its positives. Should fewer
        than M be left, which :meth:`spares` makes unlikely, it uses those in turn, several times.
        """
        n_blocks = -(-len(users) // block)
        drawn = self._propose(n_blocks, m + self.spares(m))
        per_row = drawn.repeat_interleave(block, dim=0)[: len(users)]
        taken = self.positives.contain(users.unsqueeze(1), per_row)
        usable = taken.to(torch.uint8).argsort(dim=1, stable=True)  # columns, the usable ones first
        count = (~taken).sum(dim=1, keepdim=True)
        columns = usable.gather(1, torch.arange(m, device=users.device) % count.clamp(min=1))
        columns.masked_fill_(count == 0, drawn.shape[1])
        rows = torch.arange(len(users), device=users.device)
        return SpareDraw(drawn, block, self.direct(users, 1).squeeze(1), rows, columns)

    def spares(self, m):
        """E: spare draws for the user with the most positives, at most M.

        Of M + E draws a share p is taken for that user; E is the mean that misses, M p / (1 - p),
        and six standard deviations.
        """
        mean = m * self.most_taken / (1 - self.most_taken)
        return min(m, math.ceil(mean + 6 * math.sqrt(mean / (1 - self.most_taken))))

    def forward(self, users, m):
        """(B,) int64 user ids, m = M draws a row -> (B, M) int64 item ids on the same device."""
        small = len(users) * self.n_items <= _MASK_CELLS
        by_mask = waits.may_look(users.device) and small
        drawn = self.by_rejection(users, m) if by_mask else self.direct(users, m)
        return self._let_positives_in(users, drawn) if self.noisy else drawn

    def _let_positives_in(self, users, drawn):
        """Put a positive of the row's user in place of a share :attr:`noise` of (B, M) draws."""
        where = dict(generator=self.generator, device=users.device, dtype=torch.float64)
        chosen = torch.rand(drawn.shape, **where) < self.noise[users].unsqueeze(1)
        if not waits.may_look(users.device):
            return torch.where(chosen, self._a_positive(users.unsqueeze(1).expand_as(drawn)), drawn)
        rows, columns = chosen.nonzero(as_tuple=True)
        drawn[rows, columns] = self._a_positive(users[rows])
        return drawn

    def _a_positive(self, users):
        """One of each user's positives by the items' weights; of any shape."""
        where = dict(generator=self.generator, device=users.device, dtype=torch.float64)
        mass = self.taken[users]
        cells = (torch.rand(users.shape, **where) * mass).long().clamp_(max=mass - 1)
        place = torch.searchsorted(self.covered, self.before_user[users] + cells, right=True)
        return self.positives.items[place]
