"""DSL: Dual-scale Softmax Loss, SL with weighted negatives and a temperature per example."""

from typing import Any

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import (
    check_at_least,
    check_choice,
    check_count,
    check_finite,
    check_positive,
)
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.dsl_scales import DSLForm, dsl_scales
from recbole_dsl.losses.log_sum_exp import log_mean_exp

CENTRES = ("batch", "running")
_KEPT = 0.99  # share of the running centre that a batch leaves


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
    form: DSLForm = DSLForm(),  # noqa: B008  # it cannot be changed
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
        gamma: strength of the example temperatures, any sign. > 0 raises those of contested rows.
        slate_size: K >= 1, how many top competitors measure how contested a row is.
        clip: r >= 1, bound on tau_b over tau, either way; it can act where abs(gamma) > log(clip).
        form: forms of ours; with a positive_factor c, :math:`f_b/(c\tau_b)` is subtracted.
    Returns:
        (B,) float, in nats; may be negative, as in SL.
    Raises:
        ValueError: an option out of its range; M == 0; item_similarity not of neg's shape.
    Source: "DSL: Understanding and Improving Softmax Recommender Systems with Competition-Aware
        Scaling", arXiv 2602.07206. From its abstract and public summaries, the paper's:
        log-sum-exp; negatives reweighted by hardness and item-item similarity; a temperature per
        example by competition on a slate of top competitors; both normalised; SL; KL-DRO.
    Differs from source: the full text was not at hand. Ours are the forms: the sigmoid as hardness,
        the linear mix under a softmax, the mean hardness as intensity, exp(gamma (c - c_0)), the
        clip, the geometric mean of tau, the stopped gradients, the defaults and :class:`DSLForm`.
    Conventions: the positive is not in the denominator; mean over negatives; not times tau.
    Limits: alpha = beta = gamma = 0 is SL, to the bit.
    Example:
        >>> off = dict(alpha=0.0, beta=0.0, gamma=0.0, slate_size=2, clip=4.0)
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.5, 0.5]])
        >>> dsl_loss(pos, neg, torch.zeros(1, 2), tau=0.1, **off)
        tensor([0.])
    """
    options = _checked(tau, alpha, beta, gamma, slate_size, clip)
    form.check()
    check_scores(pos, neg)
    check_like("item_similarity", item_similarity, "neg", neg)
    pos, neg, item_similarity = in_float32(pos, neg, item_similarity)
    log_kappa, tau_b = dsl_scales(pos, neg, item_similarity, **options, form=form)
    scale = 1 / (tau if tau_b is None else tau_b)
    loss = log_mean_exp(neg, pos, scale=scale, bias=log_kappa)
    c = form.positive_factor
    return loss if c == 1 else loss + (1 - 1 / c) * scale * pos


class DSLLoss(RowLoss):
    """Mean of :func:`dsl_loss` over the rows of a batch.

    With ``centre: running``, the intensity around which temperatures spread is a running mean over
    the batches, of which each weighs 1 %, in place of this batch's: an example's temperature
    depends less on which others are in its batch, and the geometric mean of a batch is not tau.
    """

    paper = "arXiv 2602.07206"
    inputs = ("pos", "neg", "item_similarity")
    ignores_minus_inf = True
    intensity_sum: torch.Tensor

    def __init__(
        self,
        *,
        tau: float = 0.2,
        alpha: float = 0.0,
        beta: float = 1.0,
        gamma: float = 1.0,
        slate_size: int = 20,
        clip: float = 4.0,
        positive_factor: float = 1.0,
        hardness: str = "sigmoid",
        intensity: str = "mean",
        centre: str = "batch",
    ) -> None:
        options = _checked(tau, alpha, beta, gamma, slate_size, clip)
        check_choice("centre", centre, CENTRES)
        form = DSLForm(positive_factor, hardness, intensity)
        form.check()
        super().__init__(
            **options, positive_factor=positive_factor, hardness=hardness, intensity=intensity,
            centre=centre,
        )  # fmt: skip
        if centre == "running":
            self.register_buffer("intensity_sum", torch.zeros(2))  # weighted sum, and weights
            form = form._replace(centre=self._running)
        self._of_row = {**options, "form": form}

    def _running(self, intensity: torch.Tensor) -> torch.Tensor:
        """The running mean of the intensity, of which this batch is a part in training."""
        mean = intensity.mean()
        if self.training:
            added = (1 - _KEPT) * torch.stack((mean, torch.ones_like(mean)))
            self.intensity_sum.mul_(_KEPT).add_(added)
        total, weight = self.intensity_sum
        return torch.where(weight > 0, total / weight.clamp(min=1e-30), mean)

    def forward(
        self, pos: torch.Tensor, neg: torch.Tensor, item_similarity: torch.Tensor
    ) -> torch.Tensor:
        return dsl_loss(pos, neg, item_similarity, **self._of_row).mean()

    def robust_view(
        self, pos: torch.Tensor, neg: torch.Tensor, item_similarity: torch.Tensor
    ) -> RobustView:
        pos, neg, item_similarity = in_float32(pos, neg, item_similarity)
        log_kappa, tau_b = dsl_scales(pos, neg, item_similarity, **self._of_row)
        tau_b = torch.full_like(pos, self.tau) if tau_b is None else tau_b
        return RobustView(neg, tau_b, log_kappa)
