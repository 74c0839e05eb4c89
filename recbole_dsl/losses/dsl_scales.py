"""The two scales of DSL: weights of a row's negatives, and a temperature for the row."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from recbole_dsl.common.row_topk import row_topk
from recbole_dsl.common.validation import check_choice, check_positive

HARDNESS, INTENSITY = ("sigmoid", "score"), ("mean", "entropy")
_LEFT_OUT = -1.0  # hardness of a negative whose score is -inf, where hardness is the score


class DSLForm(NamedTuple):
    r"""Forms of DSL that are ours, each as the paper's summaries have it unless it is changed.

    Attributes:
        positive_factor: c > 0: the positive is pulled at the temperature :math:`c\tau_b`, its
            negatives are pushed at :math:`\tau_b`. Above 1 the weaker pull acts as a prior for
            popular items, as in BSL's row form, of which c is tau_pos / tau_neg.
        hardness: "sigmoid", or "score": in kappa, :math:`f_{bj}` in place of :math:`h_{bj}`.
        intensity: "mean", or "entropy": :math:`c_b` is the entropy of :math:`\kappa_{bj}
            \exp(d_{bj}/\tau)` normalised over the slate, over :math:`\log K`; 0 for K = 1.
        centre: (B,) intensities -> :math:`c_0`, clipped to the same bounds; None: the batch's own.
    """

    positive_factor: float = 1.0
    hardness: str = "sigmoid"
    intensity: str = "mean"
    centre: Callable[[torch.Tensor], torch.Tensor] | None = None

    def check(self) -> None:
        """Raise ValueError where an option is out of its range."""
        check_positive("positive_factor", self.positive_factor)
        check_choice("hardness", self.hardness, HARDNESS)
        check_choice("intensity", self.intensity, INTENSITY)


def _centred(values: torch.Tensor, bound: float) -> torch.Tensor:
    """(B,) values, shifted so that their mean is 0 once they are clipped to [-bound, bound]."""
    low, high = values.min(), values.max()
    for _ in range(40):  # bisection: the mean falls as the shift grows, and no step waits for a GPU
        shift = (low + high) / 2
        above = (values - shift).clamp(-bound, bound).mean() > 0
        low, high = torch.where(above, shift, low), torch.where(above, high, shift)
    return (values - shift).clamp(-bound, bound)


def _largest(values: torch.Tensor, k: int) -> torch.Tensor:
    """Indices of the k largest of each row, (B, M) -> (B, k) in any order."""
    search = row_topk if values.device.type == "cpu" else torch.topk
    return search(values, k, sorted=False)[1]


def _log_kappa(
    pos: torch.Tensor,
    neg: torch.Tensor,
    item_similarity: torch.Tensor | None,
    *,
    tau: float,
    alpha: float,
    beta: float,
    hardness: str,
) -> torch.Tensor | None:
    """(B, M), log of the weights of :func:`dsl_scales`; None where all are 1."""
    if beta == 0:
        logits = None
    elif item_similarity is None:
        raise ValueError(f"beta {beta!r} needs item_similarity, got None")
    else:
        logits = beta * item_similarity
    if alpha != 0:
        if hardness == "sigmoid":
            hard = torch.sigmoid((neg - pos.unsqueeze(1)) / tau)
        else:
            hard = torch.where(neg == -math.inf, _LEFT_OUT, neg)
        logits = alpha * hard if logits is None else logits + alpha * hard
    if logits is None:
        return None
    return torch.log_softmax(logits, dim=1).add_(math.log(neg.shape[1]))


def _intensity(
    pos: torch.Tensor,
    neg: torch.Tensor,
    log_kappa: torch.Tensor | None,
    *,
    tau: float,
    slate_size: int,
    intensity: str,
) -> torch.Tensor:
    """(B,), how contested each example is on its slate, as in :func:`dsl_scales`."""
    # The slate is ranked by logits, since log is monotone and kappa * exp(d / tau) can overflow;
    # the positive's score is the same for the whole row and does not change the order.
    rank_by = neg if log_kappa is None else torch.add(log_kappa, neg, alpha=1 / tau)
    slate = _largest(rank_by, min(slate_size, neg.shape[1]))
    if intensity == "mean":
        return torch.sigmoid((neg.gather(1, slate) - pos.unsqueeze(1)) / tau).mean(dim=1)
    if slate.shape[1] == 1:
        return torch.zeros_like(pos)
    logits = rank_by.gather(1, slate)
    logits = logits / tau if log_kappa is None else logits
    entropy: torch.Tensor = torch.special.entr(torch.softmax(logits, dim=1)).sum(dim=1)
    return entropy / math.log(slate.shape[1])


def _temperatures(
    competition: torch.Tensor,
    *,
    tau: float,
    gamma: float,
    clip: float,
    centre: Callable[[torch.Tensor], torch.Tensor] | None,
) -> torch.Tensor:
    """(B,) from the examples' intensities; around centre's value where there is one, else so that
    their geometric mean is tau."""
    if centre is not None:
        bound = math.log(clip)
        return tau * (gamma * (competition - centre(competition))).clamp(-bound, bound).exp()
    log_ratio = gamma * (competition - competition.mean())
    if abs(gamma) > math.log(clip):
        log_ratio = _centred(log_ratio, math.log(clip))
    return tau * log_ratio.exp()


@torch.no_grad()
def dsl_scales(
    pos: torch.Tensor,
    neg: torch.Tensor,
    item_similarity: torch.Tensor | None,
    *,
    tau: float,
    alpha: float,
    beta: float,
    gamma: float,
    slate_size: int,
    clip: float,
    form: DSLForm = DSLForm(),  # noqa: B008  # it cannot be changed
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    r"""The two scales of DSL for a batch: weights of the negatives, temperatures of the examples.

    .. math::
        h_{bj} &= \mathrm{sigmoid}(d_{bj}/\tau) \qquad
        \kappa_{bj} = M\,\mathrm{softmax}_j(\alpha h_{bj} + \beta s_{bj}) \\
        c_b &= \mathrm{mean}_{j \in S_b}\, h_{bj}, \quad
        S_b = \text{the } K \text{ largest } \kappa_{bj} \exp(d_{bj}/\tau) \\
        \tau_b &= \tau \exp(\gamma (c_b - c_0)), \text{ clipped to } [\tau/r, r\tau]

    with :math:`d_{bj} = f_{bj} - f_b` and :math:`c_0` such that the geometric mean of the
    :math:`\tau_b` over the batch is :math:`\tau`: the mean of the :math:`c_b` where none is
    clipped, which is always so for :math:`|\gamma| \le \log r`, since :math:`0 < c_b < 1`.

    Args:
        pos: (B,) float32 or float64. Score :math:`f_b` of each row's positive.
        neg: (B, M), same dtype. Scores :math:`f_{bj}` of the row's negatives.
        item_similarity: (B, M), same dtype. :math:`s_{bj}`, cosine of the negative and the positive
            item, in [-1, 1]; None where beta is 0.
        tau, alpha, beta, gamma, slate_size (K), clip (r): as in :func:`dsl_loss`.
        form: other forms of hardness, intensity and :math:`c_0`.
    Returns:
        log_kappa: (B, M), log of weights whose mean over j is 1; None when alpha == beta == 0.
        tau_b: (B,), the temperatures; None when gamma == 0. Neither carries a gradient.
    Raises:
        ValueError: no item_similarity where beta is not 0.
    """
    log_kappa = _log_kappa(
        pos, neg, item_similarity, tau=tau, alpha=alpha, beta=beta, hardness=form.hardness
    )
    if gamma == 0:
        return log_kappa, None
    competition = _intensity(
        pos, neg, log_kappa, tau=tau, slate_size=slate_size, intensity=form.intensity
    )
    return log_kappa, _temperatures(
        competition, tau=tau, gamma=gamma, clip=clip, centre=form.centre
    )
