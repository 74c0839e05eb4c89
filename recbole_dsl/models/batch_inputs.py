"""The tensors a loss can ask for in a training step, each built when it is first asked for."""

from collections.abc import Callable, Collection
from functools import cached_property

import torch
from torch.nn.functional import embedding, normalize

from recbole_dsl.data.sampling.all_items import AllItems
from recbole_dsl.data.sampling.shared_negatives import Negatives, negative_ids
from recbole_dsl.models.negative_scores import by_all, by_block, by_row

# Inputs for which negatives are scored, not only drawn.
SCORED = {"neg", "item_similarity"}
# Inputs for which they are needed at all.
DRAWN = SCORED | {"negatives"}


class BatchInputs:
    """One batch of B positives, as a loss's inputs.

    Every public property is a name that ``RowLoss.inputs`` may list. Vectors are looked up once a
    step, and where scores are cosines only those looked up are normalised: unless every item is to
    be scored, no step passes over a whole table.

    Args:
        names: the names that will be asked for.
        users, items: (B,) int64. The batch's users and their positive items.
        tables: (U, D) and (I, D), the backbone's embeddings; or (B, D), vectors of the batch's
            rows, and (I, D).
        cosine: whether scores are cosines, else inner products.
        draw: () -> fresh negatives for the batch's users: ids (B, M), shared in blocks
            (:mod:`recbole_dsl.data.sampling.shared_negatives`) or all items
            (:class:`recbole_dsl.data.sampling.all_items.AllItems`).
        in_batch_positive: () -> what :attr:`in_batch_positive` is.
        sparse: whether the tables are parameters that take row-sparse gradients.
        by_row: whether the first table has the vectors of the batch's rows.
    """

    def __init__(
        self,
        names: Collection[str],
        users: torch.Tensor,
        items: torch.Tensor,
        tables: tuple[torch.Tensor, torch.Tensor],
        *,
        cosine: bool,
        draw: Callable[[], Negatives | AllItems],
        in_batch_positive: Callable[[], torch.Tensor],
        sparse: bool = False,
        by_row: bool = False,
    ) -> None:
        self.users, self.items = users, items
        self._names, self._tables = names, tables
        self._cosine, self._sparse, self._by_row = cosine, sparse, by_row
        self._draw, self._in_batch_positive = draw, in_batch_positive

    def select(self) -> dict[str, torch.Tensor]:
        """The named inputs, as keyword arguments of a loss."""
        return {name: getattr(self, name) for name in self._names}

    def _scored(self, vectors: torch.Tensor) -> torch.Tensor:
        """Vectors as they are scored, (N, D) -> (N, D)."""
        return normalize(vectors, dim=1) if self._cosine else vectors

    def _look_up(self, ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        # embedding(ids, table), not table[ids]: its backward adds up rows in a fixed order.
        return self._scored(embedding(ids, table, sparse=self._sparse))

    @cached_property
    def _drawn(self) -> Negatives | AllItems:
        return self._draw()

    @cached_property
    def _items(self) -> tuple[torch.Tensor, ...]:
        """Vectors of the positives (B, D); where negatives are scored and shared in blocks, of
        the shared (N, M, D) and of the rows' own (C, D) too."""
        drawn = self._drawn if SCORED & set(self._names) else None
        if drawn is None or isinstance(drawn, (torch.Tensor, AllItems)):
            return (self._look_up(self.items, self._tables[1]),)
        ids = (self.items, drawn.shared.view(-1), drawn.own)
        index = torch.cat(ids)
        if len(index) < len(self._tables[1]) or self._sparse:
            rows = self._look_up(index, self._tables[1])
        else:  # fewer items to normalise than rows
            rows = embedding(index, self.item_table)
        positive, shared, own = rows.split([len(part) for part in ids])
        return positive, shared.view(*drawn.shared.shape, -1), own

    @cached_property
    def item_table(self) -> torch.Tensor:
        """(I, D), vectors of all items."""
        return self._scored(self._tables[1])

    @cached_property
    def user_vectors(self) -> torch.Tensor:
        """(B, D), vectors of the batch's users."""
        if self._by_row:
            return self._scored(self._tables[0])
        return self._look_up(self.users, self._tables[0])

    @property
    def item_vectors(self) -> torch.Tensor:
        """(B, D), vectors of the batch's positive items."""
        return self._items[0]

    @cached_property
    def negatives(self) -> torch.Tensor:
        """(B, M), ids of the negatives; of all columns, where some are left out."""
        if isinstance(self._drawn, AllItems):
            return self._drawn.items.expand(len(self.users), -1)
        return negative_ids(self._drawn, len(self.users))

    def _against_negatives(
        self,
        vectors: torch.Tensor,
        convert: Callable[[torch.Tensor], torch.Tensor],
        *,
        leave_out: bool,
    ) -> torch.Tensor:
        """(B, D) vectors times those of each row's negatives -> (B, M), without a (B, M, D).

        Under autocast the products are made in half precision; scores are of the vectors' type.

        Args:
            convert: applied to the item vectors before they are multiplied.
            leave_out: whether cells that are left out become -inf.
        """
        drawn = self._drawn
        if isinstance(drawn, AllItems):
            return by_all(vectors, convert(self.item_table), drawn if leave_out else None)
        if isinstance(drawn, torch.Tensor):
            return by_row(vectors, convert(self.item_table), drawn)
        shared, own = convert(self._items[1]), convert(self._items[2])
        product = by_block(vectors, shared, drawn.block).to(vectors.dtype)
        return drawn.per_row(product, (embedding(drawn.rows, vectors) * own).sum(dim=1))

    @cached_property
    def pos(self) -> torch.Tensor:
        """(B,), scores of the positives."""
        return (self.user_vectors * self.item_vectors).sum(dim=1)

    @cached_property
    def neg(self) -> torch.Tensor:
        """(B, M), scores of the negatives; -inf where a column is left out."""
        return self._against_negatives(self.user_vectors, lambda vectors: vectors, leave_out=True)

    @cached_property
    def item_similarity(self) -> torch.Tensor:
        """(B, M), cosine of each row's negatives with its positive item, without gradient."""

        def unit(vectors: torch.Tensor) -> torch.Tensor:
            vectors = vectors.detach()
            return vectors if self._cosine else normalize(vectors, dim=-1)

        # Not under no_grad: the vectors cached here serve the scores too, with their gradient.
        return self._against_negatives(unit(self.item_vectors), unit, leave_out=False)

    @cached_property
    def in_batch(self) -> torch.Tensor:
        """(B, B), score of the row's user with the column's positive item."""
        return (self.user_vectors @ self.item_vectors.T).to(self.user_vectors.dtype)

    @cached_property
    def in_batch_positive(self) -> torch.Tensor:
        """(B, B) bool, whether the column's item is one that is never a negative of the row."""
        return self._in_batch_positive()


OFFERED = (
    "users",
    "items",
    *(
        name
        for name, value in vars(BatchInputs).items()
        if isinstance(value, (property, cached_property)) and not name.startswith("_")
    ),
)
