"""What the indexes of items have in common: nearly all of the best ones, without scoring all.

Each is a graph of links between near items (HNSW: Malkov and Yashunin, TPAMI 2020), which a search
walks through. The packages are optional.
"""

import abc
import contextlib
import os
import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving.top_k import Top, queries_per_call, top_k

Array = npt.NDArray[Any]
LINKS, CONSTRUCTION = 32, 200  # of an item; candidates that are kept while an item is added
SEARCHED = 200  # candidates that a search keeps
SEED = 100
_MEASURED = 1_000  # queries at most


class Measured(NamedTuple):
    """How an index does beside exact search, without seen items left out.

    Attributes:
        k: items of each query. queries: how many, users drawn at random.
        recall: share of the k best items that it finds, mean over queries.
        queries_per_second, exact_per_second: of the index on one thread, and of exact search on
            as many as NumPy takes.
    """

    k: int
    queries: int
    recall: float
    queries_per_second: float
    exact_per_second: float


class ItemIndex(abc.ABC):
    """The items of a model by inner product; several threads may search it.

    Attributes:
        ef: candidates that a search keeps, or more where more items are asked for.
    """

    ef: int

    @classmethod
    @abc.abstractmethod
    def build(cls, vectors: Array, ef: int = SEARCHED) -> "ItemIndex":
        """An index of (I, D) vectors.

        Raises:
            UsageError: its package is not installed.
        """

    @classmethod
    @abc.abstractmethod
    def load(cls, path: str | os.PathLike[str], size: tuple[int, int], ef: int) -> "ItemIndex":
        """An index from its file, which must be what was written: its package does not check it.

        Args:
            size: (I, D).
        Raises:
            UsageError: its package is not installed, or the file is of another number of items.
        """

    @abc.abstractmethod
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the package's own file."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of items."""

    @abc.abstractmethod
    def _search(self, queries: Array, k: int) -> tuple[Array, Array] | None:
        """(B, k) positions of items and their scores, best first; None: it finds fewer."""

    @abc.abstractmethod
    def _one_thread(self) -> contextlib.AbstractContextManager[object]:
        """While it lasts, searches take one thread."""

    def top_k(self, queries: Array, k: int, excluded: tuple[Array, Array]) -> Top:
        """As :func:`recbole_dsl.serving.top_k.top_k`, but some of the best may be missing.

        So many more are searched as a query excludes; it may get fewer than k.

        Raises:
            UsageError: the graph has parts that no link leads to.
        """
        rows, items = excluded
        most = int(np.bincount(rows).max()) if len(rows) else 0
        asked = min(k + most, len(self))
        answer = self._search(queries, asked)
        if answer is None:
            raise UsageError(
                f"the index does not find {asked} items; a recommender without it does"
            )
        labels, values = answer
        codes = np.arange(len(queries))[:, None] * len(self) + labels
        left = ~np.isin(codes, rows * len(self) + items)
        place = left.cumsum(axis=1) - 1
        row, column = np.nonzero(left & (place < k))
        found = np.full((len(queries), min(k, len(self))), -1, np.int64)
        scores = np.full(found.shape, -np.inf, queries.dtype)
        at = place[row, column]
        found[row, at] = labels[row, column]
        scores[row, at] = values[row, column]
        return Top(found, scores)

    def measure(self, users: Array, items: Array, k: int) -> Measured:
        """Compare with exact search for at most 1,000 users.

        Args:
            users, items: (U, D), (I, D). k: items of each query.
        """
        chosen = np.random.default_rng(SEED).permutation(len(users))[:_MEASURED]
        queries, k = users[chosen], min(k, len(items))
        nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
        step = queries_per_call(len(items), k)
        with self._one_thread():
            started = time.perf_counter()
            found = self.top_k(queries, k, nothing).items
            took = time.perf_counter() - started
        started = time.perf_counter()
        exact = np.concatenate(
            [
                top_k(queries[at : at + step], items, k, nothing).items
                for at in range(0, len(queries), step)
            ]
        )
        took_exact = time.perf_counter() - started
        hits = sum(np.isin(a, b).sum() for a, b in zip(exact, found, strict=True))
        number = len(queries)
        recall = float(hits / (number * k))
        return Measured(k, number, recall, number / took, number / took_exact)
