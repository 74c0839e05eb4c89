"""The best items of users, of new users and of items, as positions and scores: no tables."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.serving import fold_in
from recbole_dsl.serving.candidates import Candidates, Filter, Search
from recbole_dsl.serving.ids import UNKNOWN, Ids
from recbole_dsl.serving.section import Section
from recbole_dsl.serving.top_k import Top

Array = npt.NDArray[Any]
SEEN = "seen"


class Ranked(NamedTuple):
    """The best items of some users or items.

    Attributes:
        queries: (B,) int64. Positions of these users or items.
        top: positions of the best items, and their scores.
    """

    queries: npt.NDArray[np.int64]
    top: Top


class Ranking:
    """Ranks the items of a model; :class:`recbole_dsl.serving.recommender.Recommender` has tables.

    Nothing is changed by a call, so that several threads may share it.

    Args:
        content: of a checkpoint. search: an index of its items; None: all are scored.

    Attributes:
        user_ids, item_ids: ids and their positions.
        parts: names of the parts of the data whose items can be left out.
        candidates: all items.
    """

    def __init__(self, content: Section, search: Search | None = None) -> None:
        self.user_ids, self.item_ids = Ids("user", content.user_ids), Ids("item", content.item_ids)
        self.parts = tuple(content.seen)
        self.candidates = Candidates(content.item_ids, content.item_vectors, search=search)
        self._user_vectors, self._item_vectors = content.user_vectors, content.item_vectors
        self._seen, self._cosine = content.seen, content.meta["score"] == "cosine"

    def of_users(
        self,
        users: Any,
        k: int,
        *,
        exclude: str | Sequence[str] | None = SEEN,
        items: Any = None,
        filter: Filter = None,
        unknown: str = "error",
    ) -> Iterator[Ranked]:
        """As :meth:`~recbole_dsl.serving.recommender.Recommender.recommend_blocks`."""
        _check_k(k)
        _check_one_of("unknown", unknown, UNKNOWN)
        parts = _parts(exclude, self.parts)
        candidates = self.candidates.restricted(self.item_ids, items, filter)
        positions = (
            np.arange(len(self._user_vectors))
            if users is None
            else self.user_ids.positions(users, unknown)
        )
        return self._of_positions(positions, k, parts, candidates)

    def _of_positions(
        self,
        users: npt.NDArray[np.int64],
        k: int,
        parts: Sequence[str],
        candidates: Candidates,
    ) -> Iterator[Ranked]:
        for block in _slices(users, candidates.queries_per_call(k)):
            lists = [self._seen[part].of(block) for part in parts]
            rows, items = (
                np.concatenate([np.zeros(0, np.int64), *(pairs[side] for pairs in lists)])
                for side in (0, 1)
            )
            yield Ranked(block, candidates.best(self._user_vectors[block], k, (rows, items)))

    def for_items(
        self,
        items: Any,
        k: int,
        *,
        method: str = fold_in.METHODS[0],
        items_allowed: Any = None,
        filter: Filter = None,
    ) -> Top:
        """As :meth:`~recbole_dsl.serving.recommender.Recommender.recommend_for_items`; one row."""
        _check_k(k)
        _check_one_of("method", method, fold_in.METHODS)
        candidates = self.candidates.restricted(self.item_ids, items_allowed, filter)
        given = np.unique(self.item_ids.positions(items))
        if len(given) == 0:
            raise UsageError("a new user needs at least one item, got none")
        vector = fold_in.user_vector(self._item_vectors, given, method, cosine=self._cosine)
        return candidates.best(vector[None], k, (np.zeros(len(given), np.int64), given))

    def similar(self, items: Any, k: int) -> Iterator[Ranked]:
        """As :meth:`~recbole_dsl.serving.recommender.Recommender.similar_items`, in blocks."""
        _check_k(k)
        candidates = Candidates(self.item_ids.ids, self._unit_vectors)
        return (
            Ranked(
                block,
                candidates.best(candidates.vectors[block], k, (np.arange(len(block)), block)),
            )
            for block in _slices(self.item_ids.positions(items), candidates.queries_per_call(k))
        )

    @functools.cached_property
    def _unit_vectors(self) -> Array:
        return self._item_vectors if self._cosine else fold_in.unit(self._item_vectors)


def _parts(exclude: str | Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """The names of the parts whose items are left out."""
    if exclude is None:
        return []
    words = exclude.split(",") if isinstance(exclude, str) else exclude
    asked = [word.strip() for word in words]
    if asked == [SEEN]:
        return list(known)
    if SEEN in asked:
        raise UsageError(f"exclude: {SEEN} is all parts and stands alone, got {', '.join(asked)}")
    for name in asked:
        if name not in known:
            names = [SEEN, *known]
            raise UsageError(
                f"exclude must be None or among {', '.join(names)}, got {name!r}"
                f"{did_you_mean(name, names)}"
            )
    return list(dict.fromkeys(asked))


def _slices(positions: npt.NDArray[np.int64], size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Parts of at most so many positions; an empty one where there are none."""
    return (positions[start : start + size] for start in range(0, max(len(positions), 1), size))


def _check_k(k: Any) -> None:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise UsageError(f"k must be an integer >= 1, got {k!r}")


def _check_one_of(name: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(
            f"{name} must be one of {', '.join(known)}, got {value!r}{did_you_mean(value, known)}"
        )
