import math

import pytest
import torch

from recbole_dsl.losses import dsl_loss, dsl_scales, softmax_loss, worst_case

OPTIONS = dict(tau=0.15, alpha=0.5, beta=-3.0, gamma=1.0, slate_size=4, clip=4.0)


def _batch():
    scores = torch.rand(6, 31, dtype=torch.float64) * 2 - 1
    return scores[:, 0], scores[:, 1:], torch.rand(6, 30, dtype=torch.float64) * 2 - 1


def _robust_value(case, tau):
    return case.payoff - tau * case.kl


def test_softmax_loss_is_the_robust_value_with_a_uniform_prior():
    pos, neg, _ = _batch()
    tau = torch.full((6,), 0.15, dtype=torch.float64)
    value = _robust_value(worst_case(neg, tau), tau)
    torch.testing.assert_close(0.15 * softmax_loss(pos, neg, tau=0.15), value - pos)


def test_dsl_is_the_robust_value_with_prior_kappa_and_a_temperature_per_row():
    pos, neg, sim = _batch()
    log_kappa, tau_b = dsl_scales(pos, neg, sim, **OPTIONS)
    value = _robust_value(worst_case(neg, tau_b, log_kappa), tau_b)
    torch.testing.assert_close(tau_b * dsl_loss(pos, neg, sim, **OPTIONS), value - pos)


def test_no_other_distribution_does_better():
    pos, neg, sim = _batch()
    log_kappa, tau_b = dsl_scales(pos, neg, sim, **OPTIONS)
    best = worst_case(neg, tau_b, log_kappa)
    prior = log_kappa.exp() / neg.shape[1]
    for step in (1e-3, 0.1, 1.0):
        for _ in range(50):
            other = torch.softmax(best.q.log() + step * torch.randn_like(neg), dim=1)
            kl = (other * (other / prior).log()).sum(dim=1)
            value = (other * neg).sum(dim=1) - tau_b * kl
            assert bool((value <= _robust_value(best, tau_b) + 1e-12).all())


def test_deviation_and_effective_number_on_a_hand_case():
    case = worst_case(
        torch.tensor([[0.1 * math.log(3), 0.0]]).double(), torch.tensor([0.1]).double()
    )
    torch.testing.assert_close(case.q, torch.tensor([[0.75, 0.25]]).double())
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert case.kl.item() == pytest.approx(math.log(2) - entropy)
    assert case.effective_negatives.item() == pytest.approx(math.exp(entropy))


def test_a_smaller_tau_means_a_larger_deviation():
    _, neg, _ = _batch()
    wide, narrow = (worst_case(neg, torch.full((6,), t).double()) for t in (0.5, 0.05))
    assert bool((narrow.kl > wide.kl).all())
    assert bool((narrow.effective_negatives < wide.effective_negatives).all())


def test_bad_temperatures_are_refused():
    with pytest.raises(ValueError, match="tau must be > 0 in every row, smallest is 0.0"):
        worst_case(torch.zeros(2, 3), torch.tensor([0.1, 0.0]))
    with pytest.raises(ValueError, match="tau must have the shape"):
        worst_case(torch.zeros(2, 3), torch.tensor([0.1]))
