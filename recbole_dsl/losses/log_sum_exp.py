"""Log-sum-exp over a row's negatives, the pass over (B, M) that every softmax loss makes."""

import math
from collections.abc import Iterator
from typing import Any

import torch

# Floats for each thread of the buffer for a few rows' logits: with scores and weights, an L2 cache.
_CACHE = 1 << 17


def _parts(scores: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Slices of rows, each with a buffer (b, M): on a CPU so few rows that they stay in the cache,
    which took 0.6 to 0.8 of the time from (1024, 1000) to (2048, 8360)."""
    n_rows, m = scores.shape
    size = n_rows
    if scores.device.type == "cpu":
        size = min(max(_CACHE * torch.get_num_threads() // m, 1), n_rows)
    buffer = scores.new_empty(size, m)
    for start in range(0, n_rows, max(size, 1)):
        stop = min(start + size, n_rows)
        yield slice(start, stop), buffer[: stop - start]


class _LogSumExp(torch.autograd.Function):
    """log sum_j exp(scale * scores_j + bias_j) - shift, which saves its softmax for backward.

    torch.logsumexp takes exp once in each direction, and with the gap before it allocates seven
    times (B, M); see tests/performance/step.py for what that costs a step.
    """

    @staticmethod
    def forward(
        ctx: Any,
        scores: torch.Tensor,
        scale: torch.Tensor,
        bias: torch.Tensor | None,
        shift: torch.Tensor,
    ) -> torch.Tensor:
        weights, top = torch.empty_like(scores), scores.new_empty(2, len(scores))
        for rows, logits in _parts(scores):
            by = scale if len(scale) == 1 else scale[rows]
            if bias is None:
                torch.mul(scores[rows], by, out=logits)
            else:
                torch.addcmul(bias[rows], scores[rows], by, out=logits)
            torch.softmax(logits, dim=1, out=weights[rows])
            torch.amax(logits, dim=1, out=top[0, rows])
            torch.amax(weights[rows], dim=1, out=top[1, rows])
        ctx.save_for_backward(weights, scale)
        # The largest weight is exp(max - result) and at least 1/M: nothing under- or overflows.
        # The shift is first subtracted from the maximum, which keeps a small difference's digits.
        return top[0] - shift - top[1].log()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, grad: torch.Tensor
    ) -> tuple[torch.Tensor | None, None, torch.Tensor | None, torch.Tensor]:
        weights, scale = ctx.saved_tensors
        to_scores, _, to_bias, _ = ctx.needs_input_grad
        grad = grad.unsqueeze(1)
        return (
            weights * (grad * scale) if to_scores else None,
            None,
            weights * grad if to_bias else None,
            -grad.squeeze(1),
        )


def log_sum_exp(
    neg: torch.Tensor,
    pos: torch.Tensor | None = None,
    *,
    scale: float | torch.Tensor = 1.0,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """Log of the sum over j of exp(scale * (neg_j - pos) + bias_j). Never overflows.

    Args:
        neg: (B, M) float; a term of -inf adds nothing, one a row must be finite.
        pos: (B,) of the dtype of neg, or None for 0.
        scale: a number, or (B,) of the dtype of neg, without gradient.
        bias: (B, M) of the dtype of neg, or None for 0.
    Returns:
        (B,), differentiable once with respect to neg, pos and bias.
    """
    if not isinstance(scale, torch.Tensor):
        scale = neg.new_full((1,), scale)
    shift = neg.new_zeros(1) if pos is None else pos * scale
    total: torch.Tensor = _LogSumExp.apply(neg, scale.unsqueeze(1), bias, shift)  # type: ignore[no-untyped-call]  # torch has no types here
    return total


def log_mean_exp(
    neg: torch.Tensor,
    pos: torch.Tensor | None = None,
    *,
    scale: float | torch.Tensor = 1.0,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """As :func:`log_sum_exp`, with the mean over j in place of the sum."""
    return log_sum_exp(neg, pos, scale=scale, bias=bias) - math.log(neg.shape[1])


def with_zero(total: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(total)), (B,) -> (B,): adds the positive's own term to a log-sum-exp of gaps."""
    return torch.logaddexp(total, torch.zeros_like(total))
