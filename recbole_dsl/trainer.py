"""RecBole's trainers, whichever a model asks for, with our evaluation, checkpoints and records."""

import io
import os
import time
from logging import getLogger
from pathlib import Path

import torch
from recbole.utils import calculate_valid_score, get_local_time, get_trainer

from recbole_dsl import __version__, checkpoint, distributed, shards
from recbole_dsl.epoch import train_epoch
from recbole_dsl.evaluation import TopkCollector, plain_metrics, rounded, unrounded_evaluator
from recbole_dsl.optimizer import fused


class NonFiniteLossError(RuntimeError):
    """Training met a loss that is not a number; str() says where and what to try."""


class _Records:
    """Mixin over a RecBole Trainer: what a run measures and leaves behind.

    ``epochs`` lists ``{epoch, train_loss, train_seconds, valid, eval_seconds}``, ``best_epoch`` is
    the epoch whose weights were kept, ``best_valid`` its unrounded metrics.
    """

    def __init__(self, config, model):
        super().__init__(config, model)
        name = f"{config['model']}-{config['dataset']}-{get_local_time()}-{os.getpid()}.pth"
        self.saved_model_file = distributed.from_main(os.path.join(self.checkpoint_dir, name))
        self.eval_collector = TopkCollector(config)
        self.evaluator = unrounded_evaluator(config)
        self.epochs_done, self.best_epoch, self.best_valid = [], None, None
        self.extra_state = {}
        self._best_score = None
        self.gradient_average = distributed.GradientAverage(model.parameters())
        distributed.copy_from_main(_shared_state(model))
        if not config.spec.backbone and distributed.world().size > 1:  # in RecBole's own loop
            self.optimizer.register_step_pre_hook(lambda *_: self.gradient_average())

    # Training ----------------------------------------------------------------------------------

    def _build_optimizer(self, **kwargs):
        built = super()._build_optimizer(**kwargs)
        return fused(built) if self.config.spec.backbone else built

    def _train_epoch(self, train_data, epoch_idx, loss_func=None, show_progress=False):
        self._epoch, self._batches = epoch_idx, 0
        started = time.perf_counter()
        shards.start_epoch(train_data, epoch_idx)
        if self.config.spec.backbone:
            losses = self._train_pair(train_data, epoch_idx, show_progress)
        else:
            losses = super()._train_epoch(train_data, epoch_idx, loss_func, show_progress)
            # Not averaged in training: running means of batch normalisation and the like.
            distributed.copy_from_main(_shared_state(self.model))
        self.epochs_done.append(
            {
                "epoch": epoch_idx,
                "train_loss": float(sum(losses) if isinstance(losses, tuple) else losses),
                "train_seconds": time.perf_counter() - started,
                "valid": None,
                "eval_seconds": None,
            }
        )
        return losses

    def _train_pair(self, train_data, epoch_idx, show_progress):
        """An epoch of a pair; in several processes, its loss is the mean over the processes."""
        # All processes look at all rows here, so that the main one's state is that of one process.
        with shards.whole(train_data):
            self.model.begin_epoch(epoch_idx, train_data)
        distributed.copy_from_main(_shared_state(self.model))
        total = train_epoch(self, train_data, epoch_idx, show_progress, self._fail)
        buffers = dict(self.model.loss.named_buffers())
        distributed.add_up(buffers[name] for name in self.model.loss.row_sums)
        return sum(distributed.from_all(total)) / distributed.world().size

    def _check_nan(self, loss):
        if not bool(torch.isfinite(loss).all()):
            self._fail(loss.item(), self._batches)
        self._batches += 1

    def _fail(self, loss, batch):
        tau = getattr(getattr(self.model, "loss", None), "tau", None)
        raise NonFiniteLossError(
            f"the loss of {self.config['model']} is {loss} in epoch {self._epoch}, batch {batch}"
            + (f" at tau = {tau}" if tau is not None else "")
            + f", learning_rate = {self.config['learning_rate']}: lower the learning rate"
            + (" or raise tau" if tau is not None else "")
        )

    # Evaluation --------------------------------------------------------------------------------

    def _valid_epoch(self, valid_data, show_progress=False):
        started = time.perf_counter()
        result = self.evaluate(valid_data, load_best_model=False, show_progress=show_progress)
        score = calculate_valid_score(result, self.valid_metric)
        if self.epochs_done:
            self.epochs_done[-1]["valid"] = result
            self.epochs_done[-1]["eval_seconds"] = time.perf_counter() - started
        bigger = self.valid_metric_bigger
        best = self._best_score
        if best is None or (score >= best if bigger else score <= best):
            self._best_score, self.best_valid = score, result
            self.best_epoch = self.epochs_done[-1]["epoch"] if self.epochs_done else None
        return score, rounded(result, self.config["metric_decimal_place"])

    def evaluate(self, eval_data, load_best_model=True, model_file=None, show_progress=False):
        """RecBole's evaluate, on our checkpoints; the metrics come back unrounded."""
        if not eval_data:
            return None
        if load_best_model:
            self.load(model_file or self.saved_model_file)
        if self.eval_collector.ranks_blocks(self.model, eval_data):
            result = self._rank_blocks(eval_data, show_progress)
        else:
            result = self._rank_batches(eval_data, show_progress)
        return distributed.from_main(plain_metrics(result))

    def _rank_blocks(self, eval_data, show_progress):
        self.model.eval()
        own = distributed.own_part(len(eval_data.held_out))
        struct = self.eval_collector.collect(
            self.model, eval_data, slice(own.start, own.stop), show_progress
        )
        result = self.evaluator.evaluate(shards.gather(struct))
        self.wandblogger.log_eval_metrics(result, head="eval")
        return result

    def _rank_batches(self, eval_data, show_progress):
        with shards.own_users(eval_data) as any_users:
            if any_users:
                return super().evaluate(
                    eval_data, load_best_model=False, show_progress=show_progress
                )
            self.model.eval()  # RecBole would return at once, and the others wait
            return self.evaluator.evaluate(self.eval_collector.get_data_struct())

    def load(self, path):
        """Put the weights of a checkpoint into the model; the main process alone reads the file."""
        if distributed.world().size > 1:
            content = Path(path).read_bytes() if distributed.world().main else None
            source = io.BytesIO(distributed.from_main(content))
        else:
            source = path
        restore(self.model, checkpoint.read(source, self.device))
        getLogger().info(f"Loading model structure and parameters from {path}")

    # Checkpoints -------------------------------------------------------------------------------

    def _save_checkpoint(self, epoch, verbose=True, saved_model_file=None, **kwargs):
        if self._best_score is None:  # nothing to choose by: the last epoch is the one kept
            self.best_epoch = epoch if epoch >= 0 else None
        if not distributed.world().main:
            return
        path = saved_model_file or self.saved_model_file
        state = {
            "recbole_dsl": __version__,
            "model": self.config.spec.target,
            "dataset": self.config["dataset"],
            "config": checkpoint.encode(self.config.layered),
            "origins": dict(self.config.origins),
            "epoch": epoch,
            "cur_step": self.cur_step,
            "best_valid_score": float(self.best_valid_score),
            "state_dict": self.model.state_dict(),
            "other_parameter": checkpoint.encode(self.model.other_parameter()),
            "optimizer": self.optimizer.state_dict(),
            **self.extra_state,
        }
        checkpoint.write_atomically(path, lambda temporary: torch.save(state, temporary))
        if verbose:
            getLogger().info(f"Saving current: {path}")

    def save_pretrained_model(self, epoch, saved_model_file):
        """RecBole's pretraining stages save through here."""
        self._save_checkpoint(epoch, verbose=False, saved_model_file=saved_model_file)
        self.saved_model_file = saved_model_file


def _shared_state(model):
    """The tensors that are the same in all processes: parameters, and buffers that training moves.

    Graphs and the sampler's tables stay as they were built.
    """
    moved = [*model.state_dict().values()]
    if hasattr(model, "loss") and isinstance(model.loss, torch.nn.Module):
        moved += model.loss.buffers()
    return [tensor for tensor in moved if tensor.layout is torch.strided]


def restore(model, state):
    """Load a checkpoint's weights, and what a model keeps beside them, into the model."""
    model.load_state_dict(state["state_dict"])
    model.load_other_parameter(checkpoint.decode(state["other_parameter"]))


def trainer_class(config):
    """The trainer RecBole has for this model, with our records."""
    host = get_trainer(config["MODEL_TYPE"], config["model"])
    return type(f"Recording{host.__name__}", (_Records, host), {})
