"""The KL-DRO reading of the softmax losses: their worst-case distribution over the negatives."""

import math
from typing import NamedTuple

import torch

from recbole_dsl.losses.checks import check_like

_CELLS = 1 << 22  # of a (B, M) tensor that view_statistics looks at together, which bounds memory


class RobustView(NamedTuple):
    """The parts of a loss that enter the identity in :func:`worst_case`, for the rows of a batch.

    Attributes:
        f: (B, M) float. Scores of the negatives as the loss sees them, in score units.
        tau: (B,) float, > 0. Temperature of each row.
        log_kappa: (B, M) float or None. Log of the weights of the negatives, up to a constant per
            row; None: equal weights, P is uniform.
        weight: (B,) float or None. Weight of each row in the loss; None: 1.
    """

    f: torch.Tensor
    tau: torch.Tensor
    log_kappa: torch.Tensor | None = None
    weight: torch.Tensor | None = None


def view_statistics(view: RobustView) -> dict[str, torch.Tensor]:
    """How a loss treats the rows of a batch, in a few scalars of shape ().

    Returns:
        dict: ``tau_mean``, ``tau_min``, ``tau_max``, of the rows' temperatures, in score units.
        With weights of the negatives also ``kappa_entropy``, the mean over rows of their entropy
        over log M, 1 for equal weights and 0 where one negative has all (absent where M is 1), and
        ``kappa_max``, the mean over rows of the largest weight where their mean is 1.
    """
    tau, log_kappa, m = view.tau.detach(), view.log_kappa, view.f.shape[1]
    found = {"tau_mean": tau.mean(), "tau_min": tau.min(), "tau_max": tau.max()}
    if log_kappa is None:
        return found
    entropies, largest = [], []
    rows = max(_CELLS // m, 1)
    for first in range(0, len(tau), rows):
        some = slice(first, first + rows)
        left_out = view.f[some].detach() == -math.inf
        share = torch.softmax(log_kappa[some].detach().masked_fill(left_out, -math.inf), dim=1)
        entropies.append(torch.special.entr(share).sum(dim=1))
        largest.append(share.max(dim=1).values)
    if m > 1:
        found["kappa_entropy"] = torch.cat(entropies).mean() / math.log(m)
    found["kappa_max"] = m * torch.cat(largest).mean()
    return found


class WorstCase(NamedTuple):
    """The worst-case distribution over a row's negatives, its payoff and its distance from P.

    Attributes:
        q: (B, M), Q, the worst-case distribution; rows sum to 1.
        payoff: (B,), E_Q[f], the mean score of the negatives under Q, in score units.
        kl: (B,), KL(Q || P), how far Q has moved from the prior P, in nats.
        effective_negatives: (B,), exp of the entropy of Q (its perplexity): the effective number
            of negatives, 1 to M.
    """

    q: torch.Tensor
    payoff: torch.Tensor
    kl: torch.Tensor
    effective_negatives: torch.Tensor


def worst_case(
    neg: torch.Tensor, tau: torch.Tensor, log_kappa: torch.Tensor | None = None
) -> WorstCase:
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


class RobustQuantities(NamedTuple):
    """Result of :func:`robust_quantities`, in float64.

    Attributes:
        p, q: (B, M), the prior P and the worst case Q over each row's negatives.
        tau: (B,), temperature, in score units.
        weight: (B,), weight of the row in the loss.
        prior_entropy: (B,), entropy of P, in nats: log M where P is uniform.
        effective_negatives: (B,), exp of the entropy of Q, 1 to M.
        prior_payoff, payoff: (B,), E_P[f] and E_Q[f], in score units.
        kl: (B,), KL(Q || P), in nats.
        robust_value: (B,), the left side of the identity, tau log E_P[exp(f / tau)].
        identity_error: (B,), left side minus right side; rounding alone.
    """

    p: torch.Tensor
    q: torch.Tensor
    tau: torch.Tensor
    weight: torch.Tensor
    prior_entropy: torch.Tensor
    effective_negatives: torch.Tensor
    prior_payoff: torch.Tensor
    payoff: torch.Tensor
    kl: torch.Tensor
    robust_value: torch.Tensor
    identity_error: torch.Tensor


@torch.no_grad()
def robust_quantities(view: RobustView) -> RobustQuantities:
    """Prior, worst case and both sides of the identity, from a loss's robust view of a batch.

    Args:
        view: a :class:`RobustView`, of any float dtype.
    Returns:
        :class:`RobustQuantities`.
    Raises:
        ValueError: as :func:`worst_case`; weight is not (B,).
    Example:
        >>> view = RobustView(torch.tensor([[0.3, 0.3]]), torch.tensor([0.1]))
        >>> round(robust_quantities(view).effective_negatives.item(), 6)
        2.0
    """
    f, tau = view.f.double(), view.tau.double()
    log_kappa = torch.zeros_like(f)
    if view.log_kappa is not None:
        check_like("log_kappa", view.log_kappa, "f", f)
        # normalised anew, since float32 leaves the mean of kappa a little off 1
        log_kappa = torch.log_softmax(view.log_kappa.double(), dim=1) + math.log(f.shape[1])
    case = worst_case(f, tau, log_kappa)
    log_p = log_kappa - math.log(f.shape[1])
    p = log_p.exp()
    weight = torch.ones_like(tau) if view.weight is None else view.weight.double()
    check_like("weight", weight, "tau", tau)
    value = tau * torch.logsumexp(log_p + f / tau.unsqueeze(1), dim=1)
    return RobustQuantities(
        p=p,
        q=case.q,
        tau=tau,
        weight=weight,
        prior_entropy=-(p * log_p).sum(dim=1),
        effective_negatives=case.effective_negatives,
        prior_payoff=(p * f).sum(dim=1),
        payoff=case.payoff,
        kl=case.kl,
        robust_value=value,
        identity_error=value - (case.payoff - tau * case.kl),
    )
