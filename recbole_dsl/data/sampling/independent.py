"""Negatives drawn for every row independently, in two ways that have the same distribution.

Directly: draw a cell r in [0, n_u) of the line without the user's positives (see
:mod:`recbole_dsl.data.sampling.tables`). r plus the cells of the positives before it is a cell of
the whole line. How many positives lie before it is found by one binary search among the user's.
No shape depends on values, and no mask of users x items is made.

By rejection: draw from the whole line, look the items up in the batch's (B, I) mask of positives,
and draw those that are positives again, after a few rounds directly. Every negative is kept with
the same probability, so the distribution is the same. On a CPU the look-up takes a twentieth of the
time of the binary search; on a GPU the number of items to draw again would have to be awaited.
"""

import torch

from recbole_dsl.data.sampling.tables import SamplingTables

# Above this many cells the mask of positives costs more than the binary search.
_LARGEST_MASK = 1 << 26
# Rounds of drawing again before the rest is drawn directly.
_ROUNDS = 2


def mask_is_cheap(n_rows: int, n_items: int) -> bool:
    """Whether looking items up in a mask of (n_rows, n_items) is faster than searching for them."""
    return n_rows * n_items <= _LARGEST_MASK


def draw_directly(
    tables: SamplingTables, users: torch.Tensor, m: int, generator: torch.Generator | None
) -> torch.Tensor:
    """(B,) int64 users -> (B, M) int64 negatives, by one binary search each."""
    starts, left = tables.positives.starts[users], tables.left[users].unsqueeze(1)
    # float64: a float32 draw has 24 random bits, fewer than there are cells
    part = torch.rand(len(users), m, generator=generator, device=users.device, dtype=torch.float64)
    cells = (part * left).long().clamp_(max=left - 1)
    sought = users.unsqueeze(1) * (tables.total + 1) + cells
    # How many of the user's positives lie before the cell, by a search in the keys of all users.
    passed = torch.searchsorted(tables.keys, sought, right=True) - starts.unsqueeze(1)
    cut = tables.cut[(starts.unsqueeze(1) + passed - 1).clamp_(min=0)]
    cells += cut.masked_fill_(passed == 0, 0)
    return tables.items_at(cells)


def draw_by_rejection(
    tables: SamplingTables, users: torch.Tensor, m: int, generator: torch.Generator | None
) -> torch.Tensor:
    """(B,) int64 users -> (B, M) int64 negatives, looked up in the batch's positives."""
    mask = torch.zeros(len(users), tables.n_items, dtype=torch.bool, device=users.device)
    mask[tables.positives.of(users)] = True
    drawn = draw_from_all(tables, len(users), m, generator)
    hit = mask.gather(1, drawn).view(-1).nonzero().squeeze(1)
    drawn.view(-1)[hit] = draw_one_each(tables, users[hit // m], generator)
    return drawn


def draw_from_all(
    tables: SamplingTables, n_rows: int, m: int, generator: torch.Generator | None
) -> torch.Tensor:
    """(n_rows, M) int64 items, positives among them."""
    device = tables.ends.device
    cells = torch.randint(tables.total, (n_rows, m), generator=generator, device=device)
    return tables.items_at(cells)


def draw_one_each(
    tables: SamplingTables, users: torch.Tensor, generator: torch.Generator | None
) -> torch.Tensor:
    """One negative for each of (C,) users, (C,): a few rounds of rejection, then directly."""
    drawn = draw_from_all(tables, len(users), 1, generator).squeeze(1)
    hit = tables.positives.contain(users, drawn).nonzero().squeeze(1)
    for _ in range(_ROUNDS):
        drawn[hit] = draw_from_all(tables, len(hit), 1, generator).squeeze(1)
        hit = hit[tables.positives.contain(users[hit], drawn[hit])]
    if len(hit):
        drawn[hit] = draw_directly(tables, users[hit], 1, generator).squeeze(1)
    return drawn
