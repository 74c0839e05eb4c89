"""What every model of this package shares: a loss, and negatives drawn on the device."""

from collections.abc import Collection
from typing import Any, NamedTuple

import torch

from recbole_dsl.common.distributed import own_seed
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.property_files import require
from recbole_dsl.data.sampling.all_items import AllItems
from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.data.sampling.shared_negatives import Negatives
from recbole_dsl.losses import TrainingRows
from recbole_dsl.models.batch_inputs import BatchInputs
from recbole_dsl.models.epoch_view import EpochView
from recbole_dsl.models.registry import loss_class
from recbole_dsl.models.settings import (
    ALL,
    build_from_settings,
    check_memory_of_all,
    check_pair_settings,
    check_sparse,
)

Tables = tuple[torch.Tensor, torch.Tensor]


class NeverDrawn(NamedTuple):
    """The items that are no negatives, by a key that each training row has.

    Attributes:
        keys, items: (E,) int64. An item is not drawn for the rows of a key. Items stand in them as
            often as they are counted for ``distribution: popularity``.
        n_keys: above the largest key.
    """

    keys: torch.Tensor
    items: torch.Tensor
    n_keys: int


class TrainedByLoss(torch.nn.Module):
    """A RecBole model that is trained with a loss of this package.

    A subclass has ``embed``, ``batch_tables``, ``negative_keys``, ``own_terms`` and ``columns``,
    the names of the columns of a batch that it reads. Settings read: ``loss`` and its keyword-only
    arguments, ``score`` (cosine or dot), ``test_score``, ``train_neg_sample_args``,
    ``train_noise``, ``seed``.

    The same score serves the loss, ``predict`` and ``full_sort_predict``, unless ``test_score``
    names another one for the latter two.
    """

    # Whether the first of a batch's tables has a vector for each row, else for each user.
    by_row = False
    # RecBole's constructors set these
    device: Any
    n_users: int
    n_items: int
    USER_ID: str
    ITEM_ID: str

    def _read_settings(self, config: Any) -> None:
        """Check the settings, and keep those that batches are made by."""
        check_pair_settings(config)
        self.score = config["score"]
        self.test_score = config["test_score"] or self.score
        negatives = require(config, "train_neg_sample_args")
        self.n_negatives, self.block = negatives["sample_num"], negatives["block"]
        self.takes_all = self.n_negatives == ALL
        self._cache: Any = None  # what evaluation needs again in each step

    def _build_loss(self, config: Any) -> None:
        self.loss: Any = build_from_settings(loss_class(config["loss"]), config)
        if self.takes_all:
            check_memory_of_all(config, self.loss, self.n_items)

    def _prepare_loss(
        self, config: Any, rows: TrainingRows, never: NeverDrawn, backbone: Any
    ) -> None:
        """Show the loss its training rows, and build the sampler.

        Raises:
            UsageError: ``sparse_adam`` does not go with the model, or negatives cannot be drawn.
        """
        self.loss.prepare(rows)
        self.sparse = str(config["learner"]).lower() == "sparse_adam"
        if self.sparse:
            check_sparse(config, backbone, self.loss)
        negatives = require(config, "train_neg_sample_args")
        try:
            self.sampler = NegativeSampler(
                never.keys,
                never.items,
                never.n_keys,
                self.n_items,
                distribution=negatives["distribution"],
                alpha=negatives["alpha"],
                seed=own_seed(require(config, "seed")),
                false_negative=require(config, "train_noise")["false_negative"],
            )
        except ValueError as error:
            raise UsageError(f"{config['model']}: {error}") from error

    def batch_tables(self, interaction: Any) -> Tables:
        """The two tables from which the inputs of a batch are made."""
        raise NotImplementedError

    def shared_tables(self) -> Tables | None:
        """The tables that all batches share while the weights stay; None where each has its own."""
        return None

    def negative_keys(self, interaction: Any) -> torch.Tensor:
        """(B,) int64, the key of each row by which the sampler knows what it never draws."""
        raise NotImplementedError

    def batch_inputs(
        self,
        interaction: Any,
        tables: Tables,
        names: Collection[str],
        *,
        leave_out: bool = False,
    ) -> BatchInputs:
        """The named inputs of a batch.

        Args:
            tables: from :meth:`batch_tables`.
            leave_out: with ``sample_num: all``, whether positives are left out of the negatives, as
                scores of -inf; else other negatives stand in their place.
        """
        items, keys = interaction[self.ITEM_ID], self.negative_keys(interaction)
        return BatchInputs(
            names,
            interaction[self.USER_ID],
            items,
            tables,
            cosine=self.score == "cosine",
            draw=lambda: self.draw_negatives(keys, leave_out=leave_out),
            in_batch_positive=lambda: self.sampler.positives.among(keys, items),
            sparse=self.sparse and self.training,
            by_row=self.by_row,
        )

    def own_terms(self, loss: torch.Tensor, interaction: Any, tables: Tables) -> torch.Tensor:
        """The loss of a batch with the model's own terms added, such as regularisation."""
        raise NotImplementedError

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        """Mean loss of a batch of positives, plus the model's own terms."""
        tables, leave_out = self.batch_tables(interaction), self.loss.ignores_minus_inf
        inputs = self.batch_inputs(interaction, tables, self.loss.inputs, leave_out=leave_out)
        return self.own_terms(self.loss(**inputs.select()), interaction, tables)

    def draw_negatives(
        self, keys: torch.Tensor, *, leave_out: bool = False
    ) -> Negatives | AllItems:
        """Fresh negatives for (B,) keys: ids (B, M), or shared in blocks where ``block`` > 1.

        With ``sample_num: all`` every item, positives left out or replaced by other negatives.
        """
        if self.takes_all:
            if leave_out:
                return self.sampler.all_but_positives(keys)
            return self.sampler.all_with_positives_replaced(keys)
        if self.block == 1:
            ids: torch.Tensor = self.sampler(keys, self.n_negatives)
            return ids
        return self.sampler.shared(keys, self.n_negatives, self.block)

    def initialise(self) -> bool:
        """Make a start that takes time, once, before training.

        Returns:
            Whether there was anything to make.
        """
        return False

    def epoch_view(self, train_data: Any) -> EpochView:
        """The model as a loss may see it between epochs.

        Args:
            train_data: the loader of the training rows; None where only scores are asked for.
        """
        return EpochView(self, train_data)

    def begin_epoch(self, epoch: int, train_data: Any) -> None:
        """Let the loss refresh its state before a training epoch; the trainer calls this."""
        self.loss.begin_epoch(epoch, self.epoch_view(train_data))

    def train(self, mode: bool = True) -> "TrainedByLoss":
        self._cache = None  # embeddings move while training
        super().train(mode)
        return self

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        self._cache = None
        return super().load_state_dict(*args, **kwargs)
