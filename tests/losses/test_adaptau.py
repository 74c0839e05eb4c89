import math

import pytest
import torch
from loss_cases import at_extremes, cosines
from scipy.special import lambertw

from recbole_dsl.common.errors import UsageError
from recbole_dsl.losses import TrainingRows
from recbole_dsl.losses.adaptau import (
    AdapTauLoss,
    PerUserTemperature,
    adap_tau_loss,
    global_temperature,
    lambert_w,
    mean_gap,
    user_temperatures,
)
from recbole_dsl.losses.sl import SoftmaxLoss, softmax_loss

USERS = torch.tensor([1, 2, 3])


def _batch(rows=5):
    return *cosines(rows), torch.rand(rows).double() + 0.05


class View:
    """Three users and three items on the unit circle, at angles in degrees, and the rows (i, i)."""

    def __init__(self, users, items):
        self.angles = users, items

    def tables(self):
        tables = []
        for degrees in self.angles:
            angles = torch.tensor([math.radians(x) for x in degrees])
            padding = torch.tensor([[5.0, 5.0]])
            rows = torch.stack([angles.cos(), angles.sin()], dim=1)
            tables.append(torch.cat([padding, rows]))
        return tuple(tables)

    def batches(self, names):
        assert tuple(names) == ("pos",)  # nothing else, so that no negatives are drawn
        users, items = self.tables()
        pos = (users[1:] * items[1:]).sum(dim=1)
        yield {"pos": pos[:2]}
        yield {"pos": pos[2:]}

    def gap(self):
        users, items = self.angles
        score = [[math.cos(math.radians(u - i)) for i in items] for u in users]
        own = [score[k][k] for k in range(3)]
        return sum(own) / 3 - sum(map(sum, score)) / 9


LEARNED, WRONG = View((0, 120, 240), (10, 110, 250)), View((0, 120, 240), (180, 300, 60))


def _scipy_w(x):
    """SciPy's W, which is nan at -1/e rounded to float64, a little below the true one."""
    return -1.0 if x <= -1 / math.e else lambertw(x).real


def _prepared(n_users=4, **changes):
    loss = AdapTauLoss(**{"tau": 0.2, **changes})
    ids = torch.arange(1, n_users)
    loss.prepare(TrainingRows(ids, ids, n_users, n_users))
    return loss


def test_hand_value():
    # log((e^3 + e^5) / 2) - 2 with all at tau 0.1; the positive alone at 0.2, then the negatives
    pos, neg = torch.full((3,), 0.2), torch.tensor([[0.3, 0.5]] * 3)
    tau_pos, tau_neg = torch.tensor([0.1, 0.2, 0.1]), torch.tensor([0.1, 0.1, 0.2])
    value = adap_tau_loss(pos, neg, tau_pos, tau_neg)
    expected = [
        math.log((math.exp(3 * x) + math.exp(5 * x)) / 2) - own
        for x, own in ((1, 2), (1, 1), (0.5, 2))
    ]
    torch.testing.assert_close(value, torch.tensor(expected))


def test_values_and_gradients_agree_with_a_plain_loop():
    pos, neg, tau_neg = _batch()
    tau_pos = torch.rand(5).double() + 0.05
    pos.requires_grad_(), neg.requires_grad_()
    value = adap_tau_loss(pos, neg, tau_pos, tau_neg)
    grad_pos, grad_neg = torch.autograd.grad(value.sum(), (pos, neg))
    rows = zip(pos.tolist(), neg.tolist(), tau_pos.tolist(), tau_neg.tolist(), strict=True)
    for b, (p, row, own, other) in enumerate(rows):
        total = sum(math.exp(n / other) for n in row)
        assert value[b].item() == pytest.approx(math.log(total / 7) - p / own, rel=1e-12)
        assert grad_pos[b].item() == pytest.approx(-1 / own, rel=1e-12)
        expected = [math.exp(n / other) / total / other for n in row]
        assert grad_neg[b].tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_temperature_for_all_is_softmax_loss_to_the_bit(dtype):
    pos, neg = cosines(64, dtype=dtype)
    same = torch.full((64,), 0.3, dtype=torch.float64)
    assert torch.equal(adap_tau_loss(pos, neg, same, same), softmax_loss(pos, neg, tau=0.3))


@at_extremes
def test_finite_at_extreme_scores_and_tiny_tau(dtype, sign):
    loss = _prepared(tau=0.01, beta=0.5)
    pos = torch.full((3,), sign, dtype=dtype).requires_grad_()
    neg = torch.full((3, 6), -sign, dtype=dtype)
    neg[0] = sign
    neg.requires_grad_()
    for epoch in range(3):
        loss.begin_epoch(epoch, None)
        value = loss(pos, neg, USERS)
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
    expected = [math.exp(_scipy_w(max(-1 / math.e, (x - mean) / 1.4))) for x in loss.tolist()]
    actual = user_temperatures(loss, beta=1.4)
    torch.testing.assert_close(actual, torch.tensor(expected).double(), rtol=1e-7, atol=0)


def test_temperatures_on_a_hand_case():
    # Mean 0, and W(-1/e) = -1 from below, W(0) = 0, W(e) = 1.
    loss = torch.tensor([-math.e, 0.0, math.e], dtype=torch.float64)
    actual = user_temperatures(loss, beta=1.0)
    expected = torch.tensor([1 / math.e, 1, math.e]).double()
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)


def test_a_larger_loss_means_a_larger_temperature_and_never_below_tau_over_e():
    actual = user_temperatures(torch.linspace(-1, 1, 9), beta=4.0)
    assert bool((actual.diff() > 0).all())
    assert user_temperatures(torch.tensor([-99.0, 99.0]), beta=0.01).min() >= 1 / math.e


def test_a_larger_beta_keeps_temperatures_closer_to_the_global_one():
    loss = torch.randn(20)
    wide, narrow, none = (user_temperatures(loss, beta=beta) for beta in (1.0, 10.0, 1e9))
    assert (wide - 1).abs().max() > (narrow - 1).abs().max() > 1e-3
    torch.testing.assert_close(none, torch.ones(20).double())


# The global temperature --------------------------------------------------------------------------


def test_global_temperature_agrees_with_its_equation():
    sizes = dict(n_users=30, n_items=50, n_rows=200)
    expected = 0.45 / math.log(0.5 * 30 * 50 / 200)
    assert global_temperature(0.45, **sizes) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="gap must be > 0, got 0"):
        global_temperature(0, **sizes)


def test_data_too_dense_for_it_is_refused_unless_tau_is_given():
    ids = torch.tensor([1, 1, 2, 2])
    half = TrainingRows(ids, torch.tensor([1, 2, 1, 2]), 3, 5)
    with pytest.raises(UsageError, match=r"must be below 1/2, got 4 of 8: set tau"):
        AdapTauLoss().prepare(half)
    AdapTauLoss(tau=0.2).prepare(half)


def test_the_gap_is_that_of_a_plain_loop_over_all_pairs_without_padding():
    assert mean_gap(LEARNED) == pytest.approx(LEARNED.gap(), abs=1e-6)
    assert LEARNED.gap() > 0.9 and WRONG.gap() < -0.9


def test_an_empty_tau_follows_the_scores_after_the_warm_up():
    loss = _prepared(tau=None, warm_up_epochs=2)
    start = 0.7 / math.log(0.5 * 3 * 3 / 3)
    for epoch in range(2):
        loss.begin_epoch(epoch, None)  # the model's scores are not asked for
        assert loss.per_user(USERS).tolist() == pytest.approx([start] * 3)
    loss.begin_epoch(2, LEARNED)
    learned = LEARNED.gap() / math.log(0.5 * 3 * 3 / 3)
    assert loss.per_user(USERS).tolist() == pytest.approx([learned] * 3, abs=1e-5)
    loss.begin_epoch(3, WRONG)  # no temperature follows from a gap below 0
    assert loss.per_user(USERS).tolist() == pytest.approx([learned] * 3, abs=1e-5)


def test_a_given_tau_never_asks_for_the_scores():
    loss = _prepared(warm_up_epochs=1)
    for epoch in range(3):
        loss.begin_epoch(epoch, None)
    assert loss.per_user(USERS).tolist() == [0.2] * 3


# The loss with its state -------------------------------------------------------------------------


def test_the_first_epoch_is_softmax_loss():
    loss, sl = _prepared(), SoftmaxLoss(tau=0.2, positive_in_denominator=False)
    loss.begin_epoch(0, None)
    pos, neg, _ = _batch(3)
    torch.testing.assert_close(loss(pos, neg, USERS), sl(pos, neg))


@pytest.mark.parametrize("loss_tau", [1.0, 0.2])
@pytest.mark.parametrize("positive_tau", ["global", "user"])
def test_temperatures_come_from_each_users_mean_loss_in_the_last_epoch(loss_tau, positive_tau):
    loss = _prepared(loss_tau=loss_tau, positive_tau=positive_tau)
    users = torch.tensor([1, 2, 1, 2, 1])
    for epoch in range(2):  # the second epoch runs at other temperatures than it measures at
        pos, neg, _ = _batch(5)
        loss(pos[:3], neg[:3], users[:3])
        loss(pos[3:], neg[3:], users[3:])
        loss.begin_epoch(epoch + 1, None)
        rows = softmax_loss(pos, neg, tau=loss_tau)
        mean = torch.stack([rows[users == user].mean() for user in (1, 2)])
        expected = 0.2 * user_temperatures(mean, beta=1.0)
        assert expected[0] != expected[1]
        torch.testing.assert_close(loss.per_user(USERS[:2]), expected)
        assert loss.per_user(USERS)[2] == 0.2  # user 3 was in no batch
        assert loss.per_user.n_rows.sum() == 0

    pos, neg, _ = _batch(3)
    tau = loss.per_user(USERS)
    tau_pos = tau if positive_tau == "user" else torch.full((3,), 0.2).double()
    expected = adap_tau_loss(pos, neg, tau_pos, tau).mean()
    torch.testing.assert_close(loss(pos, neg, USERS), expected)
    assert torch.equal(loss.robust_view(pos, neg, USERS).tau, tau)


def test_evaluation_mode_leaves_no_trace():
    loss = _prepared().eval()
    before = {key: value.clone() for key, value in loss.state_dict().items()}
    pos, neg, _ = _batch(3)
    loss(pos, neg, USERS)
    assert all(torch.equal(before[key], value) for key, value in loss.state_dict().items())
    loss.train()
    loss(pos, neg, USERS)
    assert not torch.equal(before["per_user.n_rows"], loss.per_user.n_rows)


def test_no_gradient_flows_into_the_temperatures():
    loss = _prepared()
    pos, neg, _ = _batch(3)
    for epoch in range(2):
        loss.begin_epoch(epoch, None)
        value = loss(pos.requires_grad_(), neg.requires_grad_(), USERS)
    assert not any(buffer.requires_grad for buffer in loss.buffers())
    tau = loss.per_user(USERS)
    assert tau.min() < tau.max()
    tau_pos = torch.full_like(tau, 0.2)
    expected = torch.autograd.grad(adap_tau_loss(pos, neg, tau_pos, tau).mean(), (pos, neg))
    for ours, theirs in zip(torch.autograd.grad(value, (pos, neg)), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_checkpoint_carries_the_temperatures_and_the_running_epoch():
    loss, other = (_prepared(tau=None, warm_up_epochs=1) for _ in range(2))
    pos, neg, _ = _batch(3)
    for epoch in range(2):
        loss.begin_epoch(epoch, LEARNED)
        loss(pos, neg, USERS)
    other.load_state_dict(loss.state_dict())
    assert torch.equal(loss.per_user(USERS), other.per_user(USERS))
    for module in (loss, other):
        module.begin_epoch(2, WRONG)
    assert torch.equal(loss.per_user(USERS), other.per_user(USERS))
    assert loss.per_user(USERS).min() < loss.per_user(USERS).max()


def test_a_refresh_without_rows_changes_nothing():
    per_user = PerUserTemperature(4, tau=0.2, beta=1.0)
    per_user.refresh()
    assert per_user(torch.arange(4)).tolist() == [0.2] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 0}, "tau must be > 0, got 0"),
        ({"tau": "auto"}, "tau must be a finite number, got 'auto'"),
        ({"beta": -0.5}, "beta must be > 0, got -0.5"),
        ({"beta": float("inf")}, "beta must be a finite number, got inf"),
        ({"loss_tau": 0.0}, "loss_tau must be > 0, got 0.0"),
        ({"positive_tau": "row"}, "positive_tau must be one of 'global', 'user', got 'row'"),
        ({"warm_up_epochs": 0}, "warm_up_epochs must be an integer >= 1, got 0"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        AdapTauLoss(**change)


def test_bad_beta_is_refused():
    with pytest.raises(ValueError, match="beta must be > 0, got 0"):
        user_temperatures(torch.zeros(3), beta=0)


@pytest.mark.parametrize("loss", [torch.zeros(2, 2), torch.tensor([0.0, float("nan")])])
def test_bad_user_losses_are_refused(loss):
    with pytest.raises(ValueError, match=r"loss must be \(U,\) and finite"):
        user_temperatures(loss, beta=1.0)


@pytest.mark.parametrize(
    ("pos", "neg", "tau", "message"),
    [
        ((3,), (4, 5), (3,), r"pos must be \(B,\) and neg \(B, M\)"),
        ((4,), (4, 0), (4,), "M >= 1"),
        ((4,), (4, 5), (1,), r"tau_pos must have the shape of pos, \(4,\), got \(1,\)"),
        ((4,), (4, 5), (), r"tau_pos must have the shape of pos, \(4,\), got \(\)"),
    ],
)
def test_bad_shapes_are_refused_and_never_broadcast(pos, neg, tau, message):
    pos, neg, tau = torch.zeros(pos), torch.zeros(neg), torch.ones(tau)
    with pytest.raises(ValueError, match=message):
        adap_tau_loss(pos, neg, tau, tau)


def test_negatives_temperatures_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"tau_neg must have the shape of pos, \(4,\), got \(1,\)"):
        adap_tau_loss(torch.zeros(4), torch.zeros(4, 5), torch.ones(4), torch.ones(1))
