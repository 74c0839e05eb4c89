"""gBCE: generalised BCE, corrected for the overconfidence that sampled negatives cause."""

import torch
from torch.nn.functional import softplus

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_between, check_count, check_positive
from recbole_dsl.losses.base import RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_scores


def gbce_beta(n_negatives: int, n_items: int, *, calibration: float) -> float:
    r"""The power of gBCE from the share of the catalogue that is sampled.

    .. math::
        \beta = \alpha \bigl(t (1 - 1/\alpha) + 1/\alpha\bigr) = 1 - t (1 - \alpha), \qquad
        \alpha = \frac{M}{I - 1}

    Args:
        n_negatives: M, negatives per positive, >= 1.
        n_items: I, items of the catalogue, the padding item not counted, >= 2.
        calibration: t, in [0, 1]. 0: plain BCE; 1: probabilities as if no negative were left out.
    Returns:
        float, > 0. Above 1 where M > I - 1: negatives are drawn with replacement, so alpha is the
        expected number of times each is drawn.
    Raises:
        ValueError: n_negatives < 1; n_items < 2; calibration outside [0, 1].
    Source: Petrov, Macdonald, RecSys 2023.
    Example:
        >>> gbce_beta(256, 1025, calibration=0.5)
        0.625
    """
    check_count("n_negatives", n_negatives)
    check_count("n_items", n_items)
    if n_items < 2:
        raise ValueError(f"n_items must be >= 2, got {n_items!r}")
    check_between("calibration", calibration, 0, 1)
    return 1 - calibration * (1 - n_negatives / (n_items - 1))


def gbce_loss(pos: torch.Tensor, neg: torch.Tensor, *, tau: float, beta: float) -> torch.Tensor:
    r"""gBCE: BCE whose positive has its probability raised to the power beta.

    .. math::
        \ell_b = -\frac1{M+1} \Bigl(\log \sigma(f_b/\tau)^\beta
            + \sum_{j=1}^M \log\bigl(1 - \sigma(f_{bj}/\tau)\bigr)\Bigr), \qquad
        \log \sigma(x)^\beta = -\beta \log(1 + e^{-x})

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive.
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau: temperature, > 0, in score units. 1 for inner products.
        beta: > 0, of :func:`gbce_beta`. Below 1 it weakens the pull on the positive.
    Returns:
        (B,) float, in nats, > 0.
    Raises:
        ValueError: tau <= 0; beta <= 0; M == 0; shapes are not (B,) and (B, M).
    Source: Petrov, Macdonald, "gSASRec: Reducing Overconfidence in Sequential Recommendation
        Trained with Negative Sampling", RecSys 2023.
    Differs from source: an optional tau; negatives are drawn with replacement and never among the
        user's training positives, where the authors' PyTorch code excludes nothing.
    Conventions: no denominator; the negatives' sum and the positive are divided by M + 1, as
        in the source, so each negative weighs the same and the positive beta times that; not
        multiplied by tau; one tau.
    Limits: beta = 1 (calibration 0) is BCE with negative_weight = M, divided by M + 1.
    Example:
        >>> import torch
        >>> gbce_loss(torch.tensor([0.0]), torch.tensor([[0.0, 0.0]]), tau=1.0, beta=1.0)
        tensor([0.6931])
    """
    check_positive("tau", tau)
    check_positive("beta", beta)
    check_scores(pos, neg)
    pos, neg = in_float32(pos, neg)
    total = beta * softplus(-pos / tau) + softplus(neg / tau).sum(dim=1)
    return total / (neg.shape[1] + 1)


class GBCELoss(RowLoss):
    """Mean of :func:`gbce_loss` over the rows of a batch, beta following from the catalogue."""

    paper = "Petrov and Macdonald, RecSys 2023"

    def __init__(self, *, tau: float = 1.0, calibration: float = 0.75) -> None:
        check_positive("tau", tau)
        check_between("calibration", calibration, 0, 1)
        super().__init__(tau=tau, calibration=calibration)
        self.n_items: int | None = None

    def prepare(self, data: TrainingRows) -> None:
        self.n_items = data.n_items - 1  # row 0 is padding

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
        check_scores(pos, neg)  # before M is taken from neg
        if self.n_items is None:
            raise RuntimeError("gBCE needs the size of the catalogue: call prepare(data) first")
        calibration = self.options["calibration"]
        beta = gbce_beta(neg.shape[1], self.n_items, calibration=calibration)
        return gbce_loss(pos, neg, tau=self.tau, beta=beta).mean()
