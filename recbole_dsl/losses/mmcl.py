"""MMCL: multi-margin cosine loss, CCL with several margins, each with a weight."""

from collections.abc import Sequence

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_at_least, check_between
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.ccl import mean_excess
from recbole_dsl.losses.checks import check_scores


def _check_options(margins: Sequence[float], weights: Sequence[float]) -> None:
    for name, values in (("margins", margins), ("weights", weights)):
        if not isinstance(values, (list, tuple)) or not values:
            raise ValueError(f"{name} must be a list of at least one number, got {values!r}")
    if len(weights) != len(margins):
        raise ValueError(
            f"weights must have one entry for each of the {len(margins)} margins, got {weights!r}"
        )
    for k, (margin, weight) in enumerate(zip(margins, weights, strict=True)):
        check_between(f"margins[{k}]", margin, -1, 1)
        check_at_least(f"weights[{k}]", weight, 0)


def mmcl_loss(
    pos: torch.Tensor, neg: torch.Tensor, *, margins: Sequence[float], weights: Sequence[float]
) -> torch.Tensor:
    r"""MMCL: the higher a negative scores, the more margins it exceeds and the harder it is pushed.

    .. math:: \ell_b = 1 - f_b + \sum_{k=1}^K \frac{w_k}M \sum_{j=1}^M \max(0, f_{bj} - m_k)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        margins: list of K >= 1 numbers :math:`m_k` in [-1, 1], in any order.
        weights: list of K numbers :math:`w_k` >= 0, in the order of the margins.
    Returns:
        (B,) float, >= 0 for cosines.
    Raises:
        ValueError: margins or weights not a list, empty, of different lengths or out of range;
            M == 0; shapes are not (B,) and (B, M).
    Source: Ozsoy, "Multi-Margin Cosine Loss: Proposal and Application in Recommender Systems",
        arXiv 2405.04614, 2024.
    Differs from source: unverified. No text with the paper's equation could be read; this form is
        its description, CCL with several margins, each with a weight. A common factor of all
        negatives is part of the weights, so they need not sum to 1.
    Conventions: no denominator; mean over all negatives, those below a margin included; no
        temperature, neither as factor nor as divisor.
    Limits: K = 1 is CCL, to the bit. Equal margins add their weights.
    Example:
        >>> import torch
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.75, 0.25]])
        >>> mmcl_loss(pos, neg, margins=[0.5, 0.0], weights=[2.0, 1.0])
        tensor([1.2500])
    """
    _check_options(margins, weights)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    # One margin after the other: all at once would build (B, M, K).
    pushes = (w * mean_excess(neg, m) for m, w in zip(margins, weights, strict=True))
    return sum(pushes, 1 - pos)


class MMCLLoss(RowLoss):
    """Mean of :func:`mmcl_loss` over the rows of a batch."""

    paper = "Ozsoy, arXiv 2405.04614"
    scores = ("cosine",)

    def __init__(
        self,
        *,
        margins: Sequence[float] = (0.6, 0.7, 0.8, 0.9),
        weights: Sequence[float] = (12.5, 37.5, 50, 150),
    ) -> None:
        _check_options(margins, weights)
        super().__init__(margins=list(margins), weights=list(weights))

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
        return mmcl_loss(pos, neg, **self.options).mean()
