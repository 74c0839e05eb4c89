"""One training epoch of a ``<Backbone>_<Loss>``, without waiting for the device in each batch.

RecBole's loop reads the loss of each batch twice, to add it up and to check it; on a GPU each read
waits until all work queued so far is done. Here the losses stay on the device.
"""

import torch
from recbole.utils import get_gpu_usage, set_color
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm


def _look_every(device):
    """Batches between two looks at the losses: on the CPU, looking at each costs nothing."""
    return 1 if device.type == "cpu" else 100


def _bar(batches, epoch):
    head = set_color(f"Train {epoch:>5}", "pink")
    return tqdm(batches, total=len(batches), ncols=100, desc=head)


def _check(losses, start, end, fail):
    """Call fail(loss, batch) for the first of the losses start, ..., end - 1 that is not finite."""
    wrong = ~torch.isfinite(losses[start:end])
    if bool(wrong.any()):
        batch = start + int(wrong.nonzero()[0])
        fail(losses[batch].item(), batch)


def train_epoch(trainer, batches, epoch, show_progress, fail):
    """One pass over the training rows, as RecBole's ``Trainer._train_epoch`` makes it.

    What a step does is RecBole's: forward under autocast where ``enable_amp`` is on, backward,
    clipping, optimizer; in several processes, gradients are averaged before they are clipped.
    Autocast is to bfloat16, which needs no gradient scaler, and to float16 where ``enable_scaler``
    asks for one. Unlike there, gradients are clipped after the scaler has been divided out.

    Args:
        trainer: a RecBole Trainer with a ``gradient_average``.
        batches: the loader of the training rows.
        epoch: number of the epoch, for the progress bar.
        fail: (loss, batch) -> raises; called for a loss that is not finite, on a CPU before its
            gradient is taken, on a GPU at most 100 batches later, and before the epoch ends.
    Returns:
        float, the sum of the batches' losses in float64.
    """
    model, device, optimizer = trainer.model, trainer.device, trainer.optimizer
    model.train()
    losses = torch.zeros(len(batches), dtype=torch.float64, device=device)
    look_every, checked, done = _look_every(device), 0, 0

    scaler = torch.amp.GradScaler(device.type, enabled=trainer.enable_scaler)
    precision = torch.float16 if trainer.enable_scaler else torch.bfloat16
    shown = _bar(batches, epoch) if show_progress else batches
    for done, interaction in enumerate(shown, start=1):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, precision, enabled=trainer.enable_amp):
            loss = model.calculate_loss(interaction.to(device))
        losses[done - 1] = loss.detach()
        if done - checked >= look_every:
            _check(losses, checked, done, fail)
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
    _check(losses, checked, done, fail)
    return losses.sum().item()
