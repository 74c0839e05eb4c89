"""The tensors a loss can ask for in a training step, each built when it is first asked for."""

from functools import cached_property

import torch
from torch.nn.functional import embedding, normalize

from recbole_dsl.sampling import SharedDraw


class BatchInputs:
    """One batch of B positives as the losses see it.

    Every public property is a name that ``RowLoss.inputs`` may list.

    Args:
        users, items: (B,) int64. The batch's users and their positive items.
        tables: (U, D) and (I, D), all embeddings as they are scored.
        normalized: whether those are of unit length.
        draw: () -> (B, M) int64 or :class:`recbole_dsl.sampling.SharedDraw`, fresh negatives for
            the batch's users.
        positives: :class:`recbole_dsl.positives.UserPositives`.
    """

    def __init__(self, users, items, tables, *, normalized, draw, positives):
        self.users, self.items = users, items
        self._user_table, self.item_table = tables
        self._normalized, self._draw, self._positives = normalized, draw, positives

    def select(self, names):
        """The named inputs, as keyword arguments of a loss."""
        return {name: getattr(self, name) for name in names}

    # embedding(ids, table), not table[ids]: its backward adds up rows in a fixed order.

    @cached_property
    def user_vectors(self):
        """(B, D), vectors of the batch's users."""
        return embedding(self.users, self._user_table)

    @cached_property
    def item_vectors(self):
        """(B, D), vectors of the batch's positive items."""
        return embedding(self.items, self.item_table)

    @cached_property
    def _drawn(self):
        return self._draw()

    @cached_property
    def negatives(self):
        """(B, M), ids of the negatives."""
        drawn = self._drawn
        return drawn.ids(len(self.users)) if isinstance(drawn, SharedDraw) else drawn

    def _against_negatives(self, vectors, table):
        """(B, D) vectors times those of each row's negatives in a table (I, D) -> (B, M).

        Under autocast the products are made in half precision; scores are of the vectors' type.
        """
        drawn = self._drawn
        # Gathering vectors row by row would build (B, M, D).
        if not isinstance(drawn, SharedDraw):  # score all items, pick out the M wanted
            return (vectors @ table.T).gather(1, drawn).to(vectors.dtype)
        blocks = zip(vectors.split(drawn.block), drawn.drawn, strict=True)
        scores = torch.cat([part @ embedding(ids, table).T for part, ids in blocks])
        scores = scores.to(vectors.dtype)
        own = (embedding(drawn.rows, vectors) * embedding(drawn.items, table)).sum(dim=1)
        return scores.index_put((drawn.rows, drawn.columns), own)

    @cached_property
    def pos(self):
        """(B,), scores of the positives."""
        return (self.user_vectors * self.item_vectors).sum(dim=1)

    @cached_property
    def neg(self):
        """(B, M), scores of the negatives."""
        return self._against_negatives(self.user_vectors, self.item_table)

    @cached_property
    def item_similarity(self):
        """(B, M), cosine of each row's negatives with its positive item, without gradient."""
        with torch.no_grad():
            table = self.item_table if self._normalized else normalize(self.item_table, dim=1)
            return self._against_negatives(embedding(self.items, table), table)

    @cached_property
    def in_batch(self):
        """(B, B), score of the row's user with the column's positive item."""
        return (self.user_vectors @ self.item_vectors.T).to(self.user_vectors.dtype)

    @cached_property
    def in_batch_positive(self):
        """(B, B) bool, whether the column's item is a training positive of the row's user."""
        return self._positives.among(self.users, self.items)


_NAMES = (
    "users",
    "items",
    "item_table",
    *(name for name, value in vars(BatchInputs).items() if isinstance(value, cached_property)),
)
OFFERED = tuple(name for name in _NAMES if not name.startswith("_"))
