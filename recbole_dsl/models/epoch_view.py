"""What a loss may see of the model between two epochs, without gradient."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch

T = TypeVar("T")

_SCORES = 1 << 25  # scores of one block: 128 MiB in float32


class EpochView:
    """The model as it stands before a training epoch.

    Args:
        model: a :class:`recbole_dsl.models.trained_by_loss.TrainedByLoss`.
        train_data: the loader of the training rows; None where only scores are asked for.
    """

    def __init__(self, model: Any, train_data: Any) -> None:
        self._model, self._train_data = model, train_data

    @torch.no_grad()
    def _embed(self, embed: Callable[[], T]) -> T:
        training = self._model.training
        self._model.eval()  # without the noise or dropout of training
        tables = embed()
        self._model.train(training)
        return tables

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(U, D) and (I, D), whose inner products are the scores; rows 0 are padding."""
        return self._embed(lambda: self._model.embed(self._model.score))

    def score_blocks(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yields (user ids (b,), scores (b, I)), each user once; column 0 is the padding item."""
        users, items = self.tables()
        size = max(_SCORES // len(items), 1)
        for ids in torch.arange(1, len(users), device=users.device).split(size):
            yield ids, users[ids] @ items.T

    def batches(self, names: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
        """Yields the named inputs of each batch of one pass over the training rows."""
        shared = self._embed(self._model.shared_tables)
        for interaction in self._train_data:
            batch = interaction.to(self._model.device)
            tables = shared or self._embed(functools.partial(self._model.batch_tables, batch))
            with torch.no_grad():
                inputs = self._model.batch_inputs(batch, tables, names).select()
            yield inputs
