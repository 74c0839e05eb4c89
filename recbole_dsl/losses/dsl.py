"""DSL: Dual-scale Softmax Loss, SL with weighted negatives and a temperature per example."""

import math
from typing import Any

import torch

from recbole_dsl.common.row_topk import row_topk
from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_at_least, check_count, check_finite, check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp


def _checked(
    tau: float, alpha: float, beta: float, gamma: float, slate_size: int, clip: float
) -> dict[str, Any]:
    """The options by name; raises ValueError where one is out of its range."""
    check_positive("tau", tau)
    for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        check_finite(name, value)
    check_count("slate_size", slate_size)
    check_at_least("clip", clip, 1)
    return dict(tau=tau, alpha=alpha, beta=beta, gamma=gamma, slate_size=slate_size, clip=clip)


def _centred(values: torch.Tensor, bound: float) -> torch.Tensor:
    """(B,) values, shifted so that their mean is 0 once they are clipped to [-bound, bound]."""
    low, high = values.min(), values.max()
    for _ in range(40):  # bisection: the mean falls as the shift grows, and no step waits for a GPU
        shift = (low + high) / 2
        above = (values - shift).clamp(-bound, bound).mean() > 0
        low, high = torch.where(above, shift, low), torch.where(above, high, shift)
    return (values - shift).clamp(-bound, bound)


def _largest(values: torch.Tensor, k: int) -> torch.Tensor:
    """Indices of the k largest of each row, (B, M) -> (B, k) in any order."""
    search = row_topk if values.device.type == "cpu" else torch.topk
    return search(values, k, sorted=False)[1]


@torch.no_grad()
def dsl_scales(
    pos: torch.Tensor,
    neg: torch.Tensor,
    item_similarity: torch.Tensor,
    *,
    tau: float,
    alpha: float,
    beta: float,
    gamma: float,
    slate_size: int,
    clip: float,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    r"""The two scales of DSL for a batch: weights of the negatives, temperatures of the examples.

    .. math::
        h_{bj} &= \mathrm{sigmoid}(d_{bj}/\tau) \qquad
        \kappa_{bj} = M\,\mathrm{softmax}_j(\alpha h_{bj} + \beta s_{bj}) \\
        c_b &= \mathrm{mean}_{j \in S_b}\, h_{bj}, \quad
        S_b = \text{the } K \text{ largest } \kappa_{bj} \exp(d_{bj}/\tau) \\
        \tau_b &= \tau \exp(\gamma (c_b - c_0)), \text{ clipped to } [\tau/r, r\tau]

    with :math:`d_{bj} = f_{bj} - f_b` and :math:`c_0` such that the geometric mean of the
    :math:`\tau_b` over the batch is :math:`\tau`: the mean of the :math:`c_b` where none is
    clipped, which is always so for :math:`|\gamma| \le \log r`, since :math:`0 < c_b < 1`.

    Args:
        pos: (B,) float32 or float64. Score :math:`f_b` of each row's positive.
        neg: (B, M), same dtype. Scores :math:`f_{bj}` of the row's negatives.
        item_similarity: (B, M), same dtype. :math:`s_{bj}`, cosine of the negative and the positive
            item, in [-1, 1].
        tau, alpha, beta, gamma, slate_size (K), clip (r): as in :func:`dsl_loss`.
    Returns:
        log_kappa: (B, M), log of weights whose mean over j is 1; None when alpha == beta == 0.
        tau_b: (B,), the temperatures; None when gamma == 0. Neither carries a gradient.
    """
    log_kappa, m = None, neg.shape[1]
    if alpha != 0 or beta != 0:
        logits = beta * item_similarity
        if alpha != 0:
            logits = logits + alpha * torch.sigmoid((neg - pos.unsqueeze(1)) / tau)
        log_kappa = torch.log_softmax(logits, dim=1).add_(math.log(m))
    if gamma == 0:
        return log_kappa, None

    # The slate is ranked by logits, since log is monotone and kappa * exp(d / tau) can overflow;
    # the positive's score is the same for the whole row and does not change the order.
    rank_by = neg if log_kappa is None else torch.add(log_kappa, neg, alpha=1 / tau)
    slate = neg.gather(1, _largest(rank_by, min(slate_size, m)))
    intensity = torch.sigmoid((slate - pos.unsqueeze(1)) / tau).mean(dim=1)
    log_ratio = gamma * (intensity - intensity.mean())
    if abs(gamma) > math.log(clip):
        log_ratio = _centred(log_ratio, math.log(clip))
    return log_kappa, tau * log_ratio.exp()


def dsl_loss(
    pos: torch.Tensor,
    neg: torch.Tensor,
    item_similarity: torch.Tensor,
    *,
    tau: float,
    alpha: float,
    beta: float,
    gamma: float,
    slate_size: int,
    clip: float,
) -> torch.Tensor:
    r"""DSL: SL whose negatives are weighted and whose temperature follows the competition.

    .. math:: \ell_b = \log \frac1M \sum_{j=1}^M \kappa_{bj} \exp\bigl((f_{bj} - f_b)/\tau_b\bigr)

    with :math:`\kappa` and :math:`\tau_b` of :func:`dsl_scales`, both without gradient.

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        item_similarity: (B, M) float. Cosine of each negative item and the row's positive item.
        tau: base temperature, > 0, in score units; the geometric mean of the examples' own.
        alpha: weight of hardness in kappa, any sign. > 0 gives hard negatives more weight.
        beta: weight of item similarity in kappa, any sign. > 0 gives substitutes of the positive
            more weight, < 0 less, as likely false negatives.
        gamma: strength of the example temperatures, any sign. > 0 gives an example with much
            competition a higher temperature, < 0 a lower one.
        slate_size: K, the number of top competitors from which an example's competition is
            measured, >= 1; all negatives where there are fewer than K.
        clip: r >= 1, bound on the ratio between an example's temperature and tau, either way. It
            can act only where abs(gamma) > log(clip).
    Returns:
        (B,) float, in nats; may be negative, as in SL.
    Raises:
        ValueError: an option out of its range; M == 0; item_similarity not of neg's shape.
    Source: "DSL: Understanding and Improving Softmax Recommender Systems with Competition-Aware
        Scaling", arXiv 2602.07206. From its abstract and public summaries, the paper's: the
        log-sum-exp backbone; a branch within the example that reweights the sampled negatives by
        hardness and by item-item similarity; a branch that gives each example its own temperature
        from the competition on a slate of top competitors; normalisation in both; SL when both are
        off; the KL-DRO reading.
    Differs from source: the full text was not at hand. Ours are the forms: the sigmoid as hardness,
        the linear mix under a softmax, the mean hardness as intensity, exp(gamma (c - c_0)), the
        clip, the geometric mean of tau, the stopped gradients and the defaults.
    Conventions: the positive is not in the denominator; mean over negatives; not multiplied
        by tau; one base tau, one temperature per example.
    Limits: alpha = beta = gamma = 0 is SL, to the bit.
    Example:
        >>> off = dict(alpha=0.0, beta=0.0, gamma=0.0, slate_size=2, clip=4.0)
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.5, 0.5]])
        >>> dsl_loss(pos, neg, torch.zeros(1, 2), tau=0.1, **off)
        tensor([0.])
    """
    options = _checked(tau, alpha, beta, gamma, slate_size, clip)
    check_scores(pos, neg)
    check_like("item_similarity", item_similarity, "neg", neg)
    pos, neg, item_similarity = in_float32(pos, neg, item_similarity)
    log_kappa, tau_b = dsl_scales(pos, neg, item_similarity, **options)
    return log_mean_exp(neg, pos, scale=1 / (tau if tau_b is None else tau_b), bias=log_kappa)


class DSLLoss(RowLoss):
    """Mean of :func:`dsl_loss` over the rows of a batch."""

    paper = "arXiv 2602.07206"
    inputs = ("pos", "neg", "item_similarity")
    ignores_minus_inf = True

    def __init__(
        self,
        *,
        tau: float = 0.2,
        alpha: float = 0.0,
        beta: float = 1.0,
        gamma: float = 1.0,
        slate_size: int = 20,
        clip: float = 4.0,
    ) -> None:
        super().__init__(**_checked(tau, alpha, beta, gamma, slate_size, clip))

    def forward(
        self, pos: torch.Tensor, neg: torch.Tensor, item_similarity: torch.Tensor
    ) -> torch.Tensor:
        return dsl_loss(pos, neg, item_similarity, **self.options).mean()

    def robust_view(
        self, pos: torch.Tensor, neg: torch.Tensor, item_similarity: torch.Tensor
    ) -> RobustView:
        pos, neg, item_similarity = in_float32(pos, neg, item_similarity)
        log_kappa, tau_b = dsl_scales(pos, neg, item_similarity, **self.options)
        tau_b = torch.full_like(pos, self.tau) if tau_b is None else tau_b
        return RobustView(neg, tau_b, log_kappa)
