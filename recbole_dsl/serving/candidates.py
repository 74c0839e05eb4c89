"""The items that may be recommended, the best of them, and tables of these."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving.ids import Ids
from recbole_dsl.serving.top_k import Top, queries_per_call, top_k

Array = npt.NDArray[Any]
Filter = Callable[[Array], Array] | Array | None


class Search(Protocol):
    """Finds the best items of a catalogue without scoring all, perhaps not exactly."""

    def top_k(self, queries: Array, k: int, excluded: tuple[Array, Array]) -> Top:
        """As :func:`recbole_dsl.serving.top_k.top_k`."""


class Candidates(NamedTuple):
    """The items that may be recommended.

    Attributes:
        ids: (I,) object. Ids of all items.
        vectors: (C, D). Of the candidates.
        positions: (C,) int64, ascending. Which of the items they are; None: all.
        search: finds the best ones; None: all are scored.
    """

    ids: Array
    vectors: Array
    positions: npt.NDArray[np.int64] | None = None
    search: Search | None = None

    def restricted(self, known: Ids, items: Any, filter: Filter) -> "Candidates":
        """The candidates among some items, of which a filter leaves some.

        Args:
            known: all items. items: ids; None: all. filter: (I,) booleans, or a function that is
                given all ids and returns them; None: no filter.
        Raises:
            UsageError: an unknown id, a filter that gives something else, or an index is there.
        """
        if items is None and filter is None:
            return self
        if self.search is not None:
            raise UsageError(
                "an index searches all items: items and filter need a recommender without one"
            )
        allowed = np.ones(len(self.ids), bool)
        if items is not None:
            allowed[:] = False
            allowed[known.positions(items)] = True
        if filter is not None:
            chosen = np.asarray(filter(self.ids) if callable(filter) else filter)
            if chosen.dtype != bool or chosen.shape != allowed.shape:
                raise UsageError(
                    f"filter must give a boolean for each of the {len(allowed):,} items, got "
                    f"{chosen.dtype} of shape {chosen.shape}"
                )
            allowed &= chosen
        positions = np.flatnonzero(allowed)
        return Candidates(self.ids, self.vectors[positions], positions)

    def queries_per_call(self, k: int) -> int:
        """For how many queries a call of :meth:`best` stays in bounded memory."""
        return queries_per_call(len(self.vectors), k)

    def best(self, queries: Array, k: int, excluded: tuple[Array, Array]) -> Top:
        """The k best candidates of (B, D) queries, by their positions among all items.

        Args:
            excluded: (P,) rows of queries, (P,) positions of items: pairs that are left out.
        """
        if self.search is not None:
            return self.search.top_k(queries, k, excluded)
        if self.positions is None:
            return top_k(queries, self.vectors, k, excluded)
        rows, items = excluded
        place = np.searchsorted(self.positions, items)
        inside = place < len(self.positions)
        inside[inside] = self.positions[place[inside]] == items[inside]
        found = top_k(queries, self.vectors, k, (rows[inside], place[inside]))
        there = found.items >= 0
        found.items[there] = self.positions[found.items[there]]
        return found

    def table(self, top: Top, of_rows: Mapping[str, Array], name: str = "item") -> pd.DataFrame:
        """What was found as rank, item and score, after the columns of_rows, (B,) each."""
        rows, ranks = np.nonzero(top.items >= 0)
        columns = {key: values[rows] for key, values in of_rows.items()}
        columns |= {"rank": ranks + 1, name: self.ids[top.items[rows, ranks]]}
        return pd.DataFrame({**columns, "score": top.scores[rows, ranks]})
