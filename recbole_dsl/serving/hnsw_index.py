"""An index of the items by hnswlib: ``pip install recbole_dsl[hnswlib]``, by a C++ compiler."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from recbole_dsl.common.errors import UsageError, how_to_install
from recbole_dsl.serving.item_index import CONSTRUCTION, LINKS, SEARCHED, SEED, Array, ItemIndex


class HnswIndex(ItemIndex):
    """As :class:`~recbole_dsl.serving.item_index.ItemIndex`.

    Args:
        graph: hnswlib's, of all items. ef: candidates that a search keeps.
    """

    def __init__(self, graph: Any, ef: int) -> None:
        self._graph, self.ef = graph, ef
        graph.set_ef(ef)  # once: hnswlib keeps as many as are asked for if these are more

    @classmethod
    def build(cls, vectors: Array, ef: int = SEARCHED) -> "HnswIndex":
        """Built by several threads, it differs from time to time."""
        graph = _empty(vectors.shape[1])
        graph.init_index(
            max_elements=len(vectors), M=LINKS, ef_construction=CONSTRUCTION, random_seed=SEED
        )
        graph.add_items(vectors, np.arange(len(vectors)))
        return cls(graph, ef)

    @classmethod
    def load(cls, path: str | os.PathLike[str], size: tuple[int, int], ef: int) -> "HnswIndex":
        """hnswlib does not check what it reads."""
        graph = _empty(size[1])
        graph.load_index(str(path))
        if graph.get_current_count() != size[0]:
            raise UsageError(f"{path} has {graph.get_current_count()} items, not {size[0]}")
        return cls(graph, ef)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write hnswlib's own file."""
        self._graph.save_index(str(path))

    def __len__(self) -> int:
        return int(self._graph.get_current_count())

    def _search(self, queries: Array, k: int) -> tuple[Array, Array] | None:
        try:
            labels, distances = self._graph.knn_query(queries, k=k)
        except RuntimeError:
            return None
        return labels.astype(np.int64), 1 - distances

    @contextlib.contextmanager
    def _one_thread(self) -> Iterator[None]:
        before = self._graph.num_threads
        self._graph.set_num_threads(1)
        try:
            yield
        finally:
            self._graph.set_num_threads(before)


def _empty(dimensions: int) -> Any:
    try:
        import hnswlib
    except ModuleNotFoundError as error:
        raise UsageError(how_to_install("hnswlib")) from error
    return hnswlib.Index(space="ip", dim=dimensions)
