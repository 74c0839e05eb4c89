"""Scores of (B, M) negatives without their (B, M, D) vectors."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch.nn.functional import embedding_bag

from recbole_dsl.data.sampling.all_items import AllItems

# Floats of the buffer that holds a few rows' scores of all items: 2 MiB, the size of an L2 cache.
_CACHE = 1 << 19
# Rows at a time at least: with fewer, reading the item table takes longer than the products.
_ROWS = 64
# Rows at a time for each thread where all items are scored and kept: one product of 2,048 rows
# takes 1.1 (two threads) to 1.6 times as long (one).
_ROWS_OF_ALL = 128
# Where there are more items than this for each negative of a row, scoring all of them takes longer
# than scoring the row's own, and the gradient by all scores longer than by sorting (64 dimensions,
# 2 threads).
_SAMPLE, _SORT = 7, 12


def by_block(vectors: torch.Tensor, shared: torch.Tensor, block: int) -> torch.Tensor:
    """Products of (B, D) vectors, in N blocks of R rows, with their block's own (N, M, D).

    Returns:
        (B, M), or (N, R, M) where there are several blocks and all are full; never a view.
    """
    if len(shared) == 1:
        return vectors @ shared[0].T
    whole = len(vectors) // block
    head = vectors[: whole * block].view(whole, block, -1) @ shared[:whole].mT
    if whole == len(shared):
        return head
    return torch.cat([head.flatten(0, 1), vectors[whole * block :] @ shared[whole].T])


def by_all(vectors: torch.Tensor, table: torch.Tensor, columns: AllItems | None) -> torch.Tensor:
    """Products of (B, D) vectors with all rows of (I, D) but the padding item's, (B, I - 1).

    Args:
        columns: says which cells become -inf; None: none. No gradient may come back for them, nor
            does one from a log-sum-exp.
    """
    if not _plain(vectors):
        scores = (vectors @ table[1:].T).to(vectors.dtype)
        return scores if columns is None else columns.leave_out(scores)
    found: torch.Tensor = _ByAll.apply(vectors, table[1:], columns)
    return found


def _plain(vectors: torch.Tensor) -> bool:
    """Whether products are made on a CPU and in full precision, by the functions below."""
    full = vectors.dtype in (torch.float32, torch.float64)
    return full and vectors.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


class _ByAll(torch.autograd.Function):
    """``vectors @ table.T``, a few rows at a time.

    The gradient for the table is made as ``vectors.T @ grad``: ``grad.T @ vectors``, its transpose,
    takes up to twice as long, since it reads (B, M) against the order in which it lies. Where cells
    are left out, their gradient is taken to be 0, as promised.
    """

    @staticmethod
    def forward(
        ctx: Any, vectors: torch.Tensor, table: torch.Tensor, columns: AllItems | None
    ) -> torch.Tensor:
        ctx.save_for_backward(vectors, table)
        scores, items = vectors.new_empty(len(vectors), len(table)), table.T.contiguous()
        for rows in _slices(len(vectors), _ROWS_OF_ALL * torch.get_num_threads()):
            torch.mm(vectors[rows], items, out=scores[rows])
        return scores if columns is None else columns.leave_out(scores)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        vectors, table = ctx.saved_tensors
        return grad @ table, (vectors.T @ grad).T.contiguous(), None


def by_row(vectors: torch.Tensor, table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Products of (B, D) vectors with the rows ``ids`` (B, M) of a table (I, D), (B, M).

    On a CPU, where the table is much longer than M, the M products of each row are made one by one:
    the cost is that of B M products, however many items there are. Otherwise all items are scored
    and the M of each row picked out, on a CPU for a few rows at a time, so that the (B, I) scores
    and their gradient stay in the cache: both passes took 0.7 of the time (8,361 items, 2 threads).
    """
    if not _plain(vectors):
        return (vectors @ table.T).gather(1, ids).to(vectors.dtype)
    scores: torch.Tensor = _ByRow.apply(vectors, table, ids)
    return scores


def _slices(n_rows: int, size: int) -> list[slice]:
    """Slices of so many rows, the last one with what is left."""
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def _parts(n_rows: int, table: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Slices of rows, each with a buffer (b, I) for their scores."""
    slices = _slices(n_rows, max(_CACHE // len(table), _ROWS))
    buffer = table.new_empty(slices[0].stop, len(table))
    for rows in slices:
        yield rows, buffer[: rows.stop - rows.start]


def _sampled(vectors: torch.Tensor, table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """As :func:`by_row`, one product after another: what a sparse matrix's entries would be.

    The ids of a row are neither sorted nor distinct, which CSR promises and this product does not
    need; torch checks no invariants unless told to.
    """
    n_rows, m = ids.shape
    with warnings.catch_warnings():
        # torch announces once that its CSR layout is in beta.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        pattern = torch.sparse_csr_tensor(
            torch.arange(0, n_rows * m + 1, m),
            ids.reshape(-1),
            vectors.new_zeros(n_rows * m),
            size=(n_rows, len(table)),
            check_invariants=False,
        )
    return torch.sparse.sampled_addmm(pattern, vectors, table.T, beta=0.0).values().view(n_rows, m)


def _transposed(
    weights: torch.Tensor, ids: torch.Tensor, vectors: torch.Tensor, n_items: int
) -> torch.Tensor:
    """Sum of weights (B, M) times their rows' vectors (B, D) for each of I items, (I, D).

    SciPy's counting sort brings the weights of an item together; torch would compare and sort.
    """
    n_rows, m = ids.shape
    index = (
        ids.reshape(-1).numpy().astype(np.int32),
        np.arange(0, n_rows * m + 1, m, dtype=np.int32),
    )
    by_item = csr_matrix((weights.reshape(-1).numpy(), *index), shape=(n_rows, n_items)).tocsc()
    rows, starts, weights = map(torch.from_numpy, (by_item.indices, by_item.indptr, by_item.data))
    return embedding_bag(
        rows, vectors, starts, per_sample_weights=weights, mode="sum", include_last_offset=True
    )


class _ByRow(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vectors: torch.Tensor, table: torch.Tensor, ids: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(vectors, table, ids)
        if len(table) > _SAMPLE * ids.shape[1]:
            return _sampled(vectors, table, ids)
        found = vectors.new_empty(ids.shape)
        for rows, scores in _parts(len(ids), table):
            torch.mm(vectors[rows], table.T, out=scores)
            torch.gather(scores, 1, ids[rows], out=found[rows])
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        vectors, table, ids = ctx.saved_tensors
        # Sums of M weighted vectors, 0.4 times as long as the product of (B, I) with the table.
        to_vectors = embedding_bag(ids, table, per_sample_weights=grad.contiguous(), mode="sum")
        if len(table) > _SORT * ids.shape[1]:
            return to_vectors, _transposed(grad, ids, vectors, len(table)), None
        to_table = torch.zeros_like(table)
        for rows, scores in _parts(len(ids), table):
            scores.zero_().scatter_add_(1, ids[rows], grad[rows])
            to_table.addmm_(scores.T, vectors[rows])
        return to_vectors, to_table, None
