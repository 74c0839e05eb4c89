"""Recommendations of a trained model, from its checkpoint alone."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.serving import fold_in, section
from recbole_dsl.serving.candidates import Candidates, Filter, Search
from recbole_dsl.serving.export import load_index
from recbole_dsl.serving.ids import UNKNOWN, Ids

Array = npt.NDArray[Any]
SEEN = "seen"
_PAIRS = 1 << 16  # pairs that are scored at once


class Recommender:
    """A trained model: vectors of users and items, whose inner products are the scores.

    Users and items are named as in the data that the model was trained on. Everything is computed
    on the CPU, exactly, in blocks of bounded memory. Made by :func:`load_recommender`.

    Args:
        content: of a checkpoint. search: an index of its items; None: all are scored.

    Attributes:
        users, items: (U,), (I,) object. All ids, in the order of the vectors.
        user_vectors, item_vectors: (U, D), (I, D).
        meta: model, dataset, best epoch, score ("cosine" or "dot") and version.
        parts: names of the parts of the data whose items can be left out: train, valid, test.
    """

    def __init__(self, content: section.Section, search: Search | None = None) -> None:
        self.meta = content.meta
        self.user_vectors, self.item_vectors = content.user_vectors, content.item_vectors
        self.users, self.items = content.user_ids, content.item_ids
        self.parts = tuple(content.seen)
        self._seen = content.seen
        self._all = Candidates(self.items, self.item_vectors, search=search)
        self._user_ids, self._item_ids = Ids("user", self.users), Ids("item", self.items)

    def __repr__(self) -> str:
        return (
            f"Recommender({self.meta['model']} on {self.meta['dataset']}: {len(self.users):,} "
            f"users, {len(self.items):,} items, {self.user_vectors.shape[1]} dimensions, "
            f"score {self.meta['score']})"
        )

    def recommend(
        self,
        users: Any = None,
        k: int = 10,
        *,
        exclude: str | Sequence[str] | None = SEEN,
        items: Any = None,
        filter: Filter = None,
        unknown: str = "error",
    ) -> pd.DataFrame:
        """The k best items of users.

        Args:
            users: an id or some of them, texts or integers; None: all users.
            k: at least 1.
            exclude: whose items are not recommended to their user: "seen", those of all parts of
                the data; a part or several, such as "train" or ["train", "valid"]; None: nothing.
                A part holds the rows that the run has trained on, or held out: not those that its
                filters or its split have left out of all parts, but noise of ``train_noise`` too.
            items: ids of the items that may be recommended; None: all.
            filter: of these, which: (I,) booleans in the order of :attr:`items`, or a function
                that is given all item ids, (I,) object, and returns them.
            unknown: "error", or "warn": users that the model does not know are left out, with a
                warning.
        Returns:
            DataFrame: user, rank (from 1), item, score; users in the order given, best first,
            equal scores in the order of :attr:`items`. A user with fewer than k items left gets
            those. A user without training rows is ranked by the vector training began with.
        Raises:
            UsageError: an unknown id or part, or a value outside its range.
        """
        blocks = self.recommend_blocks(
            users, k, exclude=exclude, items=items, filter=filter, unknown=unknown
        )
        return pd.concat(list(blocks), ignore_index=True)

    def recommend_blocks(
        self,
        users: Any = None,
        k: int = 10,
        *,
        exclude: str | Sequence[str] | None = SEEN,
        items: Any = None,
        filter: Filter = None,
        unknown: str = "error",
    ) -> Iterator[pd.DataFrame]:
        """As :meth:`recommend`, a DataFrame for each block of users; at least one, maybe empty.

        What is wrong is told here, before the first block is asked for.
        """
        _check_k(k)
        _check_one_of("unknown", unknown, UNKNOWN)
        parts = _parts(exclude, self.parts)
        candidates = self._all.restricted(self._item_ids, items, filter)
        positions = (
            np.arange(len(self.users))
            if users is None
            else self._user_ids.positions(users, unknown)
        )
        return self._blocks(positions, k, parts, candidates)

    def recommend_for_items(
        self,
        items: Any,
        k: int = 10,
        *,
        method: str = "softmax",
        items_allowed: Any = None,
        filter: Filter = None,
    ) -> pd.DataFrame:
        """The k best items for a new user who is known by some items alone.

        A fold-in: the user's vector is made from the items' vectors, nothing is trained; see
        :mod:`recbole_dsl.serving.fold_in` for the methods and how far they come.

        Args:
            items: ids of the items that the user has; they are not recommended.
            k: at least 1.
            method: one of :data:`recbole_dsl.serving.fold_in.METHODS`.
            items_allowed, filter: as items and filter in :meth:`recommend`.
        Returns:
            DataFrame: rank, item, score.
        Raises:
            UsageError: no item, an unknown one, or a value outside its range.
        """
        _check_k(k)
        _check_one_of("method", method, fold_in.METHODS)
        candidates = self._all.restricted(self._item_ids, items_allowed, filter)
        given = np.unique(self._item_ids.positions(items))
        if len(given) == 0:
            raise UsageError("a new user needs at least one item, got none")
        vector = fold_in.user_vector(
            self.item_vectors, given, method, cosine=self.meta["score"] == "cosine"
        )
        pairs = np.zeros(len(given), np.int64), given
        return candidates.table(candidates.best(vector[None], k, pairs), {})

    def similar_items(self, items: Any, k: int = 10) -> pd.DataFrame:
        """The k items whose vectors have the largest cosine with that of each item.

        The cosine, also where the model's score is the inner product.

        Args:
            items: an id or some of them. k: at least 1.
        Returns:
            DataFrame: item, rank, similar_item, score.
        Raises:
            UsageError: an unknown id, or k < 1.
        """
        _check_k(k)
        positions = self._item_ids.positions(items)
        vectors = self.item_vectors
        if self.meta["score"] != "cosine":  # else they have unit length
            vectors = fold_in.unit(vectors)
        candidates = Candidates(self.items, vectors)
        tables = []
        for block in _slices(positions, candidates.queries_per_call(k)):
            itself = np.arange(len(block)), block
            found = candidates.best(candidates.vectors[block], k, itself)
            tables.append(candidates.table(found, {"item": self.items[block]}, "similar_item"))
        return pd.concat(tables, ignore_index=True)

    def score(self, users: Any, items: Any) -> pd.DataFrame:
        """The scores of pairs of a user and an item.

        Args:
            users, items: ids, as many of the one as of the other; one alone goes with all.
        Returns:
            DataFrame: user, item, score, in the order given.
        Raises:
            UsageError: an unknown id, or numbers that differ.
        """
        of_users, of_items = self._user_ids.positions(users), self._item_ids.positions(items)
        sizes = len(of_users), len(of_items)
        if 1 not in sizes and sizes[0] != sizes[1]:
            raise UsageError(f"score needs as many users as items, got {sizes[0]} and {sizes[1]}")
        of_users, of_items = np.broadcast_arrays(of_users, of_items)
        scores = np.empty(len(of_users), self.user_vectors.dtype)
        for start in range(0, len(scores), _PAIRS):
            pairs = slice(start, start + _PAIRS)
            vectors = self.user_vectors[of_users[pairs]], self.item_vectors[of_items[pairs]]
            scores[pairs] = np.einsum("nd,nd->n", *vectors)
        columns = {"user": self.users[of_users], "item": self.items[of_items], "score": scores}
        return pd.DataFrame(columns)

    def _blocks(
        self,
        users: npt.NDArray[np.int64],
        k: int,
        parts: Sequence[str],
        candidates: Candidates,
    ) -> Iterator[pd.DataFrame]:
        for block in _slices(users, candidates.queries_per_call(k)):
            lists = [self._seen[part].of(block) for part in parts]
            rows, items = (
                np.concatenate([np.zeros(0, np.int64), *(pairs[side] for pairs in lists)])
                for side in (0, 1)
            )
            found = candidates.best(self.user_vectors[block], k, (rows, items))
            yield candidates.table(found, {"user": self.users[block]})


def load_recommender(
    path: str | os.PathLike[str], *, index: str | os.PathLike[str] | None = None
) -> Recommender:
    """A trained model from its checkpoint: any folder, any machine, no dataset, no RecBole.

    Args:
        path: the checkpoint that a run of a ``<Backbone>_<Loss>`` has left.
        index: folder of ``recbole_dsl export --index``, whose index is searched in place of all
            items: faster and not exact. Needs hnswlib. None: exact search.
    Raises:
        UsageError: no checkpoint, or not what was written; its model has no vectors of users and
            items, as most of RecBole's own; or an index that is missing or of another model.
    """
    content = section.read(path)
    search = None if index is None else load_index(index, content.item_vectors)
    return Recommender(content, search)


def _parts(exclude: str | Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """The names of the parts whose items are left out."""
    if exclude is None:
        return []
    if isinstance(exclude, str):
        exclude = known if exclude == SEEN else [exclude]
    for name in exclude:
        if name not in known:
            names = [SEEN, *known]
            raise UsageError(
                f"exclude must be None or among {', '.join(names)}, got {name!r}"
                f"{did_you_mean(name, names)}"
            )
    return list(dict.fromkeys(exclude))


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
