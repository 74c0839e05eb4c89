"""RecBole's trainers, whichever a model asks for, with our evaluation, checkpoints and records."""

import os
import time
from logging import getLogger

import torch
from recbole.utils import calculate_valid_score, get_local_time, get_trainer

from recbole_dsl import __version__, checkpoint
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
        self.saved_model_file = os.path.join(self.checkpoint_dir, name)
        self.eval_collector = TopkCollector(config)
        self.evaluator = unrounded_evaluator(config)
        self.epochs_done, self.best_epoch, self.best_valid = [], None, None
        self.extra_state = {}
        self._best_score = None

    # Training ----------------------------------------------------------------------------------

    def _build_optimizer(self, **kwargs):
        built = super()._build_optimizer(**kwargs)
        return fused(built) if self.config.spec.backbone else built

    def _train_epoch(self, train_data, epoch_idx, *args, **kwargs):
        self._epoch = epoch_idx
        started = time.perf_counter()
        if hasattr(self.model, "begin_epoch"):
            self.model.begin_epoch(epoch_idx, train_data)
        losses = super()._train_epoch(train_data, epoch_idx, *args, **kwargs)
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

    def _check_nan(self, loss):
        if bool(torch.isfinite(loss).all()):
            return
        tau = getattr(getattr(self.model, "loss", None), "tau", None)
        raise NonFiniteLossError(
            f"the loss of {self.config['model']} is {loss.item()} in epoch {self._epoch}"
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
            self.model.eval()
            struct = self.eval_collector.collect(self.model, eval_data, show_progress=show_progress)
            result = self.evaluator.evaluate(struct)
            self.wandblogger.log_eval_metrics(result, head="eval")
        else:
            result = super().evaluate(eval_data, load_best_model=False, show_progress=show_progress)
        return plain_metrics(result)

    def load(self, path):
        """Put the weights of a checkpoint into the model."""
        restore(self.model, checkpoint.read(path, self.device))
        getLogger().info(f"Loading model structure and parameters from {path}")

    # Checkpoints -------------------------------------------------------------------------------

    def _save_checkpoint(self, epoch, verbose=True, saved_model_file=None, **kwargs):
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
        if self._best_score is None:  # nothing to choose by: the last epoch is the one kept
            self.best_epoch = epoch if epoch >= 0 else None
        if verbose:
            getLogger().info(f"Saving current: {path}")

    def save_pretrained_model(self, epoch, saved_model_file):
        """RecBole's pretraining stages save through here."""
        self._save_checkpoint(epoch, verbose=False, saved_model_file=saved_model_file)
        self.saved_model_file = saved_model_file


def restore(model, state):
    """Load a checkpoint's weights, and what a model keeps beside them, into the model."""
    model.load_state_dict(state["state_dict"])
    model.load_other_parameter(checkpoint.decode(state["other_parameter"]))


def trainer_class(config):
    """The trainer RecBole has for this model, with our records."""
    host = get_trainer(config["MODEL_TYPE"], config["model"])
    return type(f"Recording{host.__name__}", (_Records, host), {})
