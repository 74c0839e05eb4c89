"""The trainers of RecBole's own models, and of a user's own model class."""

import time
from typing import Any

import torch

from recbole_dsl.common import distributed
from recbole_dsl.data.loaders import sharding
from recbole_dsl.training.base_trainer import BaseTrainer
from recbole_dsl.training.finite import check_weights


class HostTrainer(BaseTrainer):
    """Trains by RecBole's own loop over the batches; see :func:`host_trainer_class`."""

    def __init__(self, config: Any, model: Any) -> None:
        super().__init__(config, model)
        if distributed.world().size > 1:
            self.optimizer.register_step_pre_hook(lambda *_: self.gradient_average())

    def _train_epoch(
        self, train_data: Any, epoch_idx: int, loss_func: Any = None, show_progress: bool = False
    ) -> float | tuple[float, ...]:
        self.epoch_begins(epoch_idx)
        self._epoch, self._batch = epoch_idx, 0
        started = time.perf_counter()
        sharding.start_epoch(train_data, epoch_idx)
        loss: float | tuple[float, ...] = super()._train_epoch(
            train_data, epoch_idx, loss_func, show_progress
        )
        # Not averaged in training: running means of batch normalisation and the like.
        self.copy_state_from_main()
        check_weights(self.model, self.config, epoch_idx)
        total = float(sum(loss) if isinstance(loss, tuple) else loss)
        mean = total / max(len(train_data), 1)  # RecBole's losses are means over a batch's rows
        self.reports.trained(epoch_idx, total, mean, time.perf_counter() - started, {})
        return loss

    def _check_nan(self, loss: torch.Tensor) -> None:
        if not bool(torch.isfinite(loss).all()):
            raise self.non_finite_loss(loss.item(), self._epoch, self._batch)
        self._batch += 1


def host_trainer_class(base: Any) -> type[HostTrainer]:
    """A :class:`HostTrainer` that trains as one of RecBole's trainer classes does.

    Args:
        base: the class that RecBole has for a model, a subclass of its Trainer. What it overrides
            is called by way of ``super()``.
    """

    class HostTrainerOfModel(HostTrainer, base):
        pass

    return HostTrainerOfModel
