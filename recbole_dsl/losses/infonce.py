"""InfoNCE: softmax loss over the batch's own items, with or without logQ correction."""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_choice, check_flag, check_positive
from recbole_dsl.losses.base import RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like

LOG_Q = ("none", "standard", "corrected")
_FLAGS = {"True": "standard", "False": "none"}  # log_q was a flag; a setting may be its text


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
        :func:`info_nce_corrected_loss` leaves the positive's as it is.
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


def info_nce_corrected_loss(
    scores: torch.Tensor, negative: torch.Tensor, log_q: torch.Tensor, *, tau: float
) -> torch.Tensor:
    r"""InfoNCE with the corrected logQ correction: the gradient of a softmax over the catalogue.

    .. math:: \ell_b = \mathrm{sg}(\mathrm{sigmoid}(g_b)) \, g_b, \qquad
        g_b = \log \Bigl(\frac{1}{B-1} \sum_{c \in C_b} e^{f_{bc}/\tau - \log q_c}\Bigr)
            - \frac{f_{bb}}{\tau}

    with :math:`C_b` the negatives among the other B - 1 columns and sg stopping the gradient. The
    sum estimates that over all the row's negatives in the catalogue, since a column has item c with
    probability :math:`q_c`; the positive is there by construction, not drawn, and its logit stays
    as it is. So the weight is 1 - P, with P the positive's share of the softmax over it and these
    negatives: the probability that it is missed. It comes from that softmax's gradient,
    :math:`-\frac{1 - P_b}{\tau} (\nabla f_b - \sum_c \frac{P_c}{1 - P_b} \nabla f_c)`, whose sum
    is a mean over the negatives alone.

    Args:
        scores, negative: as in :func:`info_nce_loss`. Columns with the row's own item should be no
            negatives, as should be those with its user's other positives.
        log_q: (B,) float. Log of the probability that a column of a batch has the column's item.
            Not up to a constant: the weight depends on it.
        tau: temperature, > 0, in score units; it does not divide log q.
    Returns:
        (B,) float, in nats; may be negative. A row without a single negative is 0, without
        gradient.
    Raises:
        ValueError: tau <= 0; scores not (B, B); negative not bool of that shape; log_q not (B,).
    Source: Khrylchenko, Baikalov, Makeev, Matveev, Liamaev, "Correcting the LogQ Correction:
        Revisiting Sampled Softmax for Large-Scale Retrieval", RecSys 2025 (arXiv 2507.09331):
        :math:`-\mathrm{sg}(1 - P_b) \log (e^{f_b} / \sum_c e^{f_c - \log Q'(c)})`, with
        :math:`Q'(c) = Q(c) / (1 - Q(b))` and
        :math:`P_b = e^{f_b} / (e^{f_b} + \frac1n \sum_c e^{f_c - \log Q'(c)})` over n negatives.
        Of the paper only the abstract was at hand; the formula was read in one public
        re-implementation, and follows from the softmax's gradient as above.
    Differs from source: of the B - 1 columns those left are a share n / (B - 1), which here takes
        the place of 1 - Q(b): it is right too where more than the row's own item is left out, such
        as the user's other positives. The weighted logarithm has the mean that P has, not the
        sum, a constant without gradient. The temperature is ours.
    Conventions: the positive is in the denominator of P, and so in the weight, but not in g; mean
        over the columns drawn; not multiplied by tau; one tau.
    Limits: a weight of 1 has the gradient of :func:`info_nce_loss` without the positive in the
        denominator. With the positive there, that loss counts it 1 / ((B - 1) q_b) times where the
        softmax has it once: too often where the item is rarer than one in a batch. As B grows, the
        gradient here becomes the softmax's; for any B it is biased, having ratios of estimates.
    Example:
        >>> scores, every = torch.tensor([[0.5, 0.5], [0.1, 0.1]]), torch.ones(2, 2).bool()
        >>> info_nce_corrected_loss(scores, every, torch.zeros(2), tau=0.1)  # g is 0
        tensor([0., 0.])
    """
    check_positive("tau", tau)
    _check_inputs(scores, negative, log_q)
    (scores,) = in_float32(scores)
    columns = _denominator(negative, positive_in_denominator=False)
    logits = scores / tau
    gap = logits - log_q.to(logits.dtype) - logits.diagonal().unsqueeze(1)
    total = torch.logsumexp(gap.masked_fill(~columns, -math.inf), dim=1)
    g = total - math.log(max(len(scores) - 1, 1))
    alone = columns.diagonal()  # only a row without negatives is its own column
    return (torch.sigmoid(g.detach()) * g).masked_fill(alone, 0.0)


def log_share(items: torch.Tensor, n_items: int) -> torch.Tensor:
    """Log of each item's share of the training interactions, (E,) int64 -> (I,) float32.

    That is the probability that a column of a batch is the item. An item without interactions gets
    the share of an item with one, so that every entry is finite.
    """
    counts = torch.bincount(items, minlength=n_items).clamp(min=1).double()
    return (counts / len(items)).log().float()


class InfoNCELoss(RowLoss):
    """Mean over the rows of a batch, with the other rows' items as negatives.

    ``log_q`` is ``none`` or ``standard``, :func:`info_nce_loss`, or ``corrected``,
    :func:`info_nce_corrected_loss`; True and False, as in earlier versions, are standard and none.
    ``corrected`` is about a positive in the denominator and refuses a denominator without.

    With ``mask_positives``, columns whose item is a training positive of the row's user are left
    out as false negatives, as are other rows' columns of the row's own item. ``corrected`` leaves
    out the latter in any case.
    """

    paper = "van den Oord et al. 2018; logQ: Yi 2019, Khrylchenko 2025"
    inputs: tuple[str, ...] = ("in_batch", "in_batch_positive", "items")
    log_share: torch.Tensor

    def __init__(
        self,
        *,
        tau: float = 0.2,
        log_q: str | bool = "standard",
        positive_in_denominator: bool = True,
        mask_positives: bool = True,
    ) -> None:
        check_positive("tau", tau)
        log_q = _FLAGS.get(str(log_q), log_q)
        check_choice("log_q", log_q, LOG_Q)
        check_flag("positive_in_denominator", positive_in_denominator)
        check_flag("mask_positives", mask_positives)
        if log_q == "corrected" and not positive_in_denominator:
            raise ValueError(
                "log_q 'corrected' needs positive_in_denominator True, got False: without the "
                "positive there, 'standard' corrects the negatives alone already"
            )
        super().__init__(
            tau=tau,
            log_q=log_q,
            positive_in_denominator=positive_in_denominator,
            mask_positives=mask_positives,
        )
        self.inputs = ("in_batch",)
        if mask_positives:
            self.inputs += ("in_batch_positive",)
        if log_q != "none":
            self.inputs += ("items",)

    def prepare(self, data: TrainingRows) -> None:
        if self.options["log_q"] != "none":
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
        if self.options["log_q"] != "none":
            items = inputs["items"]
            log_q = self.log_share[items]
            if self.options["log_q"] == "corrected":
                negative = negative & (items.unsqueeze(1) != items)
                return info_nce_corrected_loss(scores, negative, log_q, tau=self.tau).mean()
        form = self.options["positive_in_denominator"]
        rows = info_nce_loss(scores, negative, log_q, tau=self.tau, positive_in_denominator=form)
        return rows.mean()
