"""An index of the items by Faiss: ``pip install recbole_dsl[faiss]``, which is faiss-cpu, a wheel.

Douze et al., The Faiss library, 2024. The same graph as hnswlib's, searched about as fast. The
wheel brings an OpenMP of its own beside torch's. On Linux, where both are libgomp under two names,
a process that computes with both does so rightly (tests/serving/test_export.py) and no slower.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from recbole_dsl.common.errors import UsageError, how_to_install
from recbole_dsl.serving.item_index import CONSTRUCTION, LINKS, SEARCHED, Array, ItemIndex


class FaissIndex(ItemIndex):
    """As :class:`~recbole_dsl.serving.item_index.ItemIndex`.

    Args:
        graph: a ``faiss.IndexHNSWFlat`` of all items. ef: candidates that a search keeps.
    """

    def __init__(self, graph: Any, ef: int) -> None:
        self._graph, self.ef = graph, ef

    @classmethod
    def build(cls, vectors: Array, ef: int = SEARCHED) -> "FaissIndex":
        """Built by several threads, it differs from time to time."""
        faiss = _faiss()
        graph = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = CONSTRUCTION
        graph.add(_floats(vectors))
        return cls(graph, ef)

    @classmethod
    def load(cls, path: str | os.PathLike[str], size: tuple[int, int], ef: int) -> "FaissIndex":
        """Faiss checks little of what it reads."""
        faiss = _faiss()
        try:
            graph = faiss.read_index(str(path))
        except RuntimeError as error:
            raise UsageError(f"{path} is no index that this version of Faiss reads") from error
        found = type(graph).__name__, graph.ntotal, graph.d
        if found != ("IndexHNSWFlat", *size):
            raise UsageError(
                f"{path} has {found[0]} of {found[1]} items and {found[2]} dimensions, not "
                f"IndexHNSWFlat of {size[0]} and {size[1]}"
            )
        return cls(graph, ef)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write Faiss's own file."""
        _faiss().write_index(self._graph, str(path))

    def __len__(self) -> int:
        return int(self._graph.ntotal)

    def _search(self, queries: Array, k: int) -> tuple[Array, Array] | None:
        settings = _faiss().SearchParametersHNSW(efSearch=max(self.ef, k))
        scores, labels = self._graph.search(_floats(queries), k, params=settings)
        return None if (labels < 0).any() else (labels, scores)

    @contextlib.contextmanager
    def _one_thread(self) -> Iterator[None]:
        faiss = _faiss()
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            yield
        finally:
            faiss.omp_set_num_threads(before)


def _floats(vectors: Array) -> Array:
    return np.ascontiguousarray(vectors, np.float32)


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise UsageError(how_to_install("faiss")) from error
    return faiss
