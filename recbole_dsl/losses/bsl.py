"""BSL: bilateral softmax loss, SL's log-expectation-exp on the positives too."""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_choice, check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp

FORMS = ("row", "user")


def bsl_row_loss(
    pos: torch.Tensor, neg: torch.Tensor, *, tau_pos: float, tau_neg: float
) -> torch.Tensor:
    r"""BSL in one line: SL with one temperature for the positive and one for the negatives.

    .. math:: \ell_b = -\frac{f_b}{\tau_+} + \log \frac1M \sum_{j=1}^M \exp(f_{bj}/\tau_-)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau_pos: temperature of the positive, > 0. Smaller pulls the positive harder.
        tau_neg: temperature of the negatives, > 0. Smaller: fewer, the hardest, count.
    Returns:
        (B,) float, in nats; may be negative.
    Raises:
        ValueError: a temperature <= 0; M == 0; shapes are not (B,) and (B, M).
    Source: Wu, Chen, Wu, Shi, Zhang, Wang, "BSL: Understanding and Improving Softmax Loss for
        Recommendation", ICDE 2024, as the one-line change to SL that its abstract speaks of, with
        the second temperature as a divisor.
    Differs from source: the constant log M is subtracted.
    Conventions: the positive is not in the denominator; mean over negatives; not multiplied
        by a tau; tau_pos divides the positive's score, tau_neg the negatives'.
    Limits: tau_pos = tau_neg is SL. With other temperatures a constant added to all scores changes
        the value (by that constant times 1/tau_neg - 1/tau_pos), though not the gradients.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.2, 0.2]])
        >>> bsl_row_loss(pos, neg, tau_pos=0.25, tau_neg=0.1)
        tensor([0.])
    """
    check_positive("tau_pos", tau_pos)
    check_positive("tau_neg", tau_neg)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    return log_mean_exp(neg, scale=1 / tau_neg) - pos / tau_pos


def bsl_user_loss(
    pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor, *, tau_pos: float, tau_neg: float
) -> torch.Tensor:
    r"""BSL over users: log-expectation-exp over each user's positives as over the negatives.

    .. math::
        \ell_b = -\log \frac{1}{|G_b|} \sum_{c \in G_b} \exp(f_c/\tau_+)
                 + \frac{\tau_-}{\tau_+} \log \frac1M \sum_{j=1}^M \exp(f_{bj}/\tau_-)

    with :math:`G_b` the rows of the batch that have the user of row b.

    Args:
        pos, neg, tau_pos, tau_neg: as in :func:`bsl_row_loss`. The smaller tau_pos, the more the
            user's best-scored positives count, and the less the others, which may be noise.
        users: (B,) int64. User of each row.
    Returns:
        (B,) float, in nats; may be negative.
    Raises:
        ValueError: as :func:`bsl_row_loss`; users is not (B,).
    Source: Wu et al., "BSL", ICDE 2024, its bilateral objective
        :math:`-\tau_+ \log E_i e^{f_i/\tau_+} + \tau_- \log E_j e^{f_j/\tau_-}` per user.
    Differs from source: divided by tau_pos, so that equal temperatures compare with SL; the user's
        positives are those in the batch; the constant log M is subtracted; users weigh by their
        rows in the batch, as in SL.
    Conventions: the positives are not in the denominator; mean over negatives; divided by
        tau_pos (see above); tau_pos is the positives', tau_neg the negatives'.
    Limits: one row a user and tau_pos = tau_neg is SL. tau_pos -> infinity: the mean of the user's
        positives, which with the factor tau_pos is SL too.
    Example:
        >>> pos, neg = torch.tensor([0.5, 0.5]), torch.tensor([[0.5], [0.5]])
        >>> bsl_user_loss(pos, neg, torch.tensor([7, 7]), tau_pos=0.1, tau_neg=0.1)
        tensor([0., 0.])
    """
    check_positive("tau_pos", tau_pos)
    check_positive("tau_neg", tau_neg)
    check_scores(pos, neg)
    check_like("users", users, "pos", pos)
    pos, neg = in_float32(pos, neg)
    pull = _log_mean_exp_by_group(pos / tau_pos, users)
    return tau_neg / tau_pos * log_mean_exp(neg, scale=1 / tau_neg) - pull


def _log_mean_exp_by_group(values: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """log of the mean of exp over the rows of the same group, for each row, (B,) -> (B,)."""
    same = groups.unsqueeze(1) == groups.unsqueeze(0)  # (B, B)
    apart = values.unsqueeze(0).masked_fill(~same, -math.inf)
    return torch.logsumexp(apart, dim=1) - same.sum(dim=1).to(values.dtype).log()


class BSLLoss(RowLoss):
    """Mean of :func:`bsl_row_loss` or :func:`bsl_user_loss` over the rows of a batch."""

    paper = "Wu et al., ICDE 2024"

    def __init__(self, *, form: str, tau_pos: float, tau_neg: float) -> None:
        check_choice("form", form, FORMS)
        check_positive("tau_pos", tau_pos)
        check_positive("tau_neg", tau_neg)
        super().__init__(form=form, tau_pos=tau_pos, tau_neg=tau_neg)
        self.inputs = ("pos", "neg", "users") if form == "user" else ("pos", "neg")

    @property
    def tau(self) -> str:
        return f"{self.options['tau_pos']} (tau_pos), {self.options['tau_neg']} (tau_neg)"

    def forward(
        self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor | None = None
    ) -> torch.Tensor:
        taus = {name: self.options[name] for name in ("tau_pos", "tau_neg")}
        if users is None:
            return bsl_row_loss(pos, neg, **taus).mean()
        return bsl_user_loss(pos, neg, users, **taus).mean()

    def robust_view(
        self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor | None = None
    ) -> RobustView:
        return RobustView(neg, torch.full_like(pos, self.options["tau_neg"]))
