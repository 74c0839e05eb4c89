"""What both trainers share: evaluation, checkpoints, records, several processes."""

import contextlib
import io
import os
import time
import uuid
from collections.abc import Iterator
from logging import getLogger
from pathlib import Path
from typing import Any

import torch
from recbole.evaluator.collector import DataStruct
from recbole.trainer import Trainer
from recbole.utils import calculate_valid_score, get_local_time

from recbole_dsl.common import distributed
from recbole_dsl.common.errors import NonFiniteLossError, UsageError
from recbole_dsl.data.loaders import sharding
from recbole_dsl.evaluation.evaluator import plain_metrics, rounded
from recbole_dsl.evaluation.gather import gather
from recbole_dsl.evaluation.measures import Measures
from recbole_dsl.training import checkpoint, last_checkpoint
from recbole_dsl.training.epoch_reports import EpochReports
from recbole_dsl.training.finite import check_metrics_are_numbers


class BaseTrainer(Trainer):
    """RecBole's Trainer with our evaluation, checkpoints and records; how an epoch is trained is
    left to the subclasses.

    Attributes:
        reports: what records, says and draws the epochs of this training; recorder: its
            :class:`recbole_dsl.training.recorder.Recorder`.
        fingerprint: of the training rows, for its checkpoints.
        last: keeps the state of the training for a run that goes on later; None: it is not kept.
        gradient_average: averages the gradients of all processes.
    """

    def __init__(self, config: Any, model: Any) -> None:
        super().__init__(config, model)
        # Two runs of one second, of one process or of two machines, share no name.
        name = f"{last_checkpoint.start_of_name(config)}{get_local_time()}-{uuid.uuid4().hex[:8]}"
        path = os.path.join(self.checkpoint_dir, f"{name}.pth")
        self.saved_model_file = distributed.from_main(path)
        self.eval_collector, self.evaluator = Measures.of(config)  # as RecBole calls them
        self.reports = EpochReports(self)
        self.recorder = self.reports.recorder
        self.fingerprint = ""
        self.last: last_checkpoint.LastCheckpoint | None = None
        self.gradient_average = distributed.GradientAverage(model.parameters())
        self.copy_state_from_main()

    def copy_state_from_main(self) -> None:
        """Give all processes the main one's parameters, and the buffers that training changes.

        Graphs and the sampler's tables stay as they were built.
        """
        tensors = [*self.model.state_dict().values()]
        if isinstance(getattr(self.model, "loss", None), torch.nn.Module):
            tensors += self.model.loss.buffers()
        distributed.copy_from_main([x for x in tensors if x.layout is torch.strided])

    def non_finite_loss(self, loss: float, epoch: int, batch: int) -> NonFiniteLossError:
        """The error for a loss that is nan or infinite: where, and what to try."""
        tau = getattr(getattr(self.model, "loss", None), "tau", None)
        return NonFiniteLossError(
            f"the loss of {self.config['model']} is {loss} in epoch {epoch}, batch {batch}"
            + (f" at tau = {tau}" if tau is not None else "")
            + f", learning_rate = {self.config['learning_rate']}: lower the learning rate"
            + (" or raise tau" if tau is not None else "")
        )

    def epoch_begins(self, epoch: int) -> None:
        """The trainers call this before an epoch, when all of the one before it is done."""
        if self.last is not None and epoch > self.start_epoch:
            self.last.epoch_done(self, epoch - 1)

    def fit(self, train_data: Any, valid_data: Any = None, *args: Any, **kwargs: Any) -> Any:
        """RecBole's ``fit``, of the trainer's own class."""
        self.eval_step: int = min(self.config["eval_step"], self.epochs)  # EASE's epochs are 1
        self.reports.begin(valid_data)
        return super().fit(train_data, valid_data, *args, **kwargs)

    # Evaluation --------------------------------------------------------------------------------

    def _valid_epoch(
        self, valid_data: Any, show_progress: bool = False
    ) -> tuple[float, dict[str, float]]:
        """RecBole's: the unrounded score, which early stopping compares, and rounded metrics."""
        started = time.perf_counter()
        metrics = self.evaluate(valid_data, load_best_model=False, show_progress=show_progress)
        score = calculate_valid_score(metrics, self.valid_metric)
        check_metrics_are_numbers({self.valid_metric: score}, "valid")
        self.reports.validated(metrics, score, time.perf_counter() - started)
        return score, rounded(metrics, self.config["metric_decimal_place"])

    def evaluate(
        self,
        eval_data: Any,
        load_best_model: bool = True,
        model_file: str | None = None,
        show_progress: bool = False,
    ) -> Any:
        """RecBole's ``evaluate``, on our checkpoints.

        Returns:
            dict: metric name -> float, unrounded; None for an empty part.
        """
        if eval_data and load_best_model:
            self.load(model_file or self.saved_model_file)
        own = Measures(self.eval_collector, self.evaluator)
        metrics, _ = self.measure(
            eval_data, own, load_best_model=False, show_progress=show_progress
        )
        return metrics

    def measure(
        self,
        loader: Any,
        measures: Measures,
        *,
        load_best_model: bool = True,
        show_progress: bool = False,
    ) -> tuple[dict[str, float] | None, DataStruct | None]:
        """Evaluate one part by measures of the caller's choice.

        Args:
            loader: the part's loader; None for an empty part.
            measures: their collector knows the training data (``data_collect``).
            load_best_model: whether to load this training's checkpoint first.
            show_progress: whether to show a bar.
        Returns:
            (metric name -> float, unrounded; what was collected of the users of all processes).
            (None, None) for an empty part.
        """
        if not loader:
            return None, None
        if load_best_model:
            self.load(self.saved_model_file)
        if measures.collector.ranks_blocks(self.model, loader):
            metrics, struct = self._measure_blocks(loader, measures, show_progress)
        else:
            metrics, struct = self._measure_batches(loader, measures, show_progress)
        return distributed.from_main(plain_metrics(metrics)), struct

    def _measure_blocks(
        self, loader: Any, measures: Measures, show_progress: bool
    ) -> tuple[dict[str, Any], DataStruct]:
        """Rank by blocks of users and items."""
        self.model.eval()
        own = distributed.own_part(len(loader.held_out))
        users = slice(own.start, own.stop)
        struct = gather(measures.collector.collect(self.model, loader, users, show_progress))
        metrics = measures.evaluator.evaluate(struct)
        self.wandblogger.log_eval_metrics(metrics, head="eval")
        return metrics, struct

    def _measure_batches(
        self, loader: Any, measures: Measures, show_progress: bool
    ) -> tuple[dict[str, Any], DataStruct]:
        """Score by the loader's batches, in RecBole's own way."""
        evaluator = _KeepingStruct(measures.evaluator)
        with sharding.own_users(loader) as any_users:
            if any_users:
                with self._evaluating_by(measures.collector, evaluator):
                    metrics = super().evaluate(
                        loader, load_best_model=False, show_progress=show_progress
                    )
            else:  # RecBole would return at once, and the other processes would wait for this one
                self.model.eval()
                metrics = evaluator.evaluate(measures.collector.get_data_struct())
        return metrics, evaluator.struct

    @contextlib.contextmanager
    def _evaluating_by(self, collector: Any, evaluator: Any) -> Iterator[None]:
        """RecBole's ``evaluate`` reads collector and evaluator from the trainer."""
        before = self.eval_collector, self.evaluator
        self.eval_collector, self.evaluator = collector, evaluator
        try:
            yield
        finally:
            self.eval_collector, self.evaluator = before

    # Checkpoints -------------------------------------------------------------------------------

    def load(self, path: str | os.PathLike[str]) -> None:
        """Put the weights of a checkpoint into the model; the main process alone reads the file."""
        source: Any = path
        if distributed.world().size > 1:
            content = Path(path).read_bytes() if distributed.world().main else None
            source = io.BytesIO(distributed.from_main(content))
        checkpoint.restore(self.model, checkpoint.read(source, self.device, str(path)), str(path))
        getLogger().info(f"Loading model structure and parameters from {path}")

    def _save_checkpoint(
        self, epoch: int, verbose: bool = True, saved_model_file: str | None = None, **kwargs: Any
    ) -> None:
        self.recorder.epoch_saved(epoch)
        if not distributed.world().main:
            return
        path = saved_model_file or self.saved_model_file
        checkpoint.write(
            path,
            config=self.config,
            model=self.model,
            optimizer=self.optimizer,
            epoch=epoch,
            cur_step=self.cur_step,
            best_valid_score=self.best_valid_score,
            fingerprint=self.fingerprint,
        )
        if verbose:
            getLogger().info(f"Saving current: {path}")

    def resume_checkpoint(self, resume_file: str) -> None:
        """RecBole's unpickles the file and restores a part of the state; not for use.

        Raises:
            UsageError: always; it names what to use.
        """
        raise UsageError(f"resume {resume_file} by recbole_dsl.run(..., resume={resume_file!r})")

    def save_pretrained_model(self, epoch: int, saved_model_file: str) -> None:
        """RecBole's pretraining stages save through here."""
        self._save_checkpoint(epoch, verbose=False, saved_model_file=saved_model_file)
        self.saved_model_file = saved_model_file


class _KeepingStruct:
    """RecBole's evaluator, keeping what it was last given, which RecBole's Trainer drops.

    Attributes:
        struct: the DataStruct of the last evaluation.
    """

    def __init__(self, evaluator: Any) -> None:
        self._evaluator = evaluator

    def evaluate(self, struct: DataStruct) -> dict[str, Any]:
        self.struct = struct
        return self._evaluator.evaluate(struct)
