"""SLatK: SL@K, SL weighted towards positives that can reach the top K."""

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_count, check_flag, check_positive
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_sum_exp


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
    Differs from source: not in the formula. Unlike in our other softmax losses log M is kept, since
        a weight with a gradient makes it matter.
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


def top_k_quantile(scores: torch.Tensor, k: int) -> torch.Tensor:
    """The K-th largest of each row, (B, I) -> (B,); the smallest where there are fewer than K."""
    return scores.topk(min(k, scores.shape[1]), dim=1, sorted=False).values.min(dim=1).values


class SLatKLoss(RowLoss):
    """Mean of :func:`slatk_loss`; the quantiles are computed anew every ``quantile_every`` epochs.

    The source estimates them from sampled items; here they are exact, from the scores of all items,
    which takes about half as long as an evaluation.
    """

    paper = "Yang et al., KDD 2025"
    inputs = ("pos", "neg", "users")
    quantile: torch.Tensor

    def __init__(
        self, *, tau: float, tau_weight: float, weight_gradient: bool, k: int, quantile_every: int
    ) -> None:
        check_positive("tau", tau)
        check_positive("tau_weight", tau_weight)
        check_flag("weight_gradient", weight_gradient)
        check_count("k", k)
        check_count("quantile_every", quantile_every)
        super().__init__(
            tau=tau,
            tau_weight=tau_weight,
            weight_gradient=weight_gradient,
            k=k,
            quantile_every=quantile_every,
        )

    def prepare(self, data: TrainingRows) -> None:
        self.register_buffer("quantile", torch.zeros(data.n_users), persistent=False)

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        if epoch % self.options["quantile_every"] == 0:
            self.measure(view)

    def measure(self, view: ModelView) -> None:
        for users, scores in view.score_blocks():
            # Column 0 is the padding item, no competitor.
            self.quantile[users] = top_k_quantile(scores[:, 1:], self.options["k"]).float()

    def forward(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        quantile = self.quantile[users].to(pos.dtype)
        options = {name: self.options[name] for name in ("tau", "tau_weight", "weight_gradient")}
        return slatk_loss(pos, neg, quantile, **options).mean()

    def robust_view(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> RobustView:
        quantile = self.quantile[users].to(pos.dtype)
        weight = slatk_weight(pos, quantile, tau_weight=self.options["tau_weight"])
        return RobustView(neg, torch.full_like(pos, self.tau), weight=weight)
