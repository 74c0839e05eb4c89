"""BCE: binary cross-entropy, each score read as the log odds of an interaction."""

import torch
from torch.nn.functional import softplus

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_at_least, check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_scores


def bce_loss(
    pos: torch.Tensor, neg: torch.Tensor, *, tau: float, negative_weight: float
) -> torch.Tensor:
    r"""BCE: the positive should be classified as one, each sampled negative as none.

    .. math:: \ell_b = \log\bigl(1 + e^{-f_b/\tau}\bigr)
        + \frac wM \sum_{j=1}^M \log\bigl(1 + e^{f_{bj}/\tau}\bigr)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive.
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau: temperature, > 0, in score units. 1 for inner products; a cosine needs less, since a
            logit in [-1, 1] cannot express a probability below 0.27.
        negative_weight: w >= 0, weight of a row's negatives in total; the positive's is 1.
    Returns:
        (B,) float, in nats, > 0.
    Raises:
        ValueError: tau <= 0; negative_weight < 0; M == 0; shapes are not (B,) and (B, M).
    Source: He, Liao, Zhang, Nie, Hu, Chua, "Neural Collaborative Filtering", WWW 2017, Eq. (7).
    Differs from source: mean over negatives and a weight instead of their sum, so that M and the
        balance of the classes are set separately; w = M is the source's sum. An optional tau. No
        bias: the score is the whole logit.
    Conventions: no denominator; mean over negatives, times w; not multiplied by tau; one
        tau.
    Limits: w = M, divided by M + 1, is gBCE at calibration 0. w = 0 has only the positives, and no
        minimum.
    Example:
        >>> import torch
        >>> pos, neg = torch.tensor([0.0]), torch.tensor([[0.0, 0.0]])
        >>> bce_loss(pos, neg, tau=1.0, negative_weight=1.0)
        tensor([1.3863])
    """
    check_positive("tau", tau)
    check_at_least("negative_weight", negative_weight, 0)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    return softplus(-pos / tau) + negative_weight * softplus(neg / tau).mean(dim=1)


class BCELoss(RowLoss):
    """Mean of :func:`bce_loss` over the rows of a batch."""

    paper = "He et al., WWW 2017 (NCF)"

    def __init__(self, *, tau: float = 1.0, negative_weight: float = 4.0) -> None:
        check_positive("tau", tau)
        check_at_least("negative_weight", negative_weight, 0)
        super().__init__(tau=tau, negative_weight=negative_weight)

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
        return bce_loss(pos, neg, **self.options).mean()
