"""BPR: pairwise logistic loss over one or many negatives."""

import torch
from torch.nn.functional import softplus

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_scores


def bpr_loss(pos: torch.Tensor, neg: torch.Tensor, *, tau: float) -> torch.Tensor:
    r"""BPR: the positive should win against each sampled negative, under a logistic link.

    .. math:: \ell_b = \frac1M \sum_{j=1}^M \log\bigl(1 + \exp((f_{bj} - f_b)/\tau)\bigr)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive.
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau: temperature, > 0, in score units. 1 for inner products; a cosine needs less, since a
            gap of at most 2 does not saturate the sigmoid.
    Returns:
        (B,) float, in nats, > 0.
    Raises:
        ValueError: tau <= 0; M == 0; shapes are not (B,) and (B, M).
    Source: Rendle, Freudenthaler, Gantner, Schmidt-Thieme, UAI 2009, section 4.1.
    Differs from source: mean over M negatives instead of one negative a step; an optional tau.
        Softplus instead of ``log(sigmoid + 1e-10)``, whose gradient fades for hard negatives.
    Conventions: no denominator; mean over negatives; not multiplied by tau; one tau.
    Limits: M = 1 is the published loss.
    Example:
        >>> import torch
        >>> bpr_loss(torch.tensor([1.0]), torch.tensor([[1.0, 1.0]]), tau=1.0)
        tensor([0.6931])
    """
    check_positive("tau", tau)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    return softplus((neg - pos.unsqueeze(1)) / tau).mean(dim=1)


class BPRLoss(RowLoss):
    """Mean of :func:`bpr_loss` over the rows of a batch."""

    paper = "Rendle et al., UAI 2009"

    def __init__(self, *, tau: float = 1.0) -> None:
        check_positive("tau", tau)
        super().__init__(tau=tau)

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
        return bpr_loss(pos, neg, **self.options).mean()
