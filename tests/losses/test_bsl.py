import math

import pytest
import torch

from recbole_dsl.losses import BSLLoss, bsl_row_loss, bsl_user_loss, softmax_loss

TAUS = dict(tau_pos=0.3, tau_neg=0.2)


def _batch(rows=6, negatives=5):
    users = torch.tensor([4, 9, 4, 2, 9, 4])[:rows]
    return torch.randn(rows).double(), torch.randn(rows, negatives).double(), users


def _log_mean_exp(values):
    return math.log(sum(math.exp(v) for v in values) / len(values))


def test_row_form_agrees_with_a_plain_loop():
    pos, neg, _ = _batch()
    expected = [
        -p / 0.3 + _log_mean_exp([n / 0.2 for n in row])
        for p, row in zip(pos.tolist(), neg.tolist(), strict=True)
    ]
    torch.testing.assert_close(bsl_row_loss(pos, neg, **TAUS), torch.tensor(expected).double())


def test_user_form_agrees_with_a_plain_loop():
    pos, neg, users = _batch()
    expected = []
    for user, row in zip(users.tolist(), neg.tolist(), strict=True):
        own = [p / 0.3 for p, u in zip(pos.tolist(), users.tolist(), strict=True) if u == user]
        expected.append(0.2 / 0.3 * _log_mean_exp([n / 0.2 for n in row]) - _log_mean_exp(own))
    actual = bsl_user_loss(pos, neg, users, **TAUS)
    torch.testing.assert_close(actual, torch.tensor(expected).double())


def test_row_form_with_equal_temperatures_is_softmax_loss():
    pos, neg, _ = _batch()
    sl = softmax_loss(pos, neg, tau=0.2)
    torch.testing.assert_close(bsl_row_loss(pos, neg, tau_pos=0.2, tau_neg=0.2), sl)


def test_user_form_with_one_row_a_user_and_equal_temperatures_is_softmax_loss():
    pos, neg, _ = _batch()
    bsl = bsl_user_loss(pos, neg, torch.arange(6), tau_pos=0.2, tau_neg=0.2)
    torch.testing.assert_close(bsl, softmax_loss(pos, neg, tau=0.2))


def test_user_form_with_a_large_tau_pos_is_softmax_loss_on_average():
    pos, neg, users = _batch()
    bsl = 1e5 * bsl_user_loss(pos, neg, users, tau_pos=1e5, tau_neg=0.2).mean()
    sl = 0.2 * softmax_loss(pos, neg, tau=0.2).mean()
    torch.testing.assert_close(bsl, sl, rtol=1e-3, atol=1e-4)


def test_user_form_forgives_a_noisy_positive_more_at_a_small_tau_pos():
    pos = torch.tensor([0.8, -0.6], dtype=torch.float64, requires_grad=True)
    neg, users = torch.zeros(2, 3).double(), torch.tensor([1, 1])
    shares = []
    for tau_pos in (10.0, 0.2):
        loss = bsl_user_loss(pos, neg, users, tau_pos=tau_pos, tau_neg=0.2).mean()
        (grad,) = torch.autograd.grad(loss, pos)
        shares.append((grad[1] / grad.sum()).item())
    assert shares[0] == pytest.approx(0.5, abs=0.05) and shares[1] < 0.01


def test_a_smaller_tau_pos_pulls_the_positive_harder():
    pos = torch.zeros(1, requires_grad=True)
    for form in ("row", "user"):
        pulls = []
        for tau_pos in (0.1, 0.2):
            loss = BSLLoss(form=form, tau_pos=tau_pos, tau_neg=0.2)
            inputs = {"pos": pos, "neg": torch.zeros(1, 2), "users": torch.tensor([1])}
            value = loss(**{name: inputs[name] for name in loss.inputs})
            pulls.append(torch.autograd.grad(value, pos)[0].item())
        assert pulls[0] < pulls[1] < 0


def test_users_of_another_length_are_refused():
    pos, neg, users = _batch()
    with pytest.raises(ValueError, match=r"users must have the shape of pos, \(6,\), got \(5,\)"):
        bsl_user_loss(pos, neg, users[:5], **TAUS)


def test_unknown_forms_are_refused():
    with pytest.raises(ValueError, match="form must be one of 'row', 'user', got 'group'"):
        BSLLoss(form="group", **TAUS)
