"""SL: sampled softmax loss, also called SSM."""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_flag, check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp, log_sum_exp, with_zero


def softmax_loss(pos: torch.Tensor, neg: torch.Tensor, *, tau: float) -> torch.Tensor:
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
    Conventions: the positive is not in the denominator; mean over negatives; not multiplied
        by tau; one tau.
    Limits: tau -> infinity: (mean of neg - pos) / tau. tau -> 0: (max of neg - pos) / tau.
    Example:
        >>> import torch
        >>> softmax_loss(torch.tensor([0.5]), torch.tensor([[0.5, 0.5]]), tau=0.1)
        tensor([0.])
    """
    check_positive("tau", tau)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    return log_mean_exp(neg, pos, scale=1 / tau)


def softmax_loss_with_positive(pos: torch.Tensor, neg: torch.Tensor, *, tau: float) -> torch.Tensor:
    r"""SL with the positive in the denominator: minus its log probability among all M + 1 items.

    .. math::
        \ell_b = \log \frac1{M+1} \Bigl(1 + \sum_{j=1}^M \exp\bigl((f_{bj} - f_b)/\tau\bigr)\Bigr)

    Args:
        pos, neg, tau: as in :func:`softmax_loss`.
    Returns:
        (B,) float, in nats, > -log(M + 1).
    Raises:
        ValueError: as :func:`softmax_loss`.
    Source: Wu et al., TOIS 2024, their main form; InfoNCE, van den Oord, Li, Vinyals 2018.
    Differs from source: the constant log(M + 1) is subtracted, so that values compare across M.
    Conventions: the positive is in the denominator; mean over it and the negatives; not
        multiplied by tau; one tau.
    Limits: M = 1 is BPR at the same tau, less log 2. Its gradient is SL's times the probability
        that the negatives win, so rows already won count for less.
    Example:
        >>> import torch
        >>> softmax_loss_with_positive(torch.tensor([0.5]), torch.tensor([[0.5]]), tau=0.1)
        tensor([0.])
    """
    check_positive("tau", tau)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    return with_zero(log_sum_exp(neg, pos, scale=1 / tau)) - math.log(neg.shape[1] + 1)


class SoftmaxLoss(RowLoss):
    """Mean of :func:`softmax_loss`, or of its form with the positive, over the rows of a batch."""

    paper = "Wu et al., TOIS 2024 (SSM)"
    ignores_minus_inf = True

    def __init__(self, *, tau: float = 0.2, positive_in_denominator: bool = False) -> None:
        check_positive("tau", tau)
        check_flag("positive_in_denominator", positive_in_denominator)
        super().__init__(tau=tau, positive_in_denominator=positive_in_denominator)
        self.row_loss = softmax_loss_with_positive if positive_in_denominator else softmax_loss

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
        return self.row_loss(pos, neg, tau=self.tau).mean()

    def robust_view(self, pos: torch.Tensor, neg: torch.Tensor) -> RobustView:
        return RobustView(neg, torch.full_like(pos, self.tau))
