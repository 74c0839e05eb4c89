"""The forms of DSL that are ours: each against a plain loop in float64, off by default."""

import itertools
import math

import pytest
import torch
from loss_cases import cosines, default_options

from recbole_dsl.losses import (
    DSLForm,
    DSLLoss,
    bsl_row_loss,
    dsl_loss,
    dsl_scales,
    softmax_loss,
)

OPTIONS = dict(tau=0.2, alpha=0.7, beta=-2.0, gamma=1.2, slate_size=3, clip=4.0)
OFF = dict(OPTIONS, alpha=0.0, beta=0.0, gamma=0.0)


def _batch(rows=5, negatives=7, dtype=torch.float64):
    similarity = torch.rand(rows, negatives, dtype=dtype) * 2 - 1
    return *cosines(rows, negatives, dtype), similarity


def _row(p, ns, ss, tau, alpha, beta, slate_size, hardness, intensity):
    """kappa and intensity of one row, in plain Python."""
    gap_hardness = [1 / (1 + math.exp(-(n - p) / tau)) for n in ns]
    hard = gap_hardness if hardness == "sigmoid" else ns
    weight = [math.exp(alpha * h + beta * s) for h, s in zip(hard, ss, strict=True)]
    kappa = [len(ns) * w / sum(weight) for w in weight]
    strength = [k * math.exp((n - p) / tau) for k, n in zip(kappa, ns, strict=True)]
    slate = sorted(range(len(ns)), key=lambda j: -strength[j])[:slate_size]
    if intensity == "mean":
        return kappa, sum(gap_hardness[j] for j in slate) / len(slate)
    if len(slate) == 1:
        return kappa, 0.0
    total = sum(strength[j] for j in slate)
    shares = [strength[j] / total for j in slate]
    return kappa, -sum(q * math.log(q) for q in shares) / math.log(len(slate))


def _loop(batch, form, centre=None, *, tau, alpha, beta, gamma, slate_size, clip):
    """Losses of a batch, row by row; the temperatures around centre, or the batch's mean."""
    rows = list(zip(*(tensor.tolist() for tensor in batch), strict=True))
    own = [_row(*row, tau, alpha, beta, slate_size, form.hardness, form.intensity) for row in rows]
    around = sum(c for _, c in own) / len(own) if centre is None else centre
    found = []
    for (p, ns, _), (kappa, c) in zip(rows, own, strict=True):
        bound = math.log(clip)
        tau_b = tau * math.exp(min(max(gamma * (c - around), -bound), bound))
        push = sum(k * math.exp(n / tau_b) for k, n in zip(kappa, ns, strict=True)) / len(ns)
        found.append(math.log(push) - p / (form.positive_factor * tau_b))
    return torch.tensor(found, dtype=torch.float64), [c for _, c in own]


def _name(form):
    return "-".join(map(str, form[:3]))


FORMS = [
    DSLForm(*values)
    for values in itertools.product((1.0, 1.25, 0.5), ("sigmoid", "score"), ("mean", "entropy"))
]


@pytest.mark.parametrize("form", FORMS, ids=_name)
@pytest.mark.parametrize(
    "change", [{}, {"alpha": 0.0, "beta": 0.0}, {"gamma": 0.0}, {"slate_size": 1}], ids=str
)
def test_agrees_with_a_plain_loop(form, change):
    batch, options = _batch(), {**OPTIONS, **change}
    expected, _ = _loop(batch, form, **options)
    torch.testing.assert_close(dsl_loss(*batch, **options, form=form), expected)


def test_every_form_but_the_default_changes_the_loss():
    batch = _batch()
    losses = [dsl_loss(*batch, **OPTIONS, form=form).mean().item() for form in FORMS]
    assert len({round(loss, 9) for loss in losses}) == len(FORMS)
    assert losses[0] == dsl_loss(*batch, **OPTIONS).mean().item()
    defaults = default_options("DSL")
    assert tuple(defaults[name] for name in DSLForm._fields[:3]) == DSLForm()[:3]
    assert defaults["centre"] == "batch" and DSLForm().centre is None


def test_with_both_branches_off_the_factor_is_bsls_ratio_of_temperatures():
    pos, neg, sim = _batch(64, 100)
    found = dsl_loss(pos, neg, sim, **OFF, form=DSLForm(1.25))
    torch.testing.assert_close(found, bsl_row_loss(pos, neg, tau_pos=0.25, tau_neg=0.2))
    assert torch.equal(dsl_loss(pos, neg, sim, **OFF), softmax_loss(pos, neg, tau=0.2))


def test_the_pull_is_weaker_by_the_factor_and_the_push_stays():
    pos, neg, sim = _batch()
    pos.requires_grad_(), neg.requires_grad_()

    def gradients(factor):
        loss = dsl_loss(pos, neg, sim, **OPTIONS, form=DSLForm(factor)).sum()
        return torch.autograd.grad(loss, (pos, neg))

    (pull, push), (weaker, same) = gradients(1.0), gradients(1.25)
    torch.testing.assert_close(weaker, pull / 1.25)
    torch.testing.assert_close(same, push)


def test_intensity_by_entropy_is_highest_where_all_competitors_are_equally_strong():
    pos = torch.zeros(3).double()
    neg = torch.tensor([[0.3, 0.3, 0.3], [0.9, -0.9, -0.9], [0.3, 0.2, 0.1]]).double()
    seen = []
    form = DSLForm(intensity="entropy", centre=lambda c: seen.append(c) or c.mean())
    dsl_scales(pos, neg, torch.zeros(3, 3).double(), **dict(OFF, gamma=1.0), form=form)
    assert seen[0][0].item() == pytest.approx(1.0)
    assert seen[0][0] > seen[0][2] > seen[0][1] > 0


@pytest.mark.parametrize("form", FORMS[:4], ids=_name)
@pytest.mark.parametrize("alpha", [0.7, -0.7])
def test_left_out_negatives_change_no_gradient(form, alpha):
    """A score of -inf, as sample_num: all has it, counts in M alone; options as in the loop."""
    pos, neg, sim = _batch(6, 9)
    options = dict(OPTIONS, alpha=alpha)
    wide = torch.cat([neg, torch.full((6, 4), -math.inf).double()], dim=1).requires_grad_()
    wide_sim = torch.cat([sim, torch.zeros(6, 4).double()], dim=1)
    neg.requires_grad_()
    expected = torch.autograd.grad(dsl_loss(pos, neg, sim, **options, form=form).sum(), neg)[0]
    loss = dsl_loss(pos, wide, wide_sim, **options, form=form)
    found = torch.autograd.grad(loss.sum(), wide)[0]
    assert torch.isfinite(loss).all() and (found[:, 9:] == 0).all()
    torch.testing.assert_close(found[:, :9], expected)


def test_the_running_centre_is_a_mean_over_batches_and_moves_in_training_alone():
    loss = DSLLoss(**OPTIONS, centre="running").double()
    total = weight = 0.0
    for turn in range(4):
        batch = _batch()
        means = _loop(batch, DSLForm(), **OPTIONS)[1]
        if turn == 3:
            loss.eval()
        else:
            total, weight = 0.99 * total + 0.01 * sum(means) / 5, 0.99 * weight + 0.01
        expected, _ = _loop(batch, DSLForm(), total / weight, **OPTIONS)
        torch.testing.assert_close(loss(*batch), expected.mean())
        torch.testing.assert_close(loss.intensity_sum, torch.tensor([total, weight]).double())
    view = loss.robust_view(*batch)
    assert view.tau.log().mean().exp().item() != pytest.approx(OPTIONS["tau"], rel=1e-6)


def test_before_any_batch_the_running_centre_is_the_batchs_and_a_checkpoint_keeps_it():
    batch = _batch()
    running, plain = DSLLoss(**OPTIONS, centre="running").eval(), DSLLoss(**OPTIONS)
    torch.testing.assert_close(running(*batch), plain(*batch))
    running.train()(*_batch())
    again = DSLLoss(**OPTIONS, centre="running")
    again.load_state_dict(running.state_dict())
    assert torch.equal(again.eval()(*batch), running.eval()(*batch))
    assert not plain.state_dict()


def test_the_running_centre_keeps_to_the_clip():
    loss = DSLLoss(**dict(OPTIONS, gamma=9.0, clip=1.5), centre="running").double()
    for _ in range(3):
        loss(*_batch())
    ratio = loss.robust_view(*_batch(50)).tau / OPTIONS["tau"]
    assert ratio.max().item() == pytest.approx(1.5) and ratio.min().item() == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive_factor": 0}, "positive_factor must be > 0, got 0"),
        ({"hardness": "scor"}, "hardness must be .*sigmoid.*score.*, got 'scor'"),
        ({"intensity": 1}, "intensity must be .*mean.*entropy.*, got 1"),
        ({"centre": "mean"}, "centre must be .*batch.*running.*, got 'mean'"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        DSLLoss(**{**OPTIONS, **change})
