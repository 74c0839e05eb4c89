"""SLatK: SL@K, SL weighted towards positives that can reach the top K."""

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_flag, check_positive
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_sum_exp
from recbole_dsl.losses.top_k_quantiles import TopKQuantileLoss


def slatk_loss(
    pos: torch.Tensor,
    neg: torch.Tensor,
    quantile: torch.Tensor,
    *,
    tau: float,
    tau_weight: float,
    weight_gradient: bool,
) -> torch.Tensor:
    r"""SL@K: SL on each positive, weighted by how near it is to its user's top K.

    .. math:: \ell_b = \mathrm{sigmoid}\Bigl(\frac{f_b - \beta_b}{\tau_w}\Bigr)
        \log \sum_{j=1}^M \exp\bigl((f_{bj} - f_b)/\tau\bigr)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        quantile: (B,) float. :math:`\beta_b`, the K-th largest score of the row's user.
        tau: temperature of the softmax, > 0, in score units.
        tau_weight: temperature of the weight, > 0, in score units.
        weight_gradient: whether the gradient flows through the weight too, as in the equation.
            That part pushes the positive's score down, more so for a smaller tau_weight and a
            larger M: the positive is pulled up less than the negatives are pushed down.
    Returns:
        (B,) float; may be negative.
    Raises:
        ValueError: a temperature <= 0; M == 0; quantile not of pos's shape.
    Source: Yang, Chen, Zhang, Wu, Sun, Feng, Chen, Wang, "Breaking the Top-K Barrier: Advancing
        Top-K Ranking Metrics Optimization in Recommender Systems", KDD 2025.
    Differs from source: not in the formula; for the quantiles, see :class:`SLatKLoss`. Unlike in
        our other softmax losses log M is kept, since a weight with a gradient makes it matter.
    Conventions: the positive is not in the denominator; sum over negatives; not multiplied
        by tau; tau is the softmax's, tau_weight the weight's.
    Limits: tau_weight -> infinity is (SL + log M) / 2, since sigmoid(0) = 1/2.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.6, 0.6]])
        >>> options = dict(tau=0.1, tau_weight=1.0, weight_gradient=True)
        >>> slatk_loss(pos, neg, torch.tensor([0.5]), **options)  # (1 + log 2) / 2
        tensor([0.8466])
    """
    check_positive("tau", tau)
    check_positive("tau_weight", tau_weight)
    check_scores(pos, neg)
    check_like("quantile", quantile, "pos", pos)
    pos, neg, quantile = in_float32(pos, neg, quantile)
    weight = slatk_weight(pos, quantile, tau_weight=tau_weight)
    weight = weight if weight_gradient else weight.detach()
    return weight * log_sum_exp(neg, pos, scale=1 / tau)


def slatk_weight(pos: torch.Tensor, quantile: torch.Tensor, *, tau_weight: float) -> torch.Tensor:
    """Weight of each row in :func:`slatk_loss`, in (0, 1): (B,), (B,) -> (B,)."""
    return torch.sigmoid((pos - quantile) / tau_weight)


class SLatKLoss(TopKQuantileLoss):
    """Mean of :func:`slatk_loss`, with each user's top-K quantile.

    The source's quantiles start at 0 and are estimated from sampled items. Here they are exact,
    measured over all items before epoch 0 and anew every ``quantile_every`` epochs; with
    ``quantile: regression`` they start exact and follow in each step, as those of Talos.

    tau_weight is searched from 0.5 to 3 in the source, whose best for MF are 2.5
    (amazon2014-health), the default here, and 2.25 (amazon2014-electronic).
    """

    paper = "Yang et al., KDD 2025"
    ignores_minus_inf = True

    def __init__(
        self,
        *,
        tau: float = 0.2,
        tau_weight: float = 2.5,
        weight_gradient: bool = True,
        k: int = 20,
        quantile: str = "exact",
        quantile_every: int = 5,
        quantile_learning_rate: float = 0.001,
    ) -> None:
        check_positive("tau", tau)
        check_positive("tau_weight", tau_weight)
        check_flag("weight_gradient", weight_gradient)
        super().__init__(
            tau=tau,
            tau_weight=tau_weight,
            weight_gradient=weight_gradient,
            k=k,
            quantile=quantile,
            quantile_every=quantile_every,
            quantile_learning_rate=quantile_learning_rate,
        )

    def forward(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        options = {name: self.options[name] for name in ("tau", "tau_weight", "weight_gradient")}
        loss = slatk_loss(pos, neg, self.quantile_of(users, pos), **options).mean()
        self.observe(users, pos, neg)
        return loss

    def robust_view(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> RobustView:
        quantile = self.quantile_of(users, pos)
        weight = slatk_weight(pos, quantile, tau_weight=self.options["tau_weight"])
        return RobustView(neg, torch.full_like(pos, self.tau), weight=weight)
