"""CCL: cosine contrastive loss of SimpleX, in which only negatives above a margin count."""

import torch
from torch.nn.functional import relu

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_at_least, check_between
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_scores


def mean_excess(neg: torch.Tensor, margin: float) -> torch.Tensor:
    """By how much the negatives exceed the margin, on average, (B, M) -> (B,)."""
    return relu(neg - margin).mean(dim=1)


def ccl_loss(
    pos: torch.Tensor, neg: torch.Tensor, *, margin: float, negative_weight: float
) -> torch.Tensor:
    r"""CCL: the positive is pulled towards cosine 1, negatives are pushed below the margin.

    .. math:: \ell_b = 1 - f_b + \frac wM \sum_{j=1}^M \max(0, f_{bj} - m)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        margin: m, in [-1, 1]. A negative at or below it has no loss and no gradient.
        negative_weight: w >= 0. Large, since few of many negatives exceed the margin.
    Returns:
        (B,) float, >= 0 for cosines.
    Raises:
        ValueError: margin outside [-1, 1]; negative_weight < 0; M == 0; shapes are not (B,) and
            (B, M).
    Source: Mao, Zhu, Wang, Dai, Dong, Xiao, He, "SimpleX: A Simple and Strong Baseline for
        Collaborative Filtering", CIKM 2021.
    Differs from source: nothing.
    Conventions: no denominator; mean over all negatives, those below the margin included;
        no temperature, neither as factor nor as divisor.
    Limits: one margin of MMCL. margin = -1: linear in the scores.
    Example:
        >>> import torch
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.75, 0.0]])
        >>> ccl_loss(pos, neg, margin=0.5, negative_weight=2.0)
        tensor([0.7500])
    """
    check_between("margin", margin, -1, 1)
    check_at_least("negative_weight", negative_weight, 0)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    return 1 - pos + negative_weight * mean_excess(neg, margin)


class CCLLoss(RowLoss):
    """Mean of :func:`ccl_loss` over the rows of a batch."""

    paper = "Mao et al., CIKM 2021 (SimpleX)"
    scores = ("cosine",)

    def __init__(self, *, margin: float = 0.9, negative_weight: float = 10.0) -> None:
        check_between("margin", margin, -1, 1)
        check_at_least("negative_weight", negative_weight, 0)
        super().__init__(margin=margin, negative_weight=negative_weight)

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
        return ccl_loss(pos, neg, **self.options).mean()
