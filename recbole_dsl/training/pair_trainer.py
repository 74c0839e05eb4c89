"""The trainer of a ``<Backbone>_<Loss>``."""

import time
from typing import Any

import torch

from recbole_dsl.common import distributed
from recbole_dsl.common.timing import Clock
from recbole_dsl.data.loaders import sharding
from recbole_dsl.training.base_trainer import BaseTrainer
from recbole_dsl.training.epoch import train_epoch
from recbole_dsl.training.finite import check_weights
from recbole_dsl.training.optimizer import fused


class PairTrainer(BaseTrainer):
    """Trains by our own loop over the batches, with a fused optimizer where torch has one."""

    def __init__(self, config: Any, model: Any) -> None:
        # The other processes get the main one's weights, see copy_state_from_main.
        clock = Clock()
        if distributed.world().main and model.initialise():
            clock.done("spectral start")
        super().__init__(config, model)

    def _build_optimizer(self, **kwargs: Any) -> torch.optim.Optimizer:
        return fused(super()._build_optimizer(**kwargs))

    def _train_epoch(
        self, train_data: Any, epoch_idx: int, loss_func: Any = None, show_progress: bool = False
    ) -> float:
        """An epoch; in several processes its loss is the mean over the processes."""
        self.epoch_begins(epoch_idx)
        started = time.perf_counter()
        sharding.start_epoch(train_data, epoch_idx)
        # All processes go over all rows here, so that the main one's state is that of one process.
        with sharding.whole(train_data):
            self.model.begin_epoch(epoch_idx, train_data)
        self.copy_state_from_main()
        own = train_epoch(self, train_data, epoch_idx, show_progress)
        check_weights(self.model, self.config, epoch_idx)
        buffers = dict(self.model.loss.named_buffers())
        distributed.add_up(buffers[name] for name in self.model.loss.row_sums)
        of_all = distributed.from_all((own.loss, own.mean_loss))
        loss, mean_loss = (sum(values) / len(values) for values in zip(*of_all, strict=True))
        seconds = time.perf_counter() - started
        self.reports.trained(epoch_idx, loss, mean_loss, seconds, own.statistics)
        return loss
