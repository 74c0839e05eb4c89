"""The KL-DRO reading of the softmax losses: which negatives the loss fears, and how much."""

from typing import NamedTuple

import torch

from recbole_dsl.losses._checks import check_like


class WorstCase(NamedTuple):
    """The worst-case distribution over a row's negatives and what it is worth.

    Attributes:
        q: (B, M), Q, the distribution the loss defends against; rows sum to 1.
        payoff: (B,), E_Q[f], the mean score of the negatives under Q, in score units.
        kl: (B,), KL(Q || P), how far Q has moved from the prior P, in nats.
        effective_negatives: (B,), exp of the entropy of Q: how many negatives count, 1 to M.
    """

    q: torch.Tensor
    payoff: torch.Tensor
    kl: torch.Tensor
    effective_negatives: torch.Tensor


def worst_case(neg, tau, log_kappa=None):
    r"""The maximiser in the Donsker-Varadhan identity that turns log-sum-exp into KL-DRO.

    .. math::
        \tau \log \sum_j p_j e^{f_j/\tau} = \max_Q\; E_Q[f] - \tau\, KL(Q \| P),
        \qquad Q_j \propto p_j e^{f_j/\tau}

    SL has P uniform and one tau; DSL has P = kappa / M and a tau per row.

    Args:
        neg: (B, M) float. Scores of each row's negatives.
        tau: (B,) float, > 0. Temperature of each row.
        log_kappa: (B, M) float or None. Log of weights whose mean over j is 1; None: uniform P.
    Returns:
        :class:`WorstCase`.
    Raises:
        ValueError: tau is not (B,) or not positive; log_kappa is not of neg's shape.
    Source: Donsker and Varadhan 1975; for SL, Wu et al., "BSL", ICDE 2024.
    Example:
        >>> case = worst_case(torch.tensor([[0.3, 0.3]]), torch.tensor([0.1]))
        >>> case.q, case.kl
        (tensor([[0.5000, 0.5000]]), tensor([0.]))
    """
    check_like("tau", tau, "neg[:, 0]", neg[:, 0])
    if not bool((tau > 0).all()):
        raise ValueError(f"tau must be > 0 in every row, smallest is {tau.min().item()!r}")
    logits = neg / tau.unsqueeze(1)
    if log_kappa is not None:
        check_like("log_kappa", log_kappa, "neg", neg)
        logits = logits + log_kappa
    log_q = torch.log_softmax(logits, dim=1)
    q = log_q.exp()
    log_p = torch.zeros_like(neg) if log_kappa is None else log_kappa  # times 1/M, see below
    log_m = torch.log(torch.tensor(float(neg.shape[1]), dtype=neg.dtype, device=neg.device))
    kl = (q * (log_q - log_p + log_m)).sum(dim=1)
    entropy = -(q * log_q).sum(dim=1)
    return WorstCase(q, (q * neg).sum(dim=1), kl, entropy.exp())
