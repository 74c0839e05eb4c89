"""BSL: bilateral softmax loss, in the three forms in which it is public.

``row`` gives SL one temperature for the positive and one for the negatives, ``user`` takes SL's
log-expectation-exp over the positives too, and ``paired``, which papers compare with as BSL, is SL
times a constant.
"""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_choice, check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp
from recbole_dsl.losses.sl import softmax_loss

FORMS = ("row", "user", "paired")


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
        Recommendation", ICDE 2024: the one-line change to SL that its abstract speaks of, mode
        reweight of the authors' code.
    Differs from source: the authors' code has one temperature T and a weight c of the negatives'
        part, :math:`-f_b/T + c \log \sum_j e^{f_{bj}/T}`, with c 1.06 to 1.32 in its commands. That
        is c times this loss at tau_neg = T and tau_pos = cT, up to a constant: the same minima, and
        c a factor of the gradients. The constant log M is subtracted.
    Conventions: the positive is not in the denominator; mean over negatives; not multiplied
        by a tau; tau_pos divides the positive's score, tau_neg the negatives'.
    Limits: tau_pos = tau_neg is SL. tau_pos > tau_neg pulls the positive less than it pushes its
        negatives, all together. With unequal temperatures a constant added to all scores changes
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
    pos: torch.Tensor,
    neg: torch.Tensor,
    users: torch.Tensor,
    *,
    tau_pos: float,
    tau_neg: float,
    negative_exponent: float | None,
) -> torch.Tensor:
    r"""BSL over users: log-expectation-exp over each user's positives as over the negatives.

    .. math::
        \ell_b = -\log \frac{1}{|G_b|} \sum_{c \in G_b} \exp(f_c/\tau_+)
                 + c \log \frac1M \sum_{j=1}^M \exp(f_{bj}/\tau_-)

    with :math:`G_b` the rows of the batch that have the user of row b, and c the exponent of the
    negatives' mean.

    Args:
        pos, neg, tau_pos, tau_neg: as in :func:`bsl_row_loss`. The smaller tau_pos, the more the
            user's best-scored positives count, and the less the others, which may be noise.
        users: (B,) int64. User of each row.
        negative_exponent: c, > 0, or None for tau_neg / tau_pos, the paper's.
    Returns:
        (B,) float, in nats; may be negative.
    Raises:
        ValueError: as :func:`bsl_row_loss`; negative_exponent <= 0; users is not (B,).
    Source: Wu et al., "BSL", ICDE 2024, its bilateral objective
        :math:`-\tau_+ \log E_i e^{f_i/\tau_+} + \tau_- \log E_j e^{f_j/\tau_-}` per user. With
        tau_pos = tau_neg and c free it is mode multi of the authors' code.
    Differs from source: divided by tau_pos, so that equal temperatures compare with SL; the user's
        positives are those in the batch; the constant c log M is subtracted; users weigh by their
        rows in the batch, as in SL.
    Conventions: the positives are not in the denominator; mean over negatives; divided by
        tau_pos (see above); tau_pos is the positives', tau_neg the negatives'.
    Limits: one row a user is, with c = 1, :func:`bsl_row_loss`; with c = tau_neg / tau_pos,
        :func:`bsl_paired_loss`. tau_pos -> infinity: the mean of the user's positives, which with
        the factor tau_pos is SL.
    Example:
        >>> pos, neg = torch.tensor([0.5, 0.5]), torch.tensor([[0.5], [0.5]])
        >>> options = dict(tau_pos=0.1, tau_neg=0.1, negative_exponent=None)
        >>> bsl_user_loss(pos, neg, torch.tensor([7, 7]), **options)
        tensor([0., 0.])
    """
    check_positive("tau_pos", tau_pos)
    check_positive("tau_neg", tau_neg)
    check_scores(pos, neg)
    check_like("users", users, "pos", pos)
    if negative_exponent is None:
        negative_exponent = tau_neg / tau_pos
    check_positive("negative_exponent", negative_exponent)
    pos, neg = in_float32(pos, neg)
    pull = _log_mean_exp_by_group(pos / tau_pos, users)
    return negative_exponent * log_mean_exp(neg, scale=1 / tau_neg) - pull


def _log_mean_exp_by_group(values: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """log of the mean of exp over the rows of the same group, for each row, (B,) -> (B,)."""
    same = groups.unsqueeze(1) == groups.unsqueeze(0)  # (B, B)
    apart = values.unsqueeze(0).masked_fill(~same, -math.inf)
    return torch.logsumexp(apart, dim=1) - same.sum(dim=1).to(values.dtype).log()


def bsl_paired_loss(
    pos: torch.Tensor, neg: torch.Tensor, *, tau_pos: float, tau_neg: float
) -> torch.Tensor:
    r"""BSL as papers compare with it: its two temperatures leave SL times a constant.

    .. math:: \ell_b = -\frac{f_b}{\tau_+}
        + \frac{\tau_-}{\tau_+} \log \frac1M \sum_{j=1}^M \exp(f_{bj}/\tau_-)
        = \frac{\tau_-}{\tau_+} \, \mathrm{SL}(\tau_-)

    Args:
        pos, neg: as in :func:`bsl_row_loss`.
        tau_pos: > 0. Changes nothing but the size of the loss.
        tau_neg: temperature of the SL, > 0.
    Returns:
        (B,) float; may be negative.
    Raises:
        ValueError: as :func:`bsl_row_loss`.
    Source: the baseline BSL of IR-Benchmark and of the papers of PSL (NeurIPS 2024), SL@K (KDD
        2025) and Talos (WWW 2026): the bilateral objective of :func:`bsl_user_loss` with one
        positive, whose log-expectation-exp is its score.
    Differs from source: the constant log M is subtracted from the SL.
    Conventions: as SL's, times tau_neg / tau_pos.
    Limits: always SL at tau_neg with its gradients times tau_neg / tau_pos, as a learning rate
        would. Adam divides such a factor out again, but for its epsilon and for what is added to
        the loss: regularisation and a backbone's auxiliary loss weigh less beside a larger loss.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.7, 0.7]])
        >>> bsl_paired_loss(pos, neg, tau_pos=0.5, tau_neg=0.2)  # 0.4 times SL, which is 1
        tensor([0.4000])
    """
    check_positive("tau_pos", tau_pos)
    check_positive("tau_neg", tau_neg)
    return tau_neg / tau_pos * softmax_loss(pos, neg, tau=tau_neg)


class BSLLoss(RowLoss):
    """Mean over the rows of a batch of BSL in the form asked for.

    ``row`` is :func:`bsl_row_loss`, ``user`` :func:`bsl_user_loss`, ``paired``
    :func:`bsl_paired_loss`. ``negative_exponent`` is of ``user`` alone: in ``row`` the ratio of the
    temperatures does the same, and ``paired`` has none.
    """

    paper = "Wu et al., ICDE 2024"
    ignores_minus_inf = True

    def __init__(
        self,
        *,
        form: str = "row",
        tau_pos: float = 0.2,
        tau_neg: float = 0.2,
        negative_exponent: float | None = None,
    ) -> None:
        check_choice("form", form, FORMS)
        check_positive("tau_pos", tau_pos)
        check_positive("tau_neg", tau_neg)
        if negative_exponent is not None:
            check_positive("negative_exponent", negative_exponent)
            if form != "user":
                raise ValueError(
                    f"negative_exponent must be empty with form {form!r}, got "
                    f"{negative_exponent!r}: only form 'user' has it"
                )
        super().__init__(
            form=form, tau_pos=tau_pos, tau_neg=tau_neg, negative_exponent=negative_exponent
        )
        self.inputs = ("pos", "neg", "users") if form == "user" else ("pos", "neg")

    @property
    def tau(self) -> str:
        return f"{self.options['tau_pos']} (tau_pos), {self.options['tau_neg']} (tau_neg)"

    def forward(
        self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor | None = None
    ) -> torch.Tensor:
        taus = {name: self.options[name] for name in ("tau_pos", "tau_neg")}
        if users is not None:
            exponent = self.options["negative_exponent"]
            return bsl_user_loss(pos, neg, users, **taus, negative_exponent=exponent).mean()
        row_loss = bsl_paired_loss if self.options["form"] == "paired" else bsl_row_loss
        return row_loss(pos, neg, **taus).mean()

    def robust_view(
        self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor | None = None
    ) -> RobustView:
        tau_pos, tau_neg = self.options["tau_pos"], self.options["tau_neg"]
        weight = 1.0  # of the log-mean-exp
        if self.options["form"] != "row":
            weight = self.options["negative_exponent"] or tau_neg / tau_pos
        return RobustView(neg, torch.full_like(pos, tau_neg), weight=torch.full_like(pos, weight))
