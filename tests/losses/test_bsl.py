import math

import pytest
import torch

from recbole_dsl.losses import (
    BSLLoss,
    bsl_paired_loss,
    bsl_row_loss,
    bsl_user_loss,
    softmax_loss,
)

TAUS = dict(tau_pos=0.3, tau_neg=0.2)
EQUAL = dict(tau_pos=0.2, tau_neg=0.2)


def _batch(rows=6, negatives=5):
    users = torch.tensor([4, 9, 4, 2, 9, 4])[:rows]
    return torch.randn(rows).double(), torch.randn(rows, negatives).double(), users


def _log_mean_exp(values):
    return math.log(sum(math.exp(v) for v in values) / len(values))


def _mean_exp(values):
    """log of the mean of exp, and its derivatives."""
    terms = [math.exp(v) for v in values]
    total = sum(terms)
    return math.log(total / len(terms)), [term / total for term in terms]


def _loop(pos, neg, groups, tau_pos, tau_neg, factor):
    """factor times log-mean-exp over the negatives, less that over the positives of the group.

    Values (B,), and the gradients of their sum with respect to pos and neg, from the equation.
    """
    values, to_pos, to_neg = [], [0.0] * len(pos), []
    for group, row in zip(groups, neg.tolist(), strict=True):
        pull, shares = _mean_exp([pos[c].item() / tau_pos for c in group])
        push, weights = _mean_exp([n / tau_neg for n in row])
        values.append(factor * push - pull)
        to_neg.append([factor * weight / tau_neg for weight in weights])
        for c, share in zip(group, shares, strict=True):
            to_pos[c] -= share / tau_pos
    return [torch.tensor(x, dtype=torch.float64) for x in (values, to_pos, to_neg)]


def _agrees(function, pos, neg, expected):
    pos.requires_grad_()
    neg.requires_grad_()
    loss = function(pos, neg)
    actual = (loss, *torch.autograd.grad(loss.sum(), (pos, neg)))
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_row_form_agrees_with_a_plain_loop():
    pos, neg, _ = _batch()
    expected = _loop(pos, neg, [[b] for b in range(6)], 0.3, 0.2, 1.0)
    _agrees(lambda *scores: bsl_row_loss(*scores, **TAUS), pos, neg, expected)


@pytest.mark.parametrize(("exponent", "factor"), [(None, 0.2 / 0.3), (1.0, 1.0), (1.3, 1.3)])
def test_user_form_agrees_with_a_plain_loop(exponent, factor):
    pos, neg, users = _batch()
    groups = [[c for c in range(6) if users[c] == user] for user in users]
    expected = _loop(pos, neg, groups, 0.3, 0.2, factor)
    options = dict(**TAUS, negative_exponent=exponent)
    _agrees(lambda *scores: bsl_user_loss(*scores, users, **options), pos, neg, expected)


def test_paired_form_agrees_with_a_plain_loop():
    pos, neg, _ = _batch()
    expected = _loop(pos, neg, [[b] for b in range(6)], 0.3, 0.2, 0.2 / 0.3)
    _agrees(lambda *scores: bsl_paired_loss(*scores, **TAUS), pos, neg, expected)


@pytest.mark.parametrize("c", [0.9, 1.0, 1.06, 1.32])
def test_row_form_is_the_authors_reweight_mode_divided_by_its_weight(c):
    """-f / T + c log sum exp(f_j / T) is c times the row form at tau_pos = c T, and c log M."""
    pos, neg, _ = _batch()
    t = 0.2
    authors = -pos / t + c * torch.logsumexp(neg / t, dim=1)
    ours = bsl_row_loss(pos, neg, tau_pos=c * t, tau_neg=t)
    torch.testing.assert_close(c * (ours + math.log(5)), authors, rtol=1e-12, atol=1e-12)


def test_user_form_at_one_temperature_is_the_authors_multi_mode():
    pos, neg, users = _batch()
    t, c = 0.2, 1.2
    for b, user in enumerate(users):
        own = pos[users == user]
        authors = -(own / t).exp().mean().log() + c * (neg[b] / t).exp().mean().log()
        ours = bsl_user_loss(pos, neg, users, tau_pos=t, tau_neg=t, negative_exponent=c)[b]
        torch.testing.assert_close(ours, authors, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("tau_pos", "tau_neg"), [(0.5, 0.2), (0.05, 0.2), (0.2, 0.2)])
def test_paired_form_is_always_softmax_loss_at_tau_neg_times_a_constant(tau_pos, tau_neg):
    pos, neg, _ = _batch()
    taus = dict(tau_pos=tau_pos, tau_neg=tau_neg)
    paired = bsl_paired_loss(pos, neg, **taus)
    torch.testing.assert_close(paired, tau_neg / tau_pos * softmax_loss(pos, neg, tau=tau_neg))
    alone = bsl_user_loss(pos, neg, torch.arange(6), **taus, negative_exponent=None)
    torch.testing.assert_close(paired, alone)


def test_user_form_with_one_row_a_user_and_exponent_one_is_the_row_form():
    pos, neg, _ = _batch()
    alone = bsl_user_loss(pos, neg, torch.arange(6), **TAUS, negative_exponent=1)
    torch.testing.assert_close(alone, bsl_row_loss(pos, neg, **TAUS))


def test_row_form_with_equal_temperatures_is_softmax_loss():
    pos, neg, _ = _batch()
    sl = softmax_loss(pos, neg, tau=0.2)
    torch.testing.assert_close(bsl_row_loss(pos, neg, **EQUAL), sl)


def test_user_form_with_one_row_a_user_and_equal_temperatures_is_softmax_loss():
    pos, neg, _ = _batch()
    bsl = bsl_user_loss(pos, neg, torch.arange(6), **EQUAL, negative_exponent=None)
    torch.testing.assert_close(bsl, softmax_loss(pos, neg, tau=0.2))


def test_user_form_with_a_large_tau_pos_is_softmax_loss_on_average():
    pos, neg, users = _batch()
    options = dict(tau_pos=1e5, tau_neg=0.2, negative_exponent=None)
    bsl = 1e5 * bsl_user_loss(pos, neg, users, **options).mean()
    sl = 0.2 * softmax_loss(pos, neg, tau=0.2).mean()
    torch.testing.assert_close(bsl, sl, rtol=1e-3, atol=1e-4)


def test_user_form_forgives_a_noisy_positive_more_at_a_small_tau_pos():
    pos = torch.tensor([0.8, -0.6], dtype=torch.float64, requires_grad=True)
    neg, users = torch.zeros(2, 3).double(), torch.tensor([1, 1])
    shares = []
    for tau_pos in (10.0, 0.2):
        options = dict(tau_pos=tau_pos, tau_neg=0.2, negative_exponent=None)
        loss = bsl_user_loss(pos, neg, users, **options).mean()
        (grad,) = torch.autograd.grad(loss, pos)
        shares.append((grad[1] / grad.sum()).item())
    assert shares[0] == pytest.approx(0.5, abs=0.05) and shares[1] < 0.01


def test_a_smaller_tau_pos_pulls_the_positive_harder():
    pos = torch.zeros(1, requires_grad=True)
    for form in ("row", "user", "paired"):
        pulls = []
        for tau_pos in (0.1, 0.2):
            loss = BSLLoss(form=form, tau_pos=tau_pos, tau_neg=0.2)
            inputs = {"pos": pos, "neg": torch.zeros(1, 2), "users": torch.tensor([1])}
            value = loss(**{name: inputs[name] for name in loss.inputs})
            pulls.append(torch.autograd.grad(value, pos)[0].item())
        assert pulls[0] < pulls[1] < 0


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({}, lambda pos, neg, users: bsl_row_loss(pos, neg, **EQUAL)),
        ({"form": "row", **TAUS}, lambda pos, neg, users: bsl_row_loss(pos, neg, **TAUS)),
        ({"form": "paired", **TAUS}, lambda pos, neg, users: bsl_paired_loss(pos, neg, **TAUS)),
        (
            {"form": "user", **TAUS},
            lambda pos, neg, users: bsl_user_loss(pos, neg, users, **TAUS, negative_exponent=None),
        ),
        (
            {"form": "user", **TAUS, "negative_exponent": 1.2},
            lambda pos, neg, users: bsl_user_loss(pos, neg, users, **TAUS, negative_exponent=1.2),
        ),
    ],
)
def test_the_module_is_the_mean_of_the_form_asked_for(options, same):
    given = dict(zip(("pos", "neg", "users"), _batch(), strict=True))
    loss = BSLLoss(**options)
    actual = loss(**{name: given[name] for name in loss.inputs})
    torch.testing.assert_close(actual, same(**given).mean())


def test_users_of_another_length_are_refused():
    pos, neg, users = _batch()
    with pytest.raises(ValueError, match=r"users must have the shape of pos, \(6,\), got \(5,\)"):
        bsl_user_loss(pos, neg, users[:5], **TAUS, negative_exponent=None)


def test_unknown_forms_are_refused():
    with pytest.raises(
        ValueError, match="form must be one of 'row', 'user', 'paired', got 'group'"
    ):
        BSLLoss(form="group", **TAUS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "user", "negative_exponent": 0}, "negative_exponent must be > 0, got 0"),
        ({"form": "user", "negative_exponent": "1"}, "negative_exponent must be a finite number"),
        ({"form": "row", "negative_exponent": 1.2}, "must be empty with form 'row', got 1.2"),
        ({"form": "paired", "negative_exponent": 1.2}, "must be empty with form 'paired'"),
    ],
)
def test_an_exponent_is_positive_and_of_the_user_form_alone(options, message):
    with pytest.raises(ValueError, match=message):
        BSLLoss(**options)
