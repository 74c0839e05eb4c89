"""An index of the items by hnswlib, which finds nearly all of the best ones without scoring all.

Malkov and Yashunin, TPAMI 2020. The package is optional: ``pip install recbole_dsl[hnswlib]``.
"""

import os
import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recbole_dsl.common.errors import UsageError, how_to_install
from recbole_dsl.serving.top_k import Top, queries_per_call, top_k

Array = npt.NDArray[Any]
LINKS, CONSTRUCTION = 32, 200  # hnswlib's M and ef_construction
SEARCHED = 200  # its ef: candidates that a search keeps
_MEASURED = 1_000  # queries at most
_SEED = 100


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


class HnswIndex:
    """The items of a model by inner product.

    Args:
        graph: hnswlib's, of all items.
        ef: candidates that a search keeps, or more where more items are asked for; an attribute.
    """

    def __init__(self, graph: Any, ef: int) -> None:
        self._graph, self.ef = graph, ef

    @classmethod
    def build(cls, vectors: Array, ef: int = SEARCHED) -> "HnswIndex":
        """An index of (I, D) vectors; built by several threads, it differs from time to time.

        Raises:
            UsageError: hnswlib is not installed.
        """
        graph = _empty(vectors.shape[1])
        graph.init_index(
            max_elements=len(vectors), M=LINKS, ef_construction=CONSTRUCTION, random_seed=_SEED
        )
        graph.add_items(vectors, np.arange(len(vectors)))
        return cls(graph, ef)

    @classmethod
    def load(cls, path: str | os.PathLike[str], size: tuple[int, int], ef: int) -> "HnswIndex":
        """An index from its file, which must be what was written: hnswlib does not check it.

        Raises:
            UsageError: hnswlib is not installed, or the file is of another number of items.
        """
        graph = _empty(size[1])
        graph.load_index(str(path))
        if graph.get_current_count() != size[0]:
            raise UsageError(f"{path} has {graph.get_current_count()} items, not {size[0]}")
        return cls(graph, ef)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write hnswlib's own file."""
        self._graph.save_index(str(path))

    def top_k(self, queries: Array, k: int, excluded: tuple[Array, Array]) -> Top:
        """As :func:`recbole_dsl.serving.top_k.top_k`, but some of the best may be missing.

        So many more are searched as a query excludes; it may get fewer than k.
        """
        rows, items = excluded
        size = self._graph.get_current_count()
        most = int(np.bincount(rows).max()) if len(rows) else 0
        asked = min(k + most, size)
        self._graph.set_ef(max(self.ef, asked))
        try:
            labels, distances = self._graph.knn_query(queries, k=asked)
        except RuntimeError as error:  # the graph has parts that no link leads to
            raise UsageError(
                f"the index does not find {asked} items; a recommender without it does"
            ) from error
        labels = labels.astype(np.int64)
        codes = np.arange(len(queries))[:, None] * size + labels
        left = ~np.isin(codes, rows * size + items)
        place = left.cumsum(axis=1) - 1
        row, column = np.nonzero(left & (place < k))
        found = np.full((len(queries), min(k, size)), -1, np.int64)
        scores = np.full(found.shape, -np.inf, queries.dtype)
        at = place[row, column]
        found[row, at] = labels[row, column]
        scores[row, at] = 1 - distances[row, column]
        return Top(found, scores)

    def measure(self, users: Array, items: Array, k: int) -> Measured:
        """Compare with exact search for at most 1,000 users.

        Args:
            users, items: (U, D), (I, D). k: items of each query.
        """
        chosen = np.random.default_rng(_SEED).permutation(len(users))[:_MEASURED]
        queries, k = users[chosen], min(k, len(items))
        nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
        step = queries_per_call(len(items), k)
        self._graph.set_num_threads(1)
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


def _empty(dimensions: int) -> Any:
    try:
        import hnswlib
    except ModuleNotFoundError as error:
        raise UsageError(how_to_install("hnswlib")) from error
    return hnswlib.Index(space="ip", dim=dimensions)
