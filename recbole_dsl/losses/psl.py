"""PSL: pairwise softmax loss, SL with a surrogate in place of exp that grows more slowly."""

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_choice, check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp

# The part of the surrogate above 1: sigma(x) = 1 + EXCESS[name](x), each x + O(x^2) at 0.
EXCESS = {"tanh": torch.tanh, "atan": torch.atan, "relu": lambda x: x}


def _log_surrogate(gap: torch.Tensor, surrogate: str) -> torch.Tensor:
    """log sigma(gap), floored where sigma has reached 0, which keeps loss and gradient finite."""
    excess = EXCESS[surrogate](gap)
    # log1p of -1 is -inf with an infinite gradient: stop at the dtype's last number above -1.
    floor = -1 + torch.finfo(gap.dtype).eps
    return torch.log1p(excess.clamp(min=floor))


def psl_loss(pos: torch.Tensor, neg: torch.Tensor, *, tau: float, surrogate: str) -> torch.Tensor:
    r"""PSL: SL with a surrogate closer to a step function in place of the exponential of each pair.

    .. math::
        \ell_b = \log \frac1M \sum_{j=1}^M
            \sigma\Bigl(\frac{f_{bj} - f_b}{2}\Bigr)^{2/\tau}, \qquad
        \sigma(x) = 1 + \tanh x,\; 1 + \arctan x \text{ or } \max(0, 1 + x)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau: temperature, > 0, on the scale of SL's.
        surrogate: "tanh", "atan" or "relu".
    Returns:
        (B,) float, in nats; may be negative, as in SL.
    Raises:
        ValueError: tau <= 0; unknown surrogate; M == 0; shapes are not (B,) and (B, M).
    Source: Yang, Chen, Xin, Zhou, Hu, Feng, Chen, Wang, "PSL: Rethinking and Improving Softmax Loss
        from Pairwise Perspective for Recommendation", NeurIPS 2024.
    Differs from source: the source's scores are halved cosines, so that gaps lie in [-1, 1], under
        an exponent 1/tau; here scores are cosines, the halving is in the formula and its tau is
        half of ours. The constant log M is subtracted. A surrogate that has reached 0 is floored at
        the dtype's epsilon, with gradient 0 there (relu at a gap of -2; atan cannot reach it for
        cosines); scores beyond cosines are outside the source's setting.
    Conventions: the positive is not in the denominator; mean over negatives; not multiplied
        by tau; one tau, outside the surrogate.
    Limits: every surrogate agrees with exp to first order, so PSL is SL for gaps small beside 1;
        exp in place of sigma is SL at the same tau.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.5, 0.5]])
        >>> psl_loss(pos, neg, tau=0.1, surrogate="relu")
        tensor([0.])
    """
    check_positive("tau", tau)
    check_choice("surrogate", surrogate, tuple(EXCESS))
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    gap = (neg - pos.unsqueeze(1)) / 2
    return log_mean_exp(_log_surrogate(gap, surrogate), scale=2 / tau)


class PSLLoss(RowLoss):
    """Mean of :func:`psl_loss` over the rows of a batch."""

    paper = "Yang et al., NeurIPS 2024"
    scores = ("cosine",)
    ignores_minus_inf = True

    def __init__(self, *, tau: float = 0.2, surrogate: str = "relu") -> None:
        check_positive("tau", tau)
        check_choice("surrogate", surrogate, tuple(EXCESS))
        super().__init__(tau=tau, surrogate=surrogate)

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
        return psl_loss(pos, neg, **self.options).mean()

    def robust_view(self, pos: torch.Tensor, neg: torch.Tensor) -> RobustView:
        # sigma(d / 2)^(2 / tau) = exp((f - pos) / tau): with score f, SL has the same term
        pos, neg = in_float32(pos, neg)
        gap = neg - pos.unsqueeze(1)
        f = pos.unsqueeze(1) + 2 * _log_surrogate(gap / 2, self.options["surrogate"])
        return RobustView(f, torch.full_like(pos, self.tau))
