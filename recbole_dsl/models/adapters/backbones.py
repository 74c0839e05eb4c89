"""RecBole's own models as parts of ours: built from their own settings, read by their own names."""

from collections.abc import Collection
from typing import Any

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.compat.recbole_import import import_module
from recbole_dsl.compat.settings_override import SettingsOverride
from recbole_dsl.models.adapters import fitting, graphs, sequences
from recbole_dsl.models.adapters.sequences import Batch


def _class(package: str, name: str) -> Any:
    return getattr(import_module(f"recbole.model.{package}.{name.lower()}"), name)


def _settings(config: Any, of_loss: Collection[str], **changes: Any) -> SettingsOverride:
    """The settings as RecBole's model reads them."""
    renamed = fitting.renamed(config["backbone"], of_loss)
    return SettingsOverride(config, **{k: config[new] for k, new in renamed.items()}, **changes)


class RecBoleGraph(torch.nn.Module):
    """A general model of RecBole's as a backbone.

    Args:
        config: settings of the run. dataset: RecBole's dataset of the training rows.
        of_loss: the names of the loss's options.

    Attributes:
        model: RecBole's model.
    """

    def __init__(self, config: Any, dataset: Any, of_loss: Collection[str]) -> None:
        super().__init__()
        name = fitting.recbole_name(config["backbone"])
        self._fit, self._config = graphs.FITTING[name], _settings(config, of_loss)
        self.model: Any = _class("general_recommender", name)(self._config, dataset)

    @property
    def user_embedding(self) -> torch.nn.Embedding:
        """The table of users that is learned."""
        table: torch.nn.Embedding = self.model.user_embedding
        return table

    @property
    def item_embedding(self) -> torch.nn.Embedding:
        """The table of items that is learned."""
        table: torch.nn.Embedding = self.model.item_embedding
        return table

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(U, D) and (I, D), the vectors of all users and items."""
        return self._fit.tables(self.model)

    def auxiliary_loss(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """What the model's own training adds to its loss for (B,) users and positives."""
        if self._fit.own_loss is None:
            return torch.zeros((), device=users.device)
        return self._fit.own_loss(self.model, users, items)

    def begin_epoch(self, epoch: int) -> None:
        """What RecBole's trainer of the model does before an epoch."""
        if self._fit.begin_epoch is not None:
            self._fit.begin_epoch(self.model, self._config, epoch)


class SequenceEncoder(torch.nn.Module):
    """A sequential model of RecBole's as an encoder of sequences.

    Arguments and attributes as of :class:`RecBoleGraph`.
    """

    def __init__(self, config: Any, dataset: Any, of_loss: Collection[str]) -> None:
        super().__init__()
        name = fitting.recbole_name(config["backbone"])
        self._fit = sequences.FITTING[name]
        given = _settings(config, of_loss, loss_type=self._fit.loss_type)
        self.model: Any = _class("sequential_recommender", name)(given, dataset)

    @property
    def reads_users(self) -> bool:
        """Whether the model has a vector for each user."""
        return self._fit.reads_users

    def forward(self, batch: Batch) -> torch.Tensor:
        """(B, D) float32, the vectors of a batch's sequences."""
        (vectors,) = in_float32(self._fit.vectors(self.model, batch))
        return vectors

    def items(self) -> torch.Tensor:
        """(I, D) float32, the vectors of all items; row 0 is padding."""
        (table,) = in_float32(self._fit.items(self.model))
        return table

    def penalty(self, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
        """What the model's own training adds to its loss by ``reg_weight``.

        Args:
            vectors: (B, D), those of the batch's sequences.
        """
        if self._fit.penalty is None:
            return torch.zeros((), device=vectors.device)
        return self._fit.penalty(self.model, batch, vectors).sum()  # RecBole's are of shape (1,)
