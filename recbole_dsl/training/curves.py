"""Curves over the epochs, for TensorBoard and Weights & Biases."""

from collections.abc import Mapping
from typing import Any


class Curves:
    """Adds to what RecBole's loop writes: the sum of the losses and the score of valid_metric.

    Args:
        tensorboard: a SummaryWriter. wandb: RecBole's WandbLogger, which writes where ``log_wandb``
            is on; it gets the metrics of validation from RecBole's loop.
    """

    def __init__(self, tensorboard: Any, wandb: Any) -> None:
        self._tensorboard, self._wandb = tensorboard, wandb

    def trained(
        self, epoch: int, mean_loss: float, learning_rate: float, statistics: Mapping[str, float]
    ) -> None:
        """Add an epoch of training.

        Args:
            statistics: of the loss, see :meth:`recbole_dsl.losses.RowLoss.statistics`.
        """
        values = {"mean_loss": mean_loss, "learning_rate": learning_rate, **statistics}
        for name, value in values.items():
            self._tensorboard.add_scalar(f"train/{name}", value, epoch)
        self._wandb.log_metrics({**values, "train_step": epoch}, head="train")

    def validated(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of a validation, unrounded."""
        for name, value in metrics.items():
            self._tensorboard.add_scalar(f"valid/{name}", value, epoch)
