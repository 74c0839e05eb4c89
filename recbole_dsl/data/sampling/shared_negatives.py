"""Negatives drawn once for a block of consecutive rows, without any row's own positives.

Each row's negatives have the distribution of :mod:`recbole_dsl.data.sampling.independent`; those of
one block are not independent of each other.
"""

import math
from typing import NamedTuple, TypeAlias

import torch

from recbole_dsl.data.sampling.independent import (
    draw_directly,
    draw_from_all,
    draw_one_each,
    mask_is_cheap,
)
from recbole_dsl.data.sampling.tables import SamplingTables


class SharedNegatives(NamedTuple):
    """Items shared by the rows of a block; where one is a row's positive, the row has its own.

    Attributes:
        shared: (N, M) int64. Items of each of N blocks, ascending.
        block: R, how many consecutive rows a block has; the last one may have fewer.
        own: (C,) int64. The negatives that replace positives, ...
        rows, columns: (C,) int64. ... each at its row in [0, B) and column in [0, M).
    """

    shared: torch.Tensor
    block: int
    own: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def per_row(self, of_shared: torch.Tensor, of_own: torch.Tensor) -> torch.Tensor:
        """Values of each row's negatives, (B, M).

        Args:
            of_shared: values of each row's shared items, (B, M) or, where all blocks are full,
                (N, R, M). It is overwritten, and should be no view: autograd would copy it.
            of_own: (C,). Values of ``own``.
        """
        if of_shared.dim() == 2:
            return of_shared.index_put_((self.rows, self.columns), of_own)
        block = self.rows.div(self.block, rounding_mode="floor")
        place = (block, self.rows - block * self.block, self.columns)
        return of_shared.index_put_(place, of_own).flatten(0, 1)


class SharedWithSpares(NamedTuple):
    """Items shared by the rows of a block, more than M of them, of which a row uses M.

    Attributes:
        shared: (N, M + E) int64. Items of each of N blocks.
        block: R, how many consecutive rows a block has; the last one may have fewer.
        own: (B,) int64. A negative for each row, used where all items of its block are positives.
        rows: (B,) int64. 0 to B - 1.
        columns: (B, M) int64. The columns of ``shared`` each row uses; M + E stands for ``own``.
    """

    shared: torch.Tensor
    block: int
    own: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def per_row(self, of_shared: torch.Tensor, of_own: torch.Tensor) -> torch.Tensor:
        """Values of each row's negatives, (B, M).

        Args:
            of_shared: values of each row's shared items, (B, M + E) or, where all blocks are full,
                (N, R, M + E).
            of_own: (B,). Values of ``own``.
        """
        of_shared = of_shared.flatten(0, 1) if of_shared.dim() == 3 else of_shared
        return torch.cat([of_shared, of_own.unsqueeze(1)], dim=1).gather(1, self.columns)


# The negatives of B rows: ids (B, M), or shared in blocks.
Negatives: TypeAlias = torch.Tensor | SharedNegatives | SharedWithSpares


def negative_ids(negatives: Negatives, n_rows: int) -> torch.Tensor:
    """The item ids of the negatives of B = n_rows rows, (B, M)."""
    if isinstance(negatives, torch.Tensor):
        return negatives
    of_rows = negatives.shared.repeat_interleave(negatives.block, dim=0)[:n_rows].clone()
    return negatives.per_row(of_rows, negatives.own)


def draw_shared(
    tables: SamplingTables,
    users: torch.Tensor,
    m: int,
    block: int,
    generator: torch.Generator | None,
) -> SharedNegatives:
    """M items a block; a row's positives among them are replaced one by one. For the CPU alone.

    Args:
        users: (B,) int64. m: M. block: R >= 1.
    """
    n_blocks, n_items = -(-len(users) // block), tables.n_items
    shared = draw_from_all(tables, n_blocks, m, generator).sort(dim=1).values
    codes = (shared + torch.arange(n_blocks).unsqueeze(1) * n_items).view(-1)  # ascending
    rows, items = tables.positives.of(users)
    sought = rows.div(block, rounding_mode="floor") * n_items + items
    if mask_is_cheap(n_blocks, n_items):  # a look-up leaves few of them to search for
        present = torch.zeros(n_blocks * n_items, dtype=torch.bool)
        present[codes] = True
        found = present[sought].nonzero().squeeze(1)
        rows, sought = rows[found], sought[found]
    first = torch.searchsorted(codes, sought)
    times = torch.searchsorted(codes, sought, right=True) - first  # an item may come several times
    rows, first = rows.repeat_interleave(times), first.repeat_interleave(times)
    places = first + torch.arange(len(rows)) - (times.cumsum(0) - times).repeat_interleave(times)
    own = draw_one_each(tables, users[rows], generator)
    return SharedNegatives(shared, block, own, rows, places % m)


def draw_with_spares(
    tables: SamplingTables,
    users: torch.Tensor,
    m: int,
    block: int,
    generator: torch.Generator | None,
) -> SharedWithSpares:
    """M items a block and as many spare ones as its rows may need; no shape depends on values.

    A row uses the first M items of its block that are not among its positives. Should fewer than M
    be left, which :func:`n_spares` makes unlikely, it uses those in turn, several times.

    Args:
        users: (B,) int64. m: M. block: R >= 1.
    """
    n_blocks = -(-len(users) // block)
    shared = draw_from_all(tables, n_blocks, m + n_spares(tables, m), generator)
    of_rows = shared.repeat_interleave(block, dim=0)[: len(users)]
    taken = tables.positives.contain(users.unsqueeze(1), of_rows)
    usable = taken.to(torch.uint8).argsort(dim=1, stable=True)  # columns, the usable ones first
    count = (~taken).sum(dim=1, keepdim=True)
    columns = usable.gather(1, torch.arange(m, device=users.device) % count.clamp(min=1))
    columns.masked_fill_(count == 0, shared.shape[1])
    rows = torch.arange(len(users), device=users.device)
    own = draw_directly(tables, users, 1, generator).squeeze(1)
    return SharedWithSpares(shared, block, own, rows, columns)


def n_spares(tables: SamplingTables, m: int) -> int:
    """E: spare items of a block, for the user with the most positives; at most M.

    Of M + E items a share p are that user's positives. E is their mean number while M negatives are
    found, M p / (1 - p), and six standard deviations.
    """
    mean = m * tables.most_taken / (1 - tables.most_taken)
    return min(m, math.ceil(mean + 6 * math.sqrt(mean / (1 - tables.most_taken))))
