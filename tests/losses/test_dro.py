import math

import pytest
import torch
from loss_cases import cosines, default_options

from recbole_dsl.losses import (
    RobustView,
    RowLoss,
    TrainingRows,
    dro,
    dsl_loss,
    dsl_scales,
    robust_quantities,
    softmax_loss,
    worst_case,
)
from recbole_dsl.models.registry import LOSSES

OPTIONS = dict(tau=0.15, alpha=0.5, beta=-3.0, gamma=1.0, slate_size=4, clip=4.0)


def _batch():
    return *cosines(6, 30), torch.rand(6, 30).double() * 2 - 1


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


def _by_loops(f, tau, kappa):
    """The quantities of one row, from their definitions."""
    m = len(f)
    p = [k / sum(kappa) for k in kappa]
    z = sum(p[j] * math.exp(f[j] / tau) for j in range(m))
    q = [p[j] * math.exp(f[j] / tau) / z for j in range(m)]
    return {
        "tau": tau,
        "weight": 1.0,
        "prior_entropy": -sum(x * math.log(x) for x in p),
        "effective_negatives": math.exp(-sum(x * math.log(x) for x in q)),
        "prior_payoff": sum(x * y for x, y in zip(p, f, strict=True)),
        "payoff": sum(x * y for x, y in zip(q, f, strict=True)),
        "kl": sum(x * math.log(x / y) for x, y in zip(q, p, strict=True)),
        "robust_value": tau * math.log(z),
        "p": p,
        "q": q,
    }


def test_quantities_agree_with_loops_and_both_sides_of_the_identity_meet():
    pos, neg, sim = _batch()
    log_kappa, tau = dsl_scales(pos, neg, sim, **OPTIONS)
    found = robust_quantities(RobustView(neg, tau, log_kappa + 0.7))  # a constant is no weight
    for row in range(len(pos)):
        kappa = log_kappa[row].exp().tolist()
        expected = _by_loops(neg[row].tolist(), tau[row].item(), kappa)
        for name, value in expected.items():
            assert getattr(found, name)[row].tolist() == pytest.approx(value, abs=1e-12), name
    assert found.identity_error.abs().max() < 1e-10
    right = found.payoff - tau * found.kl
    torch.testing.assert_close(found.robust_value, right, rtol=0, atol=1e-10)


def test_a_uniform_prior_has_entropy_log_m_and_a_large_temperature_leaves_it_alone():
    _, neg, _ = _batch()
    near, far = (robust_quantities(RobustView(neg, torch.full((6,), t))) for t in (0.1, 1e6))
    for found in (near, far):
        assert found.prior_entropy.tolist() == pytest.approx([math.log(30)] * 6)
        assert bool((found.kl >= 0).all())
    assert bool((near.kl > 0.1).all()) and far.kl.max() < 1e-9
    torch.testing.assert_close(far.q, far.p, rtol=1e-5, atol=0)
    assert far.effective_negatives.tolist() == pytest.approx([30] * 6)


# Losses with a view -------------------------------------------------------------------------------


def _viewed(name, **changes):
    """A loss with its default options, and tensors for all it asks for."""
    loss = LOSSES[name](**{**default_options(name), **changes})
    users, items = torch.tensor([1, 2, 3, 1, 2, 3]), torch.tensor([1, 2, 3, 4, 5, 6])
    loss.prepare(TrainingRows(users, items, 4, 40))
    if name in ("SLatK", "Talos"):
        loss.quantiles.value.uniform_(-0.5, 0.5)
    if name == "AdapTau":
        loss.per_user.ratio.uniform_(0.4, 1.6)
    pos, neg, sim = _batch()
    negatives = torch.arange(7, 37).expand(6, 30)
    given = dict(pos=pos, neg=neg, item_similarity=sim, users=users, items=items)
    given["negatives"] = negatives
    return loss.eval(), {key: given[key] for key in loss.inputs}


VIEWED = [name for name, cls in LOSSES.items() if hasattr(cls, "robust_view")]
FORMS = [
    *((name, {}) for name in VIEWED if name not in ("PSL", "Talos")),
    ("DSL", {"alpha": 0.5, "beta": -3.0, "gamma": -1.0}),
    ("SL", {"positive_in_denominator": True}),
    ("BSL", {"form": "row", "tau_pos": 0.3, "tau_neg": 0.15}),
    ("BSL", {"form": "user", "tau_pos": 0.3, "tau_neg": 0.15}),
    ("BSL", {"form": "user", "tau_pos": 0.3, "tau_neg": 0.15, "negative_exponent": 1.2}),
    ("BSL", {"form": "paired", "tau_pos": 0.3, "tau_neg": 0.15}),
    ("AdvInfoNCE", {"negative_weight": 3.0}),
    ("AdvInfoNCE", {"positive_in_denominator": False}),
]


def test_the_losses_with_a_view_are_the_log_sum_exps_over_drawn_negatives():
    expected = {"DSL", "SL", "BSL", "PSL", "SLatK", "Talos", "AdvInfoNCE", "AdapTau", "BC"}
    assert set(VIEWED) == expected
    assert not hasattr(RowLoss, "robust_view")


@pytest.mark.parametrize(("name", "options"), FORMS)
def test_q_is_where_the_gradient_of_training_goes(name, options):
    loss, inputs = _viewed(name, **options)
    neg = inputs["neg"].clone().requires_grad_()
    (push,) = torch.autograd.grad(loss(**{**inputs, "neg": neg}), neg)
    found = robust_quantities(loss.robust_view(**inputs))
    share = push / push.sum(dim=1, keepdim=True)
    torch.testing.assert_close(share, found.q, rtol=1e-5, atol=1e-9)
    if name in ("DSL", "AdapTau", "SL", "SLatK", "BSL") and not options.get(
        "positive_in_denominator"
    ):
        force = found.weight / found.tau / len(neg)  # the push of a row, all negatives together
        torch.testing.assert_close(push.sum(dim=1), force, rtol=1e-5, atol=0)


@pytest.mark.parametrize("surrogate", ["relu", "tanh", "atan"])
def test_psl_is_softmax_loss_of_the_scores_in_its_view(surrogate):
    loss, inputs = _viewed("PSL", surrogate=surrogate)
    view = loss.robust_view(**inputs)
    value = (robust_quantities(view).robust_value - inputs["pos"]) / view.tau
    torch.testing.assert_close(value.mean(), loss(**inputs))


def test_talos_is_softmax_loss_of_the_scores_in_its_view_which_are_scores_near_the_quantile():
    loss, inputs = _viewed("Talos")
    quantile = loss.quantiles(inputs["users"])
    view = loss.robust_view(**inputs)
    positive = loss.robust_view(inputs["pos"], inputs["pos"].unsqueeze(1), inputs["users"]).f[:, 0]
    value = (robust_quantities(view).robust_value - positive) / view.tau
    torch.testing.assert_close(value.mean(), loss(**inputs))
    near = (quantile + 1e-4).unsqueeze(1)
    found = loss.robust_view(inputs["pos"], near, inputs["users"]).f
    torch.testing.assert_close(found, near, rtol=0, atol=1e-8)


def test_dsl_with_both_scales_off_has_the_numbers_of_sl():
    off, inputs = _viewed("DSL", alpha=0.0, beta=0.0, gamma=0.0)
    sl, sl_inputs = _viewed("SL", tau=off.tau)
    sl_inputs.update(pos=inputs["pos"], neg=inputs["neg"])
    found = robust_quantities(off.robust_view(**inputs))
    expected = robust_quantities(sl.robust_view(**sl_inputs))
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_without_gamma_every_row_has_dsls_tau_and_with_it_their_geometric_mean_is_tau():
    off, inputs = _viewed("DSL", beta=-3.0, gamma=0.0)
    assert off.robust_view(**inputs).tau.tolist() == [off.tau] * 6
    on, inputs = _viewed("DSL", gamma=1.0)
    tau = on.robust_view(**inputs).tau
    assert tau.min() < on.tau < tau.max()
    assert tau.log().mean().exp().item() == pytest.approx(on.tau)


@pytest.mark.parametrize("cells", [1 << 22, 7])
def test_statistics_are_those_of_a_plain_loop(cells, monkeypatch):
    monkeypatch.setattr(dro, "_CELLS", cells)
    scores, logits = torch.randn(5, 3), torch.randn(5, 3)
    scores[0, 1] = -math.inf  # left out of the row
    tau = torch.rand(5) + 0.1
    found = dro.view_statistics(RobustView(scores, tau, logits))
    entropies, largest = [], []
    for row in range(5):
        weights = [
            0.0 if scores[row, j] == -math.inf else math.exp(float(logits[row, j]))
            for j in range(3)
        ]
        shares = [weight / sum(weights) for weight in weights]
        entropies.append(-sum(share * math.log(share) for share in shares if share))
        largest.append(3 * max(shares))
    assert {name: float(value) for name, value in found.items()} == {
        "tau_mean": pytest.approx(sum(tau.tolist()) / 5),
        "tau_min": pytest.approx(min(tau.tolist())),
        "tau_max": pytest.approx(max(tau.tolist())),
        "kappa_entropy": pytest.approx(sum(entropies) / 5 / math.log(3)),
        "kappa_max": pytest.approx(sum(largest) / 5),
    }


def test_statistics_of_a_single_negative_have_no_entropy():
    view = RobustView(torch.randn(4, 1), torch.ones(4), torch.randn(4, 1))
    found = dro.view_statistics(view)
    assert set(found) == {"tau_mean", "tau_min", "tau_max", "kappa_max"} and found["kappa_max"] == 1
    assert set(dro.view_statistics(view._replace(log_kappa=None))) == {
        "tau_mean", "tau_min", "tau_max",
    }  # fmt: skip
