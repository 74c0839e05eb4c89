"""What becomes of an epoch's numbers: records, a line on the terminal, curves."""

from collections.abc import Mapping
from typing import Any

from recbole_dsl.training.curves import Curves
from recbole_dsl.training.epoch_lines import EpochLines
from recbole_dsl.training.recorder import Recorder


class EpochReports:
    """Hands each epoch of a trainer to all that report it.

    Args:
        trainer: one of RecBole's, as its constructor has left it.

    Attributes:
        recorder: the :class:`Recorder` of the training.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self.recorder = Recorder(bigger=trainer.valid_metric_bigger)
        self._lines = EpochLines(trainer.config, self.recorder)
        self._curves = Curves(trainer.tensorboard, trainer.wandblogger)

    def begin(self, valid_data: Any) -> None:
        """Training begins; valid_data is the loader of validation rows, or None."""
        trainer = self._trainer
        stage = str(getattr(trainer.model, "train_stage", ""))  # of models of RecBole's in stages
        if stage.endswith("pretrain"):
            self._lines.begin(epochs=trainer.pretrain_epochs, eval_step=0)
        else:
            step = max(trainer.eval_step, 0) if valid_data else 0
            self._lines.begin(epochs=trainer.epochs, eval_step=step)

    def trained(
        self,
        epoch: int,
        loss: float,
        mean_loss: float,
        seconds: float,
        statistics: Mapping[str, float],
    ) -> None:
        """An epoch has been trained.

        Args:
            loss, mean_loss: as in :class:`Recorder`. seconds: what it took.
            statistics: of the loss, for curves.
        """
        self.recorder.epoch_trained(epoch, loss, mean_loss, seconds)
        learning_rate = self._trainer.optimizer.param_groups[0]["lr"]
        self._curves.trained(epoch, mean_loss, learning_rate, statistics)
        self._lines.trained()

    def validated(self, metrics: Mapping[str, float], score: float, seconds: float) -> None:
        """The last epoch has been validated: its unrounded metrics, its score of valid_metric."""
        self.recorder.epoch_validated(metrics, score, seconds)
        if self.recorder.epochs_done:  # RecBole's trainers of decision trees have none
            self._curves.validated(self.recorder.epochs_done[-1]["epoch"], metrics)
            self._lines.validated(score)
