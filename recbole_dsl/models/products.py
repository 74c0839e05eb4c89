"""Scores of (B, M) negatives without their (B, M, D) vectors. Imports torch only."""

import torch

# Floats of the buffer that holds a few rows' scores of all items: 2 MiB, a core's second cache.
_CACHE = 1 << 19
# Rows at a time at least, or the item table would be read anew for hardly any work.
_ROWS = 64


def by_block(vectors, shared, block):
    """Products of (B, D) vectors, in blocks of R rows, with the block's own (N, M, D).

    Returns:
        (B, M), or (N, R, M) where there are several blocks and all are full; no view of anything.
    """
    if len(shared) == 1:
        return vectors @ shared[0].T
    whole = len(vectors) // block
    head = vectors[: whole * block].view(whole, block, -1) @ shared[:whole].mT
    if whole == len(shared):
        return head
    return torch.cat([head.flatten(0, 1), vectors[whole * block :] @ shared[whole].T])


def by_row(vectors, table, ids):
    """Products of (B, D) vectors with the rows ``ids`` (B, M) of a table (I, D), (B, M).

    All items are scored and the M of each row picked out. On a CPU that is done for a few rows at a
    time, so that the (B, I) scores and their gradient stay in the cache: there and back took 0.7 of
    the time (8,361 items, 2 threads).
    """
    if vectors.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return (vectors @ table.T).gather(1, ids).to(vectors.dtype)
    return _ByRow.apply(vectors, table, ids)


def _parts(n_rows, table):
    """Slices of rows, each with a buffer (b, I) for their scores."""
    size = min(max(_CACHE // len(table), _ROWS), n_rows)
    buffer = table.new_empty(size, len(table))
    for start in range(0, n_rows, size):
        stop = min(start + size, n_rows)
        yield slice(start, stop), buffer[: stop - start]


class _ByRow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vectors, table, ids):
        ctx.save_for_backward(vectors, table, ids)
        found = vectors.new_empty(ids.shape)
        for rows, scores in _parts(len(ids), table):
            torch.mm(vectors[rows], table.T, out=scores)
            torch.gather(scores, 1, ids[rows], out=found[rows])
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        vectors, table, ids = ctx.saved_tensors
        to_vectors, to_table = torch.empty_like(vectors), torch.zeros_like(table)
        for rows, scores in _parts(len(ids), table):
            scores.zero_().scatter_add_(1, ids[rows], grad[rows])
            torch.mm(scores, table, out=to_vectors[rows])
            to_table.addmm_(scores.T, vectors[rows])
        return to_vectors, to_table, None
