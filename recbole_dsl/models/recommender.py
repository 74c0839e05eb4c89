"""The RecBole model of every ``<Backbone>_<Loss>``: a backbone, a loss and a negative sampler."""

from typing import Any

import torch
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType
from torch.nn.functional import embedding, normalize

from recbole_dsl.common.property_files import require
from recbole_dsl.common.tensors import in_float32
from recbole_dsl.losses import TrainingRows
from recbole_dsl.models.adapters import fitting
from recbole_dsl.models.adapters.backbones import RecBoleGraph
from recbole_dsl.models.registry import backbone_class, is_backbone
from recbole_dsl.models.settings import (
    build_from_settings,
    check_embeddings,
    check_has_tables,
    options_of,
)
from recbole_dsl.models.trained_by_loss import NeverDrawn, Tables, TrainedByLoss


class PairRecommender(TrainedByLoss, GeneralRecommender):
    """One backbone trained with one loss, over negatives drawn on the device.

    Settings read: ``backbone`` and its keyword-only arguments, ``reg_weight``, and those of
    :class:`recbole_dsl.models.trained_by_loss.TrainedByLoss`.
    """

    input_type = InputType.PAIRWISE  # RecBole requires one; negatives are drawn here, not by it
    # Users' scores are the inner products of the two tables of embed().
    ranks_by_inner_product = True

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        users, items = dataset.inter_feat[self.USER_ID], dataset.inter_feat[self.ITEM_ID]
        size = (self.n_users, self.n_items)
        self._read_settings(config)
        self.reg_weight = require(config, "reg_weight")
        self.backbone: Any = _backbone(config, dataset, users, items, *size)
        self._build_loss(config)
        check_has_tables(config, self.backbone)
        never = NeverDrawn(users, items, self.n_users)
        self._prepare_loss(config, TrainingRows(users, items, *size), never, self.backbone)

    def initialise(self) -> bool:
        """Make the start that takes time, ``initialization: spectral``.

        The trainer calls this once, before training; a model that is loaded does without.

        Returns:
            Whether there was anything to make.
        """
        self._cache = None
        return hasattr(self.backbone, "initialise") and self.backbone.initialise()

    def tables(self) -> Tables:
        """The backbone's embeddings, (U, D) and (I, D).

        A backbone that ends in half precision under autocast is widened to float32 here.
        """
        found = self.backbone.embed()
        check_embeddings(type(self.backbone).__name__, found, self.n_users, self.n_items)
        user, item = in_float32(*found)
        return user, item

    def batch_tables(self, interaction: Any) -> Tables:
        return self.tables()

    def shared_tables(self) -> Tables:
        return self.tables()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a batch: users and items."""
        return self.USER_ID, self.ITEM_ID

    def embed(self, score: str | None = None) -> Tables:
        """The two tables whose inner products are the scores, (U, D) and (I, D).

        Their rows have unit length where scores are cosines.

        Args:
            score: "cosine" or "dot" in place of ``test_score``.
        """
        user, item = self.tables()
        if (score or self.test_score) == "cosine":
            user, item = normalize(user, dim=1), normalize(item, dim=1)
        return user, item

    def negative_keys(self, interaction: Any) -> torch.Tensor:
        """The row's user: none of the user's training positives is drawn."""
        users: torch.Tensor = interaction[self.USER_ID]
        return users

    def own_terms(self, loss: torch.Tensor, interaction: Any, tables: Tables) -> torch.Tensor:
        """The loss with regularisation and the backbone's own term."""
        users, items = interaction[self.USER_ID], interaction[self.ITEM_ID]
        if self.reg_weight:
            loss = loss + self.reg_weight * self._regularizer(users, items)
        if hasattr(self.backbone, "auxiliary_loss"):
            loss = loss + self.backbone.auxiliary_loss(users, items)
        return loss

    def begin_epoch(self, epoch: int, train_data: Any) -> None:
        """Let backbone and loss refresh their state before a training epoch."""
        if isinstance(self.backbone, RecBoleGraph):
            self.backbone.begin_epoch(epoch)
        super().begin_epoch(epoch, train_data)

    def _regularizer(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Half the squared length of the batch's user and positive vectors, mean over rows.

        As in LightGCN, of the learned vectors, before propagation. Negatives are left out: with M
        of them a row, nearly every item would be decayed in every step.
        """
        user = embedding(users, self.backbone.user_embedding.weight, sparse=self.sparse)
        item = embedding(items, self.backbone.item_embedding.weight, sparse=self.sparse)
        return (user.square().sum() + item.square().sum()) / (2 * len(users))

    def _cached(self) -> Tables:
        if self.training:
            return self.embed()
        if self._cache is None:
            with torch.no_grad():
                self._cache = self.embed()
        tables: Tables = self._cache
        return tables

    def predict(self, interaction: Any) -> torch.Tensor:
        """Scores of (user, item) pairs, (B,)."""
        user, item = self._cached()
        return (user[interaction[self.USER_ID]] * item[interaction[self.ITEM_ID]]).sum(dim=1)

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        """Scores of all items for each user, flat, (B * I,), as RecBole expects."""
        user, item = self._cached()
        return (user[interaction[self.USER_ID]] @ item.T).view(-1)


def _backbone(
    config: Any, dataset: Any, users: torch.Tensor, items: torch.Tensor, n_users: int, n_items: int
) -> torch.nn.Module:
    name = config["backbone"]
    if not is_backbone(name) and fitting.fits(name):
        return RecBoleGraph(config, dataset, options_of(config["loss"]))
    return build_from_settings(backbone_class(name), config, users, items, n_users, n_items)
