"""Talos: SL on the log sigmoid of the score above the user's top-K quantile."""

import math

import torch
from torch.nn.functional import logsigmoid

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_positive
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp
from recbole_dsl.losses.top_k_quantiles import TopKQuantileLoss


def talos_loss(
    pos: torch.Tensor, neg: torch.Tensor, quantile: torch.Tensor, *, tau: float
) -> torch.Tensor:
    r"""Talos: the share of the positive among the items above its user's top-K quantile, softened.

    .. math::
        \ell_b = \log \frac1M \sum_{j=1}^M \sigma(f_{bj} - \beta_b)^{1/\tau}
            - \frac1\tau \log \sigma(f_b - \beta_b), \qquad \sigma(x) = \frac1{1 + e^{-x}}

    With a step function for :math:`\sigma(\cdot)^{1/\tau}` it is the logarithm of how many items
    are in the top K, for a positive that is. The denominator keeps scores and quantiles from
    growing together.

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        quantile: (B,) float. :math:`\beta_b`, the K-th largest score of the row's user. No gradient
            flows into it.
        tau: temperature, > 0, in the exponent alone: the sigmoid has none.
    Returns:
        (B,) float, in nats; negative once the negatives lie below the positive.
    Raises:
        ValueError: tau <= 0; M == 0; shapes are not (B,), (B, M) and (B,).
    Source: Zhang, Yang, Chen, Wu, Sun, Wang, Shi, Wang, "Talos: Optimizing Top-K Accuracy in
        Recommender Systems", WWW 2026, arXiv 2601.19276, Eq. (3.7), with the denominator over
        sampled negatives and a detached quantile, as there in training. The quantiles:
        :class:`recbole_dsl.losses.top_k_quantiles.RegressionQuantiles`.
    Differs from source: the constant log M is subtracted, so that values compare across M. Read in
        the paper's text; not compared with the authors' code.
    Conventions: the positive is not in the denominator; mean over negatives; not multiplied
        by tau; one tau, outside the sigmoid. At scores near the quantile the log sigmoid has slope
        1/2, so tau is like 2 tau in SL: the paper's best are 0.1 where SL's are 0.2 (Games,
        Electronics), 0.05 where they are 0.1 (Gowalla).
    Limits: a quantile far above all scores gives SL at the same tau.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.5, 0.5]])
        >>> talos_loss(pos, neg, torch.tensor([0.3]), tau=0.1)
        tensor([0.])
    """
    check_positive("tau", tau)
    check_scores(pos, neg)
    check_like("quantile", quantile, "pos", pos)
    pos, neg, quantile = in_float32(pos, neg, quantile.detach())
    log_neg = logsigmoid(neg - quantile.unsqueeze(1))
    return log_mean_exp(log_neg, logsigmoid(pos - quantile), scale=1 / tau)


class TalosLoss(TopKQuantileLoss):
    """Mean of :func:`talos_loss`; quantiles follow by regression, or are measured exactly.

    A step's loss is taken at the quantiles before the step has moved them. Published with K = 20,
    1,024 uniform negatives, a rate of 0.001 for the quantiles and tau from 0.05 to 0.3, of which
    0.1 was best on three of four data sets.
    """

    paper = "Zhang et al., WWW 2026"
    ignores_minus_inf = True

    def __init__(
        self,
        *,
        tau: float = 0.1,
        k: int = 20,
        quantile: str = "regression",
        quantile_learning_rate: float = 0.001,
        quantile_every: int = 5,
    ) -> None:
        check_positive("tau", tau)
        super().__init__(
            tau=tau,
            k=k,
            quantile=quantile,
            quantile_learning_rate=quantile_learning_rate,
            quantile_every=quantile_every,
        )

    def forward(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        loss = talos_loss(pos, neg, self.quantile_of(users, pos), tau=self.tau).mean()
        self.observe(users, pos, neg)
        return loss

    def robust_view(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> RobustView:
        # sigma(x)^(1 / tau) = exp(2 log sigma(x) / (2 tau)): twice the log sigmoid is in score
        # units, with slope 1 at the quantile, where the added constant makes it the score itself.
        pos, neg = in_float32(pos, neg)
        quantile = self.quantile_of(users, pos).unsqueeze(1)
        f = quantile + 2 * (logsigmoid(neg - quantile) + math.log(2))
        return RobustView(f, torch.full_like(pos, 2 * self.tau))
