"""One training epoch of a ``<Backbone>_<Loss>``, without waiting for the device in each batch.

RecBole's loop reads the loss of each batch twice, to add it up and to check it; on a GPU each read
waits until all work queued so far is done. Here the losses stay on the device.
"""

from typing import Any, NamedTuple

import torch
from recbole.utils import get_gpu_usage, set_color
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from recbole_dsl.common.errors import UsageError
from recbole_dsl.training.loss_observer import LossObserver


def batches_between_checks(device: torch.device) -> int:
    """After how many batches the losses are read; on a CPU, reading costs nothing."""
    return 1 if device.type == "cpu" else 100


class Trained(NamedTuple):
    """What an epoch of training gave.

    Attributes:
        loss: the sum of the batches' losses, which RecBole calls the training loss.
        mean_loss: the mean over the rows. Both added up in float64.
        statistics: :meth:`recbole_dsl.losses.RowLoss.statistics` of the last batch.
    """

    loss: float
    mean_loss: float
    statistics: dict[str, float]


def train_epoch(trainer: Any, batches: Any, epoch: int, show_progress: bool) -> Trained:
    """One pass over the training rows, as RecBole's ``Trainer._train_epoch`` makes it.

    What a step does is RecBole's: forward under autocast where ``enable_amp`` is on, backward,
    clipping, optimizer; in several processes, gradients are averaged before they are clipped.
    Autocast is to bfloat16, which needs no gradient scaler, and to float16 where ``enable_scaler``
    asks for one. Unlike there, gradients are clipped after the scaler has been divided out.

    Args:
        trainer: a :class:`recbole_dsl.training.pair_trainer.PairTrainer`.
        batches: the loader of the training rows.
        epoch: number of the epoch, for the progress bar and errors.
        show_progress: whether to show a bar.
    Raises:
        UsageError: a loss is no single number.
        NonFiniteLossError: a loss is nan or infinite; on a CPU before its gradient is taken, on a
            GPU at most 100 batches later, and before the epoch ends.
    """
    model, device, optimizer = trainer.model, trainer.device, trainer.optimizer
    model.train()
    losses = torch.zeros(len(batches), dtype=torch.float64, device=device)
    check_after, checked, done = batches_between_checks(device), 0, 0
    sizes, observer = list[int](), LossObserver(model.loss)

    scaler = torch.amp.GradScaler(device.type, enabled=trainer.enable_scaler)
    precision = torch.float16 if trainer.enable_scaler else torch.bfloat16
    shown = _progress_bar(batches, epoch) if show_progress else batches
    for done, interaction in enumerate(shown, start=1):
        optimizer.zero_grad(set_to_none=True)
        sizes.append(len(interaction))
        if done == len(losses):
            observer.observe()
        with torch.autocast(device.type, precision, enabled=trainer.enable_amp):
            loss = model.calculate_loss(interaction.to(device))
        if loss.ndim:
            raise UsageError(
                f"{trainer.config['model']}: the loss of a batch must be one number, got a tensor "
                f"of shape {tuple(loss.shape)}: take its mean"
            )
        losses[done - 1] = loss.detach()
        if done - checked >= check_after:
            _check_finite(trainer, losses, epoch, checked, done)
            checked = done
            if show_progress and trainer.gpu_available:
                usage = set_color("GPU RAM: " + get_gpu_usage(device), "yellow")
                shown.set_postfix_str(usage)
        scaler.scale(loss).backward()
        trainer.gradient_average()
        if trainer.clip_grad_norm:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), **trainer.clip_grad_norm)
        scaler.step(optimizer)
        scaler.update()
    _check_finite(trainer, losses, epoch, checked, done)
    rows = torch.tensor(sizes, dtype=torch.float64, device=device)
    mean = (losses[:done] * rows).sum() / rows.sum()
    return Trained(losses.sum().item(), mean.item(), observer.values())


def _progress_bar(batches: Any, epoch: int) -> Any:
    description = set_color(f"Train {epoch:>5}", "pink")
    return tqdm(batches, total=len(batches), ncols=100, desc=description, leave=False)


def _check_finite(trainer: Any, losses: torch.Tensor, epoch: int, start: int, end: int) -> None:
    """Raise for the first loss of the batches start, ..., end - 1 that is not finite."""
    wrong = ~torch.isfinite(losses[start:end])
    if bool(wrong.any()):
        batch = start + int(wrong.nonzero()[0])
        raise trainer.non_finite_loss(losses[batch].item(), epoch, batch)
