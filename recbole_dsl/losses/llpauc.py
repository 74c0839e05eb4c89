"""LLPAUC: area under the lower-left part of the ROC curve, under a square surrogate."""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_finite, check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_scores


def _check_options(tau: float, alpha: float, beta: float) -> None:
    check_positive("tau", tau)
    for name, value in (("alpha", alpha), ("beta", beta)):
        check_finite(name, value)
        if not 0 < value <= 1:
            raise ValueError(f"{name} must be in (0, 1], got {value!r}")


def _part(share: float, size: int) -> int:
    """share * size, rounded up, at least 1."""
    # 0.07 * 100 is 7.000000000000001 in floating point and has to give 7, not 8.
    return max(1, math.ceil(share * size - 1e-9))


def llpauc_loss(
    pos: torch.Tensor, neg: torch.Tensor, *, tau: float, alpha: float, beta: float
) -> torch.Tensor:
    r"""LLPAUC: the best-scored positives should beat their hardest negatives, in a square loss.

    .. math::
        \ell_b = \frac{B}{|K|}\,[b \in K]\;\frac{1}{|H_b|} \sum_{j \in H_b}
            \bigl(1 - (p_b - n_{bj})\bigr)^2, \qquad
        p_b = \sigma(f_b/\tau), \quad n_{bj} = \sigma(f_{bj}/\tau)

    with K the :math:`\lceil \alpha B \rceil` rows of the batch whose positives score highest (true
    positive rate up to alpha) and :math:`H_b` the :math:`\lceil \beta M \rceil` highest negatives
    of row b (false positive rate up to beta).

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive.
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau: temperature of the sigmoid, > 0, in score units.
        alpha: share of the positives kept, in (0, 1]. A smaller one leaves out more of those that
            score lowest, as likely noise.
        beta: share of each row's negatives kept, in (0, 1], the hardest.
    Returns:
        (B,) float, >= 0; 0 in rows left out, and scaled so that its mean is the mean over the rows
        kept.
    Raises:
        ValueError: tau <= 0; alpha or beta outside (0, 1]; M == 0; shapes are not (B,) and (B, M).
    Source: Shi, Wang, Feng, Zhang, Wang, Wu, He, "Lower-Left Partial AUC: An Effective and
        Efficient Optimization Metric for Recommendation", WWW 2024.
    Differs from source: the source trains a minimax problem over the model and auxiliary scalars
        a, b, gamma and two thresholds, shared by all users, with a smoothed selection. Here the
        selection is exact within the batch, and each row's problem is taken at its solution
        :math:`a = p_b, b = \bar n_b, \gamma = b - a`, where
        :math:`E_+[(p-a)^2 - 2(1+\gamma)p] + E_-[(n-b)^2 + 2(1+\gamma)n] + 1 - \gamma^2` is the
        mean of the squares above. So a positive meets its own row's negatives; under scalars
        shared by all users it would meet every kept negative of every user. An optional tau.
    Conventions: no denominator; mean over the kept negatives; not multiplied by tau; one
        tau, inside the sigmoid.
    Limits: alpha = beta = 1 is the square loss of AUC on these scores. beta <= 1/M: the hardest
        negative alone.
    Example:
        >>> pos, neg = torch.tensor([0.0, -1.0]), torch.tensor([[0.0, -9.0], [0.0, -9.0]])
        >>> llpauc_loss(pos, neg, tau=1.0, alpha=0.5, beta=0.5)
        tensor([2., 0.])
    """
    _check_options(tau, alpha, beta)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    kept = pos.topk(_part(alpha, len(pos)), sorted=False).indices
    hardest = neg.topk(_part(beta, neg.shape[1]), dim=1, sorted=False).values
    gap = torch.sigmoid(pos / tau).unsqueeze(1) - torch.sigmoid(hardest / tau)
    weight = torch.zeros_like(pos).index_fill(0, kept, len(pos) / len(kept))
    return weight * (1 - gap).square().mean(dim=1)


class LLPAUCLoss(RowLoss):
    """Mean of :func:`llpauc_loss` over the rows it keeps of a batch."""

    paper = "Shi et al., WWW 2024"

    def __init__(self, *, tau: float = 0.3, alpha: float = 0.7, beta: float = 0.1) -> None:
        _check_options(tau, alpha, beta)
        super().__init__(tau=tau, alpha=alpha, beta=beta)

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
        return llpauc_loss(pos, neg, **self.options).mean()
