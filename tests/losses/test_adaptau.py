import math

import pytest
import torch
from loss_cases import at_extremes, cosines
from scipy.special import lambertw

from recbole_dsl.losses import TrainingRows
from recbole_dsl.losses.adaptau import (
    AdapTauLoss,
    PerUserTemperature,
    adap_tau_loss,
    lambert_w,
    user_temperatures,
)
from recbole_dsl.losses.sl import SoftmaxLoss, softmax_loss

OPTIONS = dict(tau=0.2, nu=1.0)


def _batch(rows=5):
    return *cosines(rows), torch.rand(rows).double() + 0.05


def _scipy_w(x):
    """SciPy's W, which is nan at -1/e rounded to float64, a little below the true one."""
    return -1.0 if x <= -1 / math.e else lambertw(x).real


def _prepared(n_users=4, **changes):
    loss = AdapTauLoss(**{**OPTIONS, **changes})
    ids = torch.arange(1, n_users)
    loss.prepare(TrainingRows(ids, ids, n_users, n_users))
    return loss


def test_hand_value():
    # log((e^1 + e^3) / 2) with gaps 0.1 and 0.3 at tau 0.1; half of both exponents at tau 0.2
    pos, neg = torch.tensor([0.2, 0.2]), torch.tensor([[0.3, 0.5], [0.3, 0.5]])
    value = adap_tau_loss(pos, neg, torch.tensor([0.1, 0.2]))
    expected = [math.log((math.exp(x) + math.exp(3 * x)) / 2) for x in (1, 0.5)]
    torch.testing.assert_close(value, torch.tensor(expected))


def test_agrees_with_a_plain_loop():
    pos, neg, tau = _batch()
    expected = [
        math.log(sum(math.exp((n - p) / t) for n in row) / 7)
        for p, row, t in zip(pos.tolist(), neg.tolist(), tau.tolist(), strict=True)
    ]
    torch.testing.assert_close(adap_tau_loss(pos, neg, tau), torch.tensor(expected).double())


def test_one_temperature_for_all_is_softmax_loss():
    pos, neg, tau = _batch()
    same = torch.full_like(tau, 0.3)
    torch.testing.assert_close(adap_tau_loss(pos, neg, same), softmax_loss(pos, neg, tau=0.3))


@at_extremes
def test_finite_at_extreme_scores_and_tiny_tau(dtype, sign):
    loss = _prepared(tau=0.01, nu=0.25)
    pos = torch.full((3,), sign, dtype=dtype).requires_grad_()
    neg = torch.full((3, 6), -sign, dtype=dtype)
    neg[0] = sign
    neg.requires_grad_()
    for epoch in range(3):
        loss.begin_epoch(epoch, None)
        value = loss(pos, neg, torch.tensor([1, 2, 3]))
        assert torch.isfinite(value) and value.dtype == torch.float32
        for grad in torch.autograd.grad(value, (pos, neg)):
            assert bool(torch.isfinite(grad).all())


def test_lambert_w_agrees_with_scipy():
    near = torch.logspace(-16, -1, 200, dtype=torch.float64) - 1 / math.e
    wide = torch.logspace(-12, 12, 500, dtype=torch.float64)
    below = torch.linspace(-1 / math.e, 0, 500, dtype=torch.float64)
    x = torch.cat([near.clamp(min=-1 / math.e), wide, below, torch.zeros(1).double()])
    expected = torch.tensor([_scipy_w(value) for value in x.tolist()], dtype=torch.float64)
    # Where W is steep, at -1/e, the rounding of x alone moves it by 1e-8.
    close = x + 1 / math.e < 1e-6
    torch.testing.assert_close(lambert_w(x)[~close], expected[~close], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(lambert_w(x)[close], expected[close], rtol=0, atol=1e-7)


def test_lambert_w_inverts_w_exp_w_up_to_huge_numbers():
    w = torch.linspace(-0.999, 600, 5000, dtype=torch.float64)
    torch.testing.assert_close(lambert_w(w * w.exp()), w, rtol=1e-10, atol=1e-10)


def test_temperatures_agree_with_a_plain_loop_and_scipy():
    loss = torch.randn(50, dtype=torch.float64) * 2
    mean = sum(loss.tolist()) / 50
    expected = [
        0.15 * math.exp(_scipy_w(max(-1 / math.e, (x - mean) / (2 * 0.7)))) for x in loss.tolist()
    ]
    actual = user_temperatures(loss, tau=0.15, nu=0.7)
    torch.testing.assert_close(actual, torch.tensor(expected).double(), rtol=1e-7, atol=0)


def test_temperatures_on_a_hand_case():
    # Mean 0, and W(-1/e) = -1 from below, W(0) = 0, W(e) = 1.
    loss = torch.tensor([-math.e, 0.0, math.e], dtype=torch.float64)
    actual = user_temperatures(loss, tau=0.2, nu=0.5)
    expected = torch.tensor([0.2 / math.e, 0.2, 0.2 * math.e]).double()
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)


def test_a_larger_loss_means_a_larger_temperature_and_never_below_tau_over_e():
    actual = user_temperatures(torch.linspace(-1, 1, 9), tau=0.2, nu=2.0)
    assert bool((actual.diff() > 0).all())
    assert user_temperatures(torch.tensor([-99.0, 99.0]), tau=0.2, nu=0.01).min() >= 0.2 / math.e


def test_a_larger_nu_keeps_temperatures_closer_to_tau():
    loss = torch.randn(20)
    wide, narrow, none = (user_temperatures(loss, tau=0.2, nu=nu) for nu in (0.5, 5.0, 1e9))
    assert (wide - 0.2).abs().max() > (narrow - 0.2).abs().max() > 1e-4
    torch.testing.assert_close(none, torch.full((20,), 0.2).double())


def test_the_first_epoch_is_softmax_loss():
    loss, sl = _prepared(), SoftmaxLoss(tau=0.2, positive_in_denominator=False)
    loss.begin_epoch(0, None)
    pos, neg, _ = _batch(3)
    torch.testing.assert_close(loss(pos, neg, torch.tensor([1, 2, 3])), sl(pos, neg))


def test_temperatures_come_from_each_users_mean_loss_at_tau_in_the_last_epoch():
    loss = _prepared()
    users = torch.tensor([1, 2, 1, 2, 1])
    for epoch in range(2):  # the second epoch runs at other temperatures, and still measures at tau
        pos, neg, _ = _batch(5)
        loss(pos[:3], neg[:3], users[:3])
        loss(pos[3:], neg[3:], users[3:])
        loss.begin_epoch(epoch + 1, None)
        rows = softmax_loss(pos, neg, tau=0.2)
        mean = torch.stack([rows[users == user].mean() for user in (1, 2)])
        expected = user_temperatures(mean, tau=0.2, nu=1.0)
        assert expected[0] != expected[1]
        torch.testing.assert_close(loss.per_user.temperature[1:3], expected)
        assert loss.per_user.temperature[3] == 0.2  # user 3 was in no batch
        assert loss.per_user.n_rows.sum() == 0

    pos, neg, _ = _batch(3)
    users = torch.tensor([1, 2, 3])
    tau = loss.per_user.temperature[users]
    torch.testing.assert_close(loss(pos, neg, users), adap_tau_loss(pos, neg, tau).mean())


def test_evaluation_mode_leaves_no_trace():
    loss = _prepared().eval()
    before = {key: value.clone() for key, value in loss.state_dict().items()}
    pos, neg, _ = _batch(3)
    loss(pos, neg, torch.tensor([1, 2, 3]))
    assert all(torch.equal(before[key], value) for key, value in loss.state_dict().items())
    loss.train()
    loss(pos, neg, torch.tensor([1, 2, 3]))
    assert not torch.equal(before["per_user.n_rows"], loss.per_user.n_rows)


def test_no_gradient_flows_into_the_temperatures():
    loss = _prepared()
    pos, neg, _ = _batch(3)
    users = torch.tensor([1, 2, 3])
    for epoch in range(2):
        loss.begin_epoch(epoch, None)
        value = loss(pos.requires_grad_(), neg.requires_grad_(), users)
    assert not any(buffer.requires_grad for buffer in loss.buffers())
    tau = loss.per_user.temperature[users]
    assert tau.min() < tau.max()
    expected = torch.autograd.grad(adap_tau_loss(pos, neg, tau).mean(), (pos, neg))
    for ours, theirs in zip(torch.autograd.grad(value, (pos, neg)), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_checkpoint_carries_the_temperatures_and_the_running_epoch():
    loss, other = _prepared(), _prepared()
    pos, neg, _ = _batch(3)
    for epoch in range(2):
        loss.begin_epoch(epoch, None)
        loss(pos, neg, torch.tensor([1, 2, 3]))
    other.load_state_dict(loss.state_dict())
    for module in (loss, other):
        module.begin_epoch(2, None)
    users = torch.tensor([1, 2, 3])
    assert torch.equal(loss.per_user(users), other.per_user(users))
    assert loss.per_user(users).min() < loss.per_user(users).max()


def test_a_refresh_without_rows_changes_nothing():
    per_user = PerUserTemperature(4, **OPTIONS)
    per_user.refresh()
    assert bool((per_user.temperature == 0.2).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 0}, "tau must be > 0, got 0"),
        ({"tau": None}, "tau must be a finite number, got None"),
        ({"nu": -0.5}, "nu must be > 0, got -0.5"),
        ({"nu": float("inf")}, "nu must be a finite number, got inf"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        AdapTauLoss(**{**OPTIONS, **change})
    with pytest.raises(ValueError, match=message):
        user_temperatures(torch.zeros(3), **{**OPTIONS, **change})


@pytest.mark.parametrize("loss", [torch.zeros(2, 2), torch.tensor([0.0, float("nan")])])
def test_bad_user_losses_are_refused(loss):
    with pytest.raises(ValueError, match=r"loss must be \(U,\) and finite"):
        user_temperatures(loss, **OPTIONS)


@pytest.mark.parametrize(
    ("pos", "neg", "tau", "message"),
    [
        ((3,), (4, 5), (3,), r"pos must be \(B,\) and neg \(B, M\)"),
        ((4,), (4, 0), (4,), "M >= 1"),
        ((4,), (4, 5), (1,), r"tau must have the shape of pos, \(4,\), got \(1,\)"),
        ((4,), (4, 5), (), r"tau must have the shape of pos, \(4,\), got \(\)"),
    ],
)
def test_bad_shapes_are_refused_and_never_broadcast(pos, neg, tau, message):
    with pytest.raises(ValueError, match=message):
        adap_tau_loss(torch.zeros(pos), torch.zeros(neg), torch.ones(tau))
