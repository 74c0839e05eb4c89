"""The inner steps of RecBole's coverage metrics, on arrays. Imports numpy only.

RecBole looks up each of the N * K places of the lists in a Python dict or list. Each function here
takes and returns what RecBole's method of the same name does, and gives the same numbers; formulas
and edge cases are RecBole's (``recbole/evaluator/metrics.py``). ``items`` is (N, K) int, the lists.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]


def coverage(items: Ints, n_items: int) -> float:
    """Share of the n_items ids that occur in the lists."""
    return int(np.count_nonzero(np.bincount(items.ravel()))) / n_items


def popularity(items: Ints, counts: Mapping[int, int]) -> Ints:
    """(N, K) int: the training rows of each item of the lists. counts: item id -> rows."""
    return _table(items, counts.keys(), counts.values())[items]


def entropy(items: Ints) -> float:
    """Entropy of how often items occur in the lists, in nats, over the number that do."""
    times = np.bincount(items.ravel())
    times = times[times > 0]
    share = times / items.size
    result: float = -(share * np.log(share)).sum() / len(times)
    return result


def gini(items: Ints, n_items: int) -> float:
    """Gini index of how often each of n_items ids occurs in the lists.

    The formula is that of :func:`recbole_dsl.data.splitting.statistics.gini`, but for the order of
    its divisions, which is RecBole's: the two differ in the last digit.
    """
    times = np.sort(np.bincount(items.ravel()))
    times = times[times > 0]
    place = np.arange(n_items - len(times) + 1, n_items + 1)
    result: float = np.sum((2 * place - n_items - 1) * times) / items.size / n_items
    return result


def tail(items: Ints, counts: Mapping[int, int], ratio: float) -> Ints:
    """(N, K) 0 or 1: whether each item of the lists is of the tail.

    Args:
        counts: item id -> training rows, of the items that have any.
        ratio: above 1, items with at most that many rows; else that share of the items, those with
            the fewest rows first, of equals the lowest ids, at least one item.
    """
    ids, rows = (np.fromiter(side, np.int64, len(counts)) for side in (counts, counts.values()))
    if ratio > 1:
        of_tail = ids[rows <= ratio]
    else:
        of_tail = ids[np.lexsort((ids, rows))][: max(int(len(ids) * ratio), 1)]
    return _table(items, of_tail, np.ones(len(of_tail)))[items]


def _table(items: Ints, ids: Collection[int], values: Collection[int]) -> Ints:
    """(I,) of the lists' type: values at ids, 0 elsewhere."""
    ids = np.fromiter(ids, np.int64, len(ids))
    largest = max(ids.max(initial=0), items.max(initial=0))
    table = np.zeros(largest + 1, items.dtype)
    table[ids] = np.fromiter(values, np.int64, len(ids))
    return table
