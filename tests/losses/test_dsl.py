import math

import pytest
import torch
from loss_cases import cosines

from recbole_dsl.losses import DSLLoss, dsl_loss, dsl_scales, softmax_loss

FULL = dict(tau=0.2, alpha=0.7, beta=-2.0, gamma=1.5, slate_size=3, clip=1.2)
OFF = dict(FULL, alpha=0.0, beta=0.0, gamma=0.0)


def _batch(rows=5, negatives=7, dtype=torch.float64):
    similarity = torch.rand(rows, negatives, dtype=dtype) * 2 - 1
    return *cosines(rows, negatives, dtype), similarity


def _loop(pos, neg, sim, tau, alpha, beta, gamma, slate_size, clip):
    """The equations of the docstring, in plain Python, row by row."""
    rows, all_kappa, intensity = [], [], []
    for p, ns, ss in zip(pos.tolist(), neg.tolist(), sim.tolist(), strict=True):
        d = [n - p for n in ns]
        h = [1 / (1 + math.exp(-x / tau)) for x in d]
        weight = [math.exp(alpha * x + beta * s) for x, s in zip(h, ss, strict=True)]
        kappa = [len(d) * w / sum(weight) for w in weight]
        ranked = sorted(range(len(d)), key=lambda j: -kappa[j] * math.exp(d[j] / tau))
        intensity.append(sum(h[j] for j in ranked[:slate_size]) / slate_size)
        rows.append(d)
        all_kappa.append(kappa)
    limit = math.log(clip)

    def log_ratios(c0):
        return [min(max(gamma * (c - c0), -limit), limit) for c in intensity]

    # c0 by trying every number of intensities clipped at either end: where r of them are within
    # the bounds, their mean gives it.
    found = []
    by_size = sorted(intensity)
    for low in range(len(by_size)):
        for high in range(low + 1, len(by_size) + 1):
            clipped = limit * ((len(by_size) - high) - low) * math.copysign(1, gamma)
            c0 = (sum(by_size[low:high]) + (clipped / gamma if gamma else 0)) / (high - low)
            found.append((abs(sum(log_ratios(c0))), c0))
    taus = [tau * math.exp(ratio) for ratio in log_ratios(min(found)[1])]
    losses = [
        math.log(sum(k * math.exp(x / t) for k, x in zip(kappa, d, strict=True)) / len(d))
        for d, kappa, t in zip(rows, all_kappa, taus, strict=True)
    ]
    return losses, all_kappa, taus


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"alpha": 0.0},
        {"beta": 0.0},
        {"gamma": 0.0},
        {"gamma": -2.0, "clip": 4.0},
        {"beta": 3.0},
    ],
)
def test_agrees_with_a_plain_loop(change):
    pos, neg, sim = _batch()
    options = {**FULL, **change}
    losses, kappa, taus = _loop(pos, neg, sim, **options)
    torch.testing.assert_close(dsl_loss(pos, neg, sim, **options), torch.tensor(losses).double())
    log_kappa, tau_b = dsl_scales(pos, neg, sim, **options)
    torch.testing.assert_close(log_kappa.exp(), torch.tensor(kappa).double())
    if options["gamma"] != 0:
        torch.testing.assert_close(tau_b, torch.tensor(taus).double())


def test_the_clip_is_reached_in_the_loop_test():
    pos, neg, sim = _batch()
    _, tau_b = dsl_scales(pos, neg, sim, **dict(FULL, clip=1e9))
    assert (tau_b.max() / tau_b.min()).sqrt() > FULL["clip"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_switched_off_is_softmax_loss_to_the_bit(dtype):
    pos, neg, sim = _batch(64, 100, dtype)
    pos.requires_grad_(), neg.requires_grad_()
    dsl = dsl_loss(pos, neg, sim, **OFF)
    grads = torch.autograd.grad(dsl.sum(), (pos, neg))
    sl = softmax_loss(pos, neg, tau=OFF["tau"])
    assert torch.equal(dsl, sl)
    for ours, theirs in zip(grads, torch.autograd.grad(sl.sum(), (pos, neg)), strict=True):
        assert torch.equal(ours, theirs)


def test_both_scales_are_normalised():
    pos, neg, sim = _batch(32, 50)
    log_kappa, tau_b = dsl_scales(pos, neg, sim, **FULL)
    torch.testing.assert_close(log_kappa.exp().mean(dim=1), torch.ones(32).double())
    assert tau_b.log().mean().exp().item() == pytest.approx(FULL["tau"])


@pytest.mark.parametrize("gamma", [8.0, -8.0])
def test_no_temperature_exceeds_the_clip_and_their_geometric_mean_is_tau(gamma):
    pos, neg, sim = _batch(200, 50)
    pos[:20] += 0.6  # a few rows without competition, which pull the mean away from the others
    options = dict(FULL, gamma=gamma, clip=2.0, slate_size=20)
    _, tau_b = dsl_scales(pos, neg, sim, **options)
    ratio = tau_b / options["tau"]
    assert ratio.max() <= 2 + 1e-12 and ratio.min() >= 0.5 - 1e-12
    assert ratio.max() > 1.99 and ratio.min() < 0.51
    assert tau_b.log().mean().exp().item() == pytest.approx(options["tau"], rel=1e-9)


def test_negative_beta_shields_the_item_most_like_the_positive():
    pos, neg = torch.tensor([0.5]), torch.tensor([[0.4, 0.4]], requires_grad=True)
    sim = torch.tensor([[0.9, -0.9]])
    dsl_loss(pos, neg, sim, **dict(OFF, beta=-3.0)).sum().backward()
    assert neg.grad[0, 0] < neg.grad[0, 1]


def test_positive_alpha_leans_on_the_hard_negative():
    neg, sim = torch.tensor([[0.3, -0.3]]), torch.zeros(1, 2)
    log_kappa, _ = dsl_scales(torch.zeros(1), neg, sim, **dict(OFF, alpha=2.0))
    assert log_kappa[0, 0] > 0 > log_kappa[0, 1]


def test_positive_gamma_softens_the_contested_example():
    pos, neg = torch.zeros(2), torch.tensor([[0.3, 0.2], [-0.8, -0.9]])
    _, tau_b = dsl_scales(pos, neg, torch.zeros(2, 2), **dict(OFF, gamma=1.0))
    assert tau_b[0] > OFF["tau"] > tau_b[1]
    _, tau_b = dsl_scales(pos, neg, torch.zeros(2, 2), **dict(OFF, gamma=-1.0))
    assert tau_b[0] < OFF["tau"] < tau_b[1]


def test_a_slate_larger_than_the_negatives_takes_them_all():
    pos, neg, sim = _batch(4, 3)
    large, exact = dict(FULL, slate_size=100), dict(FULL, slate_size=3)
    assert torch.equal(dsl_loss(pos, neg, sim, **large), dsl_loss(pos, neg, sim, **exact))


def test_no_gradient_flows_through_the_scales():
    pos, neg, sim = _batch()
    pos.requires_grad_(), neg.requires_grad_(), sim.requires_grad_()
    actual = torch.autograd.grad(dsl_loss(pos, neg, sim, **FULL).sum(), (pos, neg))
    log_kappa, tau_b = dsl_scales(pos, neg, sim, **FULL)

    def frozen(pos, neg):
        logits = (neg - pos.unsqueeze(1)) / tau_b.unsqueeze(1) + log_kappa
        return torch.logsumexp(logits, dim=1)

    assert torch.autograd.gradcheck(frozen, (pos, neg))
    expected = torch.autograd.grad(frozen(pos, neg).sum(), (pos, neg))
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    loss = DSLLoss(**FULL)(pos, neg, sim)
    assert torch.autograd.grad(loss, sim, allow_unused=True) == (None,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": float("nan")}, "alpha must be a finite number, got nan"),
        ({"beta": "x"}, "beta must be a finite number, got 'x'"),
        ({"gamma": None}, "gamma must be a finite number"),
        ({"slate_size": 0}, "slate_size must be an integer >= 1, got 0"),
        ({"slate_size": 2.5}, "slate_size must be an integer >= 1, got 2.5"),
        ({"clip": 0.5}, "clip must be >= 1, got 0.5"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        DSLLoss(**{**FULL, **change})


def test_similarity_of_another_shape_is_refused():
    pos, neg, _ = _batch()
    with pytest.raises(ValueError, match=r"item_similarity must have the shape of neg, \(5, 7\)"):
        dsl_loss(pos, neg, torch.zeros(5, 1).double(), **FULL)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_without_beta_no_similarity_is_asked_for_nor_used(alpha):
    pos, neg, similarity = torch.rand(4), torch.rand(4, 9), torch.rand(4, 9)
    loss = DSLLoss(beta=0.0, alpha=alpha, gamma=0.5)
    assert loss.inputs == ("pos", "neg") == DSLLoss().inputs
    assert torch.equal(loss(pos, neg), loss(pos, neg, similarity))
    assert torch.equal(loss(pos, neg), DSLLoss(beta=1e-30, alpha=alpha, gamma=0.5)(
        pos, neg, similarity))  # fmt: skip
    for given, other in zip(loss.robust_view(pos, neg), loss.robust_view(pos, neg, similarity),
                            strict=True):  # fmt: skip
        assert given is other is None or torch.equal(given, other)
    with pytest.raises(ValueError, match="item_similarity must have the shape of neg"):
        loss(pos, neg, similarity[:, 1:])


def test_with_beta_similarity_is_needed():
    pos, neg = torch.rand(4), torch.rand(4, 9)
    loss = DSLLoss(beta=-1.0)
    assert loss.inputs == ("pos", "neg", "item_similarity")
    for take in (loss, loss.robust_view):
        with pytest.raises(ValueError, match="beta -1.0 needs item_similarity, got None"):
            take(pos, neg)
    with pytest.raises(ValueError, match="beta -2.0 needs item_similarity, got None"):
        dsl_scales(pos, neg, None, **FULL)
