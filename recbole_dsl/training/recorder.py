"""What a training leaves behind: its epochs, and which of them was the best."""

from collections.abc import Mapping
from typing import Any


class Recorder:
    """Notes the epochs of one training.

    Args:
        bigger: whether a higher score of ``valid_metric`` is better.

    Attributes:
        epochs_done: a dict for each epoch: ``epoch``, its number; ``train_loss``, the sum over its
            batches, ``mean_loss``, that over the rows, or over the batches in RecBole's own models;
            ``train_seconds``; ``valid``, its unrounded metrics, and ``eval_seconds``, both None
            where it was not validated.
        best_epoch: number of the epoch whose weights were kept; None where none was.
        best_valid: the metrics of that epoch; None without validation.
        best_score: its score of ``valid_metric``; None without validation.
    """

    def __init__(self, *, bigger: bool) -> None:
        self._bigger = bigger
        self.epochs_done: list[dict[str, Any]] = []
        self.best_epoch: int | None = None
        self.best_valid: Mapping[str, float] | None = None
        self.best_score: float | None = None

    def epoch_trained(self, epoch: int, loss: float, mean_loss: float, seconds: float) -> None:
        """Note an epoch of training."""
        self.epochs_done.append(
            {
                "epoch": epoch,
                "train_loss": loss,
                "mean_loss": mean_loss,
                "train_seconds": seconds,
                "valid": None,
                "eval_seconds": None,
            }
        )

    def epoch_validated(self, metrics: Mapping[str, float], score: float, seconds: float) -> None:
        """Note the validation of the last epoch trained; of equal scores the later one is best.

        That is what RecBole's early stopping does, by which weights are saved.
        """
        epoch = None
        if self.epochs_done:  # RecBole's trainers of decision trees train without epochs
            last = self.epochs_done[-1]
            last["valid"], last["eval_seconds"], epoch = metrics, seconds, last["epoch"]
        best = self.best_score
        if best is None or (score >= best if self._bigger else score <= best):
            self.best_score, self.best_valid, self.best_epoch = score, metrics, epoch

    def epoch_saved(self, epoch: int) -> None:
        """Note whose weights a checkpoint holds; -1: those of no training.

        Without validation there is nothing to choose by, and the last epoch saved is the one kept.
        """
        if self.best_score is None:
            self.best_epoch = epoch if epoch >= 0 else None
