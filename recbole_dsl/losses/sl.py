"""SL: sampled softmax loss, also called SSM."""

import math

import torch

from recbole_dsl.losses._base import RowLoss
from recbole_dsl.losses._checks import check_positive, check_scores, in_float32


def log_mean_exp(logits):
    """log of the mean of exp over the last dimension, (..., M) -> (...). Never overflows."""
    return torch.logsumexp(logits, dim=-1) - math.log(logits.shape[-1])


def softmax_loss(pos, neg, *, tau):
    r"""SL: a smooth maximum of the negatives' scores should stay below the positive's.

    .. math:: \ell_b = \log \frac1M \sum_{j=1}^M \exp\bigl((f_{bj} - f_b)/\tau\bigr)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau: temperature, > 0, in score units.
    Returns:
        (B,) float, in nats; negative once the negatives lie below the positive, since the positive
        is not in the denominator and the mean, not the sum, is taken.
    Raises:
        ValueError: tau <= 0; M == 0; shapes are not (B,) and (B, M).
    Source: Wu, Wang, Gao, Chen, Fu, Qiu, "On the effectiveness of sampled softmax loss for item
        recommendation", TOIS 2024; the form without the positive in the denominator is the one
        whose KL-DRO reading is given in Wu et al., "BSL", ICDE 2024.
    Differs from source: the constant log M is subtracted, so that values compare across M.
    The four questions: the positive is not in the denominator; mean over negatives; not multiplied
        by tau; one tau.
    Limits: tau -> infinity: (mean of neg - pos) / tau. tau -> 0: (max of neg - pos) / tau.
    Example:
        >>> softmax_loss(torch.tensor([0.5]), torch.tensor([[0.5, 0.5]]), tau=0.1)
        tensor([0.])
    """
    check_positive("tau", tau)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    return log_mean_exp((neg - pos.unsqueeze(1)) / tau)


class SoftmaxLoss(RowLoss):
    """Mean of :func:`softmax_loss` over the rows of a batch."""

    paper = "Wu et al., TOIS 2024 (SSM)"

    def __init__(self, *, tau):
        check_positive("tau", tau)
        super().__init__(tau=tau)

    def forward(self, pos, neg):
        return softmax_loss(pos, neg, **self.options).mean()
