"""The RecBole model of every ``<SequentialModel>_<Loss>``: RecBole's encoder, and a loss."""

from typing import Any

import torch
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.utils import InputType
from torch.nn.functional import normalize

from recbole_dsl.losses import TrainingRows
from recbole_dsl.models.adapters.backbones import SequenceEncoder
from recbole_dsl.models.settings import options_of
from recbole_dsl.models.trained_by_loss import NeverDrawn, Tables, TrainedByLoss

_ROWS = 1024  # sequences that are encoded at a time, outside training


class SequenceRecommender(TrainedByLoss, SequentialRecommender):
    """A sequential model of RecBole's trained with one loss, over negatives drawn on the device.

    A row is a user's sequence and the item that came next, its positive. What losses and sampling
    know as a user's vector is the sequence's. Negatives are never the row's positive; by
    ``exclude: history`` of ``train_neg_sample_args`` no item of the user's training rows either.
    Settings read: those of RecBole's model, of which ``loss_type`` is replaced by the loss, and of
    :class:`recbole_dsl.models.trained_by_loss.TrainedByLoss`.
    """

    input_type = InputType.PAIRWISE  # RecBole requires one; negatives are drawn here, not by it
    by_row = True
    ITEM_SEQ: str
    ITEM_SEQ_LEN: str

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.n_users, self.name = dataset.num(self.USER_ID), config["model"]
        self._read_settings(config)
        self.encoder = SequenceEncoder(config, dataset, options_of(config["loss"]))
        self._build_loss(config)
        rows = dataset.inter_feat
        users, items = rows[self.USER_ID], rows[self.ITEM_ID]
        self._by_user = config["train_neg_sample_args"]["exclude"] == "history"
        self._rows = rows
        never = NeverDrawn(items, items, self.n_items)
        if self._by_user:
            never = NeverDrawn(*self.history(), self.n_users)
        data = TrainingRows(users, items, self.n_users, self.n_items)
        self._prepare_loss(config, data, never, self.encoder)

    def history(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Users and their items in the training rows, (E,) each: every row's next item, then what
        is in sequences alone, once."""
        rows = self._rows
        users, items = rows[self.USER_ID], rows[self.ITEM_ID]
        codes = users * self.n_items + items
        known = torch.unique(codes)
        for column in rows[self.ITEM_SEQ].T:  # one at a time: (N, L) codes would not fit
            found = torch.unique((users * self.n_items + column)[column > 0])
            known = torch.unique(torch.cat([known, found]))
        new = known[~torch.isin(known, codes)]
        return torch.cat([users, new // self.n_items]), torch.cat([items, new % self.n_items])

    def batch_tables(self, interaction: Any) -> Tables:
        """(B, D), the vectors of the batch's sequences, and (I, D)."""
        return self.encoder(interaction), self.encoder.items()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a batch: users, next items, sequences and their lengths."""
        return self.USER_ID, self.ITEM_ID, self.ITEM_SEQ, self.ITEM_SEQ_LEN

    def negative_keys(self, interaction: Any) -> torch.Tensor:
        """The row's next item, or its user where the user's history is excluded."""
        keys: torch.Tensor = interaction[self.USER_ID if self._by_user else self.ITEM_ID]
        return keys

    def own_terms(self, loss: torch.Tensor, interaction: Any, tables: Tables) -> torch.Tensor:
        """The loss with what the model's own training adds by ``reg_weight``."""
        return loss + self.encoder.penalty(interaction, tables[0])

    def embed(self, score: str | None = None) -> Tables:
        """(U, D), each user's vector, that of the last training row, 0 where there is none, and
        (I, D); as they are scored.

        Args:
            score: "cosine" or "dot" in place of ``test_score``.
        """
        items, of_rows = self.item_table(score), self._rows[self.USER_ID]
        last = torch.full((self.n_users,), -1)
        last.scatter_reduce_(0, of_rows, torch.arange(len(of_rows)), "amax")
        known = last.ge(0).nonzero().squeeze(1)
        users = items.new_zeros(self.n_users, items.shape[1])
        for index in known.split(_ROWS):
            batch = {name: self._rows[name][last[index]].to(self.device) for name in self.columns}
            users[index.to(users.device)] = self.vectors(batch, score)
        return users, items

    def vectors(self, batch: Any, score: str | None = None) -> torch.Tensor:
        """(B, D), vectors of sequences as they are scored; unit length where scores are cosines.

        Args:
            batch: their columns. score: "cosine" or "dot" in place of ``test_score``.
        """
        found: torch.Tensor = self.encoder(batch)
        return normalize(found, dim=1) if (score or self.test_score) == "cosine" else found

    def item_table(self, score: str | None = None) -> torch.Tensor:
        """(I, D), vectors of all items as they are scored; arguments as of :meth:`vectors`."""
        found = self.encoder.items()
        return normalize(found, dim=1) if (score or self.test_score) == "cosine" else found

    def _items(self) -> torch.Tensor:
        """The item table, in evaluation made once for all steps."""
        if self.training:
            return self.item_table()
        if self._cache is None:
            with torch.no_grad():  # detached: an assigned Parameter would be one of this module's
                self._cache = self.item_table().detach()
        items: torch.Tensor = self._cache
        return items

    def predict(self, interaction: Any) -> torch.Tensor:
        """Scores of (sequence, item) rows, (B,)."""
        return (self.vectors(interaction) * self._items()[interaction[self.ITEM_ID]]).sum(dim=1)

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        """Scores of all items for each sequence, flat, (B * I,), as RecBole expects."""
        return (self.vectors(interaction) @ self._items().T).view(-1)
