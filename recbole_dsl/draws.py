"""What blocks of rows have in common of their negatives. Imports torch only."""

from typing import NamedTuple

import torch


class SharedDraw(NamedTuple):
    """Negatives drawn once for every block of rows, a row's own positives replaced one by one.

    Attributes:
        drawn: (N, M) int64. Items of each of N blocks, ascending.
        block: R, how many consecutive rows a block has; the last one may have fewer.
        own: (C,) int64. The negatives that take the place of positives, ...
        rows, columns: (C,) int64. ... and their places.
    """

    drawn: torch.Tensor
    block: int
    own: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def per_row(self, shared, own):
        """What each row has of values of its block's items and of ``own`` (C,): (B, M).

        ``shared``, (B, M) or, where all blocks are full, (N, R, M), is overwritten: it should be no
        view, of which autograd would make a copy.
        """
        if shared.dim() == 2:
            return shared.index_put_((self.rows, self.columns), own)
        block = self.rows.div(self.block, rounding_mode="floor")
        place = (block, self.rows - block * self.block, self.columns)
        return shared.index_put_(place, own).flatten(0, 1)


class SpareDraw(NamedTuple):
    """Negatives drawn once for every block of rows, with spares in place of a row's positives.

    Attributes:
        drawn: (N, M + E) int64. Items of each of N blocks.
        block: R, how many consecutive rows a block has; the last one may have fewer.
        own: (B,) int64. A negative for each row should all those of its block be positives.
        rows: (B,) int64. 0 to B - 1.
        columns: (B, M) int64. The columns each row uses; M + E stands for its own.
    """

    drawn: torch.Tensor
    block: int
    own: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def per_row(self, shared, own):
        """What each row has of values of its block's items and of its own (B,): (B, M).

        ``shared`` is (B, M + E) or, where all blocks are full, (N, R, M + E).
        """
        shared = shared.flatten(0, 1) if shared.dim() == 3 else shared
        return torch.cat([shared, own.unsqueeze(1)], dim=1).gather(1, self.columns)


def draw_ids(draw, n_rows):
    """The item ids of a draw for (B,) rows, (B, M)."""
    if isinstance(draw, torch.Tensor):
        return draw
    return draw.per_row(draw.drawn.repeat_interleave(draw.block, dim=0)[:n_rows].clone(), draw.own)
