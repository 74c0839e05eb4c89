"""Recommendations of a trained model, from its checkpoint alone."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving import section
from recbole_dsl.serving.candidates import Filter, Search
from recbole_dsl.serving.export import load_index
from recbole_dsl.serving.ranking import SEEN, Ranking

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
        digest: of the checkpoint, 64 hexadecimal digits; None for content of no file.
        ranking: what the tables are made of.
    """

    def __init__(self, content: section.Section, search: Search | None = None) -> None:
        self.meta, self.digest = content.meta, content.digest
        self.user_vectors, self.item_vectors = content.user_vectors, content.item_vectors
        self.users, self.items = content.user_ids, content.item_ids
        self.ranking = Ranking(content, search)
        self.parts = self.ranking.parts

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
        ranked = self.ranking.of_users(
            users, k, exclude=exclude, items=items, filter=filter, unknown=unknown
        )
        table = self.ranking.candidates.table
        return (table(top, {"user": self.users[block]}) for block, top in ranked)

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
        top = self.ranking.for_items(
            items, k, method=method, items_allowed=items_allowed, filter=filter
        )
        return self.ranking.candidates.table(top, {})

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
        table = self.ranking.candidates.table
        tables = [
            table(top, {"item": self.items[block]}, "similar_item")
            for block, top in self.ranking.similar(items, k)
        ]
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
        of_users = self.ranking.user_ids.positions(users)
        of_items = self.ranking.item_ids.positions(items)
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


def load_recommender(
    path: str | os.PathLike[str], *, index: str | os.PathLike[str] | None = None
) -> Recommender:
    """A trained model from its checkpoint: any folder, any machine, no dataset, no RecBole.

    Args:
        path: the checkpoint that a run of a ``<Backbone>_<Loss>`` has left.
        index: folder of ``recbole_dsl export --index``, whose index is searched in place of all
            items: faster and not exact. None: exact search.
    Raises:
        UsageError: no checkpoint, or not what was written; its model has no vectors of users and
            items, as most of RecBole's own; or an index that is missing or of another model.
    """
    content = section.read(path)
    search = None if index is None else load_index(index, content.item_vectors)
    return Recommender(content, search)
