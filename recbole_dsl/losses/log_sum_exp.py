"""Log-sum-exp over a row's negatives, the pass over (B, M) that every softmax loss makes."""

import math
from typing import Any

import torch


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
        logits = scores * scale if bias is None else torch.addcmul(bias, scores, scale)
        weights = torch.softmax(logits, dim=1)
        ctx.save_for_backward(weights, scale)
        # The largest weight is exp(max - result) and at least 1/M: nothing under- or overflows.
        # The shift is first subtracted from the maximum, which keeps a small difference's digits.
        return logits.amax(dim=1) - shift - weights.amax(dim=1).log()

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
        neg: (B, M) float, finite.
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
