"""InfoNCE: softmax loss over the batch's own items, with or without logQ correction."""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_flag, check_positive
from recbole_dsl.losses.base import RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like


def _check_inputs(scores: torch.Tensor, negative: torch.Tensor, log_q: torch.Tensor | None) -> None:
    if scores.dim() != 2 or scores.shape[0] != scores.shape[1]:
        raise ValueError(f"scores must be (B, B), got {tuple(scores.shape)}")
    check_like("negative", negative, "scores", scores)
    if negative.dtype != torch.bool:
        raise ValueError(f"negative must be bool, got {negative.dtype}")
    if log_q is not None:
        check_like("log_q", log_q, "the diagonal of scores", scores.diagonal())


def _denominator(negative: torch.Tensor, positive_in_denominator: bool) -> torch.Tensor:
    """Which columns are in each row's denominator, (B, B) bool -> (B, B) bool; at least one."""
    own = torch.eye(len(negative), dtype=torch.bool, device=negative.device)
    columns = negative & ~own
    if positive_in_denominator:
        return columns | own
    return columns | (own & ~columns.any(dim=1, keepdim=True))


def info_nce_loss(
    scores: torch.Tensor,
    negative: torch.Tensor,
    log_q: torch.Tensor | None,
    *,
    tau: float,
    positive_in_denominator: bool,
) -> torch.Tensor:
    r"""InfoNCE: each user should prefer its own positive to the items of the other rows.

    .. math::
        \ell_b = -s_{bb} + \log \frac1{|C_b|} \sum_{c \in C_b} e^{s_{bc}}, \qquad
        s_{bc} = f_{bc}/\tau - \log q_c

    with :math:`C_b` the negatives among the columns, and b itself if the positive is to be in the
    denominator.

    Args:
        scores: (B, B) float. Score :math:`f_{bc}` of the row's user with the column's item; the
            diagonal is the row's own positive.
        negative: (B, B) bool. Which columns are negatives of the row; the diagonal is ignored.
        log_q: (B,) float or None. Log of the probability that each column's item is in a batch, up
            to a constant; None: no correction, q the same for all.
        tau: temperature, > 0, in score units; it does not divide log q.
        positive_in_denominator: whether b is in :math:`C_b`.
    Returns:
        (B,) float, in nats; >= -log |C_b| with the positive in the denominator and without logQ,
        else of either sign. A row without a single negative is 0, without gradient, in both forms:
        with the positive in the denominator the formula says so; without, C_b would be empty, and b
        alone takes its place.
    Raises:
        ValueError: tau <= 0; scores not (B, B); negative not bool of that shape; log_q not (B,).
    Source: van den Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding",
        2018; logQ: Yi et al., "Sampling-bias-corrected neural modeling for large corpus item
        recommendations", RecSys 2019.
    Differs from source: mean instead of sum over the columns, so that values compare across B; the
        form without the positive in the denominator and the leaving out of false negatives are
        options of ours. As in Yi et al., log q is subtracted from every logit, also from the
        positive's, in the numerator and the denominator: only the ratios q_b / q_c matter.
    Conventions: the positive is in the denominator or not, an option; mean over the columns;
        not multiplied by tau; one tau.
    Limits: q the same for all columns changes nothing. All columns negatives and no log_q is SL
        with the off-diagonal scores as its B - 1 negatives, in either of its forms.
    Example:
        >>> scores, every = torch.tensor([[0.5, 0.5], [0.1, 0.1]]), torch.ones(2, 2).bool()
        >>> info_nce_loss(scores, every, None, tau=0.1, positive_in_denominator=True)
        tensor([0., 0.])
    """
    check_positive("tau", tau)
    check_flag("positive_in_denominator", positive_in_denominator)
    _check_inputs(scores, negative, log_q)
    (scores,) = in_float32(scores)
    logits = scores / tau
    if log_q is not None:
        logits = logits - log_q.to(logits.dtype)  # one q per column
    columns = _denominator(negative, positive_in_denominator)
    gap = (logits - logits.diagonal().unsqueeze(1)).masked_fill(~columns, -math.inf)
    return torch.logsumexp(gap, dim=1) - columns.sum(dim=1).to(gap.dtype).log()


def log_share(items: torch.Tensor, n_items: int) -> torch.Tensor:
    """Log of each item's share of the training interactions, (E,) int64 -> (I,) float32.

    That is the probability that a column of a batch is the item. An item without interactions gets
    the share of an item with one, so that every entry is finite.
    """
    counts = torch.bincount(items, minlength=n_items).clamp(min=1).double()
    return (counts / len(items)).log().float()


class InfoNCELoss(RowLoss):
    """Mean of :func:`info_nce_loss` over the rows of a batch, the other rows' items as negatives.

    With ``mask_positives``, columns whose item is a training positive of the row's user are left
    out as false negatives, as are other rows' columns of the row's own item.
    """

    paper = "van den Oord et al., 2018; logQ: Yi et al., RecSys 2019"
    inputs: tuple[str, ...] = ("in_batch", "in_batch_positive", "items")
    log_share: torch.Tensor

    def __init__(
        self, *, tau: float, log_q: bool, positive_in_denominator: bool, mask_positives: bool
    ) -> None:
        check_positive("tau", tau)
        check_flag("log_q", log_q)
        check_flag("positive_in_denominator", positive_in_denominator)
        check_flag("mask_positives", mask_positives)
        super().__init__(
            tau=tau,
            log_q=log_q,
            positive_in_denominator=positive_in_denominator,
            mask_positives=mask_positives,
        )
        self.inputs = ("in_batch",)
        if mask_positives:
            self.inputs += ("in_batch_positive",)
        if log_q:
            self.inputs += ("items",)

    def prepare(self, data: TrainingRows) -> None:
        if self.options["log_q"]:
            share = log_share(data.items, data.n_items)
            self.register_buffer("log_share", share, persistent=False)

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        if set(inputs) != set(self.inputs):
            raise ValueError(f"inputs must be {self.inputs}, got {tuple(inputs)}")
        scores, log_q = inputs["in_batch"], None
        if self.options["mask_positives"]:
            negative = ~inputs["in_batch_positive"]
        else:
            negative = torch.ones_like(scores, dtype=torch.bool)
        if self.options["log_q"]:
            log_q = self.log_share[inputs["items"]]
        form = self.options["positive_in_denominator"]
        rows = info_nce_loss(scores, negative, log_q, tau=self.tau, positive_in_denominator=form)
        return rows.mean()
