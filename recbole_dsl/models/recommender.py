"""The RecBole model of every ``<Backbone>_<Loss>``: a backbone, a loss and a negative sampler."""

from collections.abc import Collection
from typing import Any

import torch
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType
from torch.nn.functional import embedding, normalize

from recbole_dsl.common.distributed import own_seed
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.property_files import require
from recbole_dsl.common.tensors import in_float32
from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.data.sampling.shared_negatives import Negatives
from recbole_dsl.losses import TrainingRows
from recbole_dsl.models.batch_inputs import BatchInputs
from recbole_dsl.models.epoch_view import EpochView
from recbole_dsl.models.registry import backbone_class, loss_class
from recbole_dsl.models.settings import (
    ALL,
    build_from_settings,
    check_embeddings,
    check_has_tables,
    check_memory_of_all,
    check_pair_settings,
    check_sparse,
)


class PairRecommender(GeneralRecommender):
    """One backbone trained with one loss, over negatives drawn on the device.

    Settings read: ``backbone``, ``loss``, ``score`` (cosine or dot), ``test_score``,
    ``reg_weight``, ``train_neg_sample_args``, ``train_noise``, ``seed``, and the keyword-only
    arguments of backbone and loss.

    The same score serves the loss, ``predict`` and ``full_sort_predict``, unless ``test_score``
    names another one for the latter two.
    """

    input_type = InputType.PAIRWISE  # RecBole requires one; negatives are drawn here, not by it
    # Users' scores are the inner products of the two tables of embed().
    ranks_by_inner_product = True

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        users, items = dataset.inter_feat[self.USER_ID], dataset.inter_feat[self.ITEM_ID]
        size = (self.n_users, self.n_items)
        check_pair_settings(config)
        self.score = config["score"]
        self.test_score = config["test_score"] or self.score
        self.reg_weight = require(config, "reg_weight")
        negatives = require(config, "train_neg_sample_args")
        self.n_negatives, self.block = negatives["sample_num"], negatives["block"]
        self.takes_all = self.n_negatives == ALL

        backbone, loss = backbone_class(config["backbone"]), loss_class(config["loss"])
        self.backbone: Any = build_from_settings(backbone, config, users, items, *size)
        self.loss = build_from_settings(loss, config)
        check_has_tables(config, self.backbone)
        if self.takes_all:
            check_memory_of_all(config, self.loss, self.n_items)
        self.loss.prepare(TrainingRows(users, items, *size))
        self.sparse = str(config["learner"]).lower() == "sparse_adam"
        if self.sparse:
            check_sparse(config, self.backbone, self.loss)
        try:
            self.sampler = NegativeSampler(
                users,
                items,
                *size,
                distribution=negatives["distribution"],
                alpha=negatives["alpha"],
                seed=own_seed(require(config, "seed")),
                false_negative=require(config, "train_noise")["false_negative"],
            )
        except ValueError as error:
            raise UsageError(f"{config['model']}: {error}") from error
        self._cache: tuple[torch.Tensor, torch.Tensor] | None = None

    def initialise(self) -> bool:
        """Make the start that takes time, ``initialization: spectral``.

        The trainer calls this once, before training; a model that is loaded does without.

        Returns:
            Whether there was anything to make.
        """
        self._cache = None
        return hasattr(self.backbone, "initialise") and self.backbone.initialise()

    def train(self, mode: bool = True) -> "PairRecommender":
        self._cache = None  # embeddings move while training
        super().train(mode)
        return self

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        self._cache = None
        return super().load_state_dict(*args, **kwargs)

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The backbone's embeddings, (U, D) and (I, D).

        A backbone that ends in half precision under autocast is widened to float32 here.
        """
        found = self.backbone.embed()
        check_embeddings(type(self.backbone).__name__, found, self.n_users, self.n_items)
        user, item = in_float32(*found)
        return user, item

    def embed(self, score: str | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The two tables whose inner products are the scores, (U, D) and (I, D).

        Their rows have unit length where scores are cosines.

        Args:
            score: "cosine" or "dot" in place of ``test_score``.
        """
        user, item = self.tables()
        if (score or self.test_score) == "cosine":
            user, item = normalize(user, dim=1), normalize(item, dim=1)
        return user, item

    def batch_inputs(
        self,
        interaction: Any,
        tables: tuple[torch.Tensor, torch.Tensor],
        names: Collection[str],
        *,
        leave_out: bool = False,
    ) -> BatchInputs:
        """The named inputs of a batch, from :meth:`tables`.

        Args:
            leave_out: with ``sample_num: all``, whether positives are left out of the negatives, as
                scores of -inf; else other negatives stand in their place.
        """
        users = interaction[self.USER_ID]
        leave_out = leave_out and self.takes_all
        draw = self.sampler.all_but_positives if leave_out else self.draw_negatives
        return BatchInputs(
            names,
            users,
            interaction[self.ITEM_ID],
            tables,
            cosine=self.score == "cosine",
            draw=lambda: draw(users),
            positives=self.sampler.positives,
            sparse=self.sparse and self.training,
        )

    def draw_negatives(self, users: torch.Tensor) -> Negatives:
        """Fresh negatives for (B,) users: ids (B, M), or shared in blocks where ``block`` > 1.

        With ``sample_num: all`` every item, positives replaced by other negatives.
        """
        if self.takes_all:
            return self.sampler.all_with_positives_replaced(users)
        if self.block == 1:
            ids: torch.Tensor = self.sampler(users, self.n_negatives)
            return ids
        return self.sampler.shared(users, self.n_negatives, self.block)

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        """Mean loss of a batch of positives, plus regularisation and the backbone's own term."""
        inputs = self.batch_inputs(
            interaction,
            self.tables(),
            self.loss.inputs,
            leave_out=self.loss.ignores_minus_inf,
        )
        loss: torch.Tensor = self.loss(**inputs.select())
        if self.reg_weight:
            loss = loss + self.reg_weight * self._regularizer(inputs.users, inputs.items)
        if hasattr(self.backbone, "auxiliary_loss"):
            loss = loss + self.backbone.auxiliary_loss(inputs.users, inputs.items)
        return loss

    def epoch_view(self, train_data: Any) -> EpochView:
        """The model as a loss may see it between epochs.

        Args:
            train_data: the loader of the training rows; None where only scores are asked for.
        """
        return EpochView(self, train_data)

    def begin_epoch(self, epoch: int, train_data: Any) -> None:
        """Let the loss refresh its state before a training epoch; the trainer calls this."""
        self.loss.begin_epoch(epoch, self.epoch_view(train_data))

    def _regularizer(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Half the squared length of the batch's user and positive vectors, mean over rows.

        As in LightGCN, of the learned vectors, before propagation. Negatives are left out: with M
        of them a row, nearly every item would be decayed in every step.
        """
        user = embedding(users, self.backbone.user_embedding.weight, sparse=self.sparse)
        item = embedding(items, self.backbone.item_embedding.weight, sparse=self.sparse)
        return (user.square().sum() + item.square().sum()) / (2 * len(users))

    def _cached(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self.training:
            return self.embed()
        if self._cache is None:
            with torch.no_grad():
                self._cache = self.embed()
        return self._cache

    def predict(self, interaction: Any) -> torch.Tensor:
        """Scores of (user, item) pairs, (B,)."""
        user, item = self._cached()
        return (user[interaction[self.USER_ID]] * item[interaction[self.ITEM_ID]]).sum(dim=1)

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        """Scores of all items for each user, flat, (B * I,), as RecBole expects."""
        user, item = self._cached()
        return (user[interaction[self.USER_ID]] @ item.T).view(-1)
