"""The k items with the largest inner products of each query, exact and in bounded memory, by NumPy.

Items come in blocks. A query keeps its k best so far, and of a new block only what is above the
worst of them is looked at. Equal scores are ranked in the order of the items, whatever the blocks.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ITEMS = 1 << 14  # of a block at most
SCORES = 1 << 22  # of a block, 16 MiB in float32
_GROUP = 16  # scores whose largest is taken to find where to begin


class Top(NamedTuple):
    """The best items of B queries.

    Attributes:
        items: (B, k) int64. Positions of items, best first; -1 where there are fewer than k.
        scores: (B, k), of the queries' type; -inf there.
    """

    items: npt.NDArray[np.int64]
    scores: Array


def queries_per_call(n_items: int, k: int) -> int:
    """For how many queries a block of scores, or their k best of all, has room."""
    return max(SCORES // max(min(n_items, max(ITEMS, k)), 1), 1)


def top_k(queries: Array, items: Array, k: int, excluded: tuple[Array, Array]) -> Top:
    """Rank items by inner product.

    Args:
        queries: (B, D); memory is bounded by :data:`SCORES` for at most :func:`queries_per_call`.
        items: (I, D), of their type.
        k: at least 1.
        excluded: (P,) rows of queries, (P,) items: pairs that are not ranked.
    """
    k = min(k, max(len(items), 1))
    found = np.full((len(queries), k), -1, np.int64)
    best = np.full((len(queries), k), -np.inf, queries.dtype)
    order = np.argsort(excluded[1], kind="stable")
    rows, columns = excluded[0][order], excluded[1][order]
    buffer = np.empty(len(queries) * min(len(items), ITEMS), queries.dtype)
    for start in range(0, len(items), ITEMS):
        block = items[start : start + ITEMS]
        scores = buffer[: len(queries) * len(block)].reshape(len(queries), len(block))
        np.matmul(queries, block.T, out=scores)
        first, last = np.searchsorted(columns, [start, start + len(block)])
        scores[rows[first:last], columns[first:last] - start] = -np.inf
        if start == 0:
            hits = np.flatnonzero(scores >= _lower_bound(scores, k)[:, None])
        else:  # an equal score is of a later item, and loses
            hits = np.flatnonzero(scores > best[:, -1:])
        _merge(found, best, scores, hits, start)
    return Top(found, best)


def _lower_bound(scores: Array, k: int) -> Array:
    """(B,) At most the k-th largest score of each row, and near it.

    The k-th largest of maxima over groups is one: k groups have a score that is as large.
    """
    width = scores.shape[1]
    if width <= k:
        return np.full(len(scores), -np.inf)
    groups = width // _GROUP
    if groups >= 2 * k:
        parts = scores[:, : groups * _GROUP].reshape(len(scores), _GROUP, groups)
        scores, width = parts.max(axis=1), groups
    place = width - k
    return np.partition(scores, place, axis=1)[:, place]


def _merge(found: Array, best: Array, scores: Array, hits: Array, start: int) -> None:
    """Let the scores at flat places of a block compete with the best so far, in place."""
    values = scores.reshape(-1)[hits]
    rows, items = hits // scores.shape[1], hits % scores.shape[1] + start
    finite = values > -np.inf
    values, rows, items = values[finite], rows[finite], items[finite]
    if len(values) == 0:
        return
    kept = np.flatnonzero(found.reshape(-1) >= 0)
    k = found.shape[1]
    rows = np.concatenate((kept // k, rows))
    items = np.concatenate((found.reshape(-1)[kept], items))
    values = np.concatenate((best.reshape(-1)[kept], values))
    order = np.lexsort((items, -values, rows))
    rows = rows[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    order, rows, place = order[place < k], rows[place < k], place[place < k]
    found[rows, place], best[rows, place] = items[order], values[order]
