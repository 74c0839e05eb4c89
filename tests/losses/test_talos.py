import math

import pytest
import torch
from loss_cases import at_extremes, cosines

from recbole_dsl.losses import TalosLoss, TrainingRows, softmax_loss, talos_loss


def _batch(rows=5):
    return *cosines(rows), torch.rand(rows).double() - 0.5


def _by_loop(pos, neg, quantile, tau):
    """Values, and gradients with respect to pos and neg, of Eq. (3.7), from its sigmoids."""
    values, to_pos, to_neg = [], [], []
    for p, row, beta in zip(pos.tolist(), neg.tolist(), quantile.tolist(), strict=True):
        own = 1 / (1 + math.exp(beta - p))
        others = [1 / (1 + math.exp(beta - n)) for n in row]
        total = sum(x ** (1 / tau) for x in others)
        values.append(-math.log(own ** (1 / tau) / (total / len(row))))
        to_pos.append(-(1 - own) / tau)
        to_neg.append([x ** (1 / tau) / total * (1 - x) / tau for x in others])
    return [torch.tensor(found, dtype=torch.float64) for found in (values, to_pos, to_neg)]


@pytest.mark.parametrize("tau", [0.05, 0.1, 0.7])
def test_agrees_with_a_plain_loop_in_values_and_gradients(tau):
    pos, neg, quantile = _batch()
    pos.requires_grad_(), neg.requires_grad_()
    value = talos_loss(pos, neg, quantile, tau=tau)
    grads = torch.autograd.grad(value.sum(), (pos, neg))
    for found, expected in zip((value, *grads), _by_loop(pos, neg, quantile, tau), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_hand_value():
    # sigmoid(0) = 1/2 for the positive, sigmoid(log 3) = 3/4 and 1/2 for the negatives, tau 1/2
    pos, neg = torch.tensor([0.1]), torch.tensor([[0.1 + math.log(3), 0.1]])
    value = talos_loss(pos, neg, torch.tensor([0.1]), tau=0.5)
    torch.testing.assert_close(value, torch.tensor([math.log((9 / 16 + 1 / 4) / 2 / (1 / 4))]))


def test_a_quantile_far_above_all_scores_gives_softmax_loss_and_far_below_nothing():
    pos, neg, quantile = _batch()
    above = talos_loss(pos, neg, quantile + 60, tau=0.1)
    torch.testing.assert_close(above, softmax_loss(pos, neg, tau=0.1), rtol=0, atol=1e-12)
    below = talos_loss(pos, neg, quantile - 60, tau=0.1)
    torch.testing.assert_close(below, torch.zeros(5).double(), rtol=0, atol=1e-12)


def test_no_gradient_flows_into_the_quantile():
    pos, neg, quantile = _batch()
    value = talos_loss(pos.requires_grad_(), neg, quantile.requires_grad_(), tau=0.1).sum()
    value.backward()
    assert quantile.grad is None and bool((pos.grad != 0).all())


@at_extremes
def test_finite_and_in_float32_far_from_the_quantile(dtype, sign):
    pos = torch.full((2,), 400 * sign, dtype=dtype, requires_grad=True)
    neg = torch.full((2, 3), -400 * sign, dtype=dtype, requires_grad=True)
    value = talos_loss(pos, neg, torch.zeros(2, dtype=dtype), tau=0.01)
    value.sum().backward()
    assert value.dtype == torch.float32 and bool(torch.isfinite(value).all())
    assert bool(torch.isfinite(pos.grad).all()) and bool(torch.isfinite(neg.grad).all())


def _prepared(**changes):
    loss = TalosLoss(**{"k": 2, **changes})
    loss.prepare(TrainingRows(torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]), 4, 9))
    return loss


def test_the_module_is_the_mean_at_each_users_quantile_which_training_then_moves():
    loss, users = _prepared(), torch.tensor([3, 1, 1])
    loss.quantiles.value.uniform_(-0.5, 0.5)
    pos, neg = cosines(3)
    for _ in range(2):
        quantile = loss.quantiles(users)
        expected = talos_loss(pos, neg, quantile, tau=0.1).mean()
        torch.testing.assert_close(loss(pos, neg, users), expected)
        assert not bool((loss.quantiles(users) == quantile).any())


def test_in_evaluation_and_with_exact_quantiles_a_batch_moves_none():
    pos, neg = cosines(3)
    for loss in (_prepared().eval(), _prepared(quantile="exact")):
        loss(pos, neg, torch.tensor([3, 1, 1]))
        assert not bool(loss.quantiles.value.any())
        assert not any(bool(buffer.any()) for buffer in loss.state_dict().values())


def test_half_precision_scores_meet_quantiles_in_float32():
    loss = _prepared().eval()
    loss.quantiles.value += 0.1234567
    pos, neg = cosines(3, dtype=torch.float32)
    pos, neg, users = pos.bfloat16(), neg.bfloat16(), torch.tensor([3, 1, 1])
    expected = talos_loss(pos.float(), neg.float(), torch.full((3,), 0.1234567), tau=0.1).mean()
    torch.testing.assert_close(loss(pos, neg, users), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 0}, "tau must be > 0, got 0"),
        ({"k": True}, "k must be an integer >= 1, got True"),
        ({"quantile": "sampled"}, "quantile must be one of 'exact', 'regression', got 'sampled'"),
        ({"quantile_every": 0}, "quantile_every must be an integer >= 1, got 0"),
        ({"quantile_learning_rate": 0}, "quantile_learning_rate must be > 0, got 0"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TalosLoss(**change)


def test_quantiles_of_another_shape_are_refused():
    pos, neg, _ = _batch()
    with pytest.raises(ValueError, match=r"quantile must have the shape of pos, \(5,\)"):
        talos_loss(pos, neg, neg, tau=0.1)
