import math

import pytest
import torch

from recbole_dsl.losses import SLatKLoss, TrainingRows, slatk_loss, softmax_loss

OPTIONS = dict(tau=0.2, tau_weight=0.5, weight_gradient=True, k=2, quantile_every=3)


def _batch():
    return torch.randn(4).double(), torch.randn(4, 6).double(), torch.randn(4).double()


def test_agrees_with_a_plain_loop():
    pos, neg, quantile = _batch()
    expected = []
    for p, row, beta in zip(pos.tolist(), neg.tolist(), quantile.tolist(), strict=True):
        weight = 1 / (1 + math.exp(-(p - beta) / 0.5))
        expected.append(weight * math.log(sum(math.exp((n - p) / 0.3) for n in row)))
    for gradient in (True, False):
        actual = slatk_loss(pos, neg, quantile, tau=0.3, tau_weight=0.5, weight_gradient=gradient)
        torch.testing.assert_close(actual, torch.tensor(expected).double())


def test_the_gradient_through_the_weight_pulls_against_the_positive():
    pos = torch.zeros(1, requires_grad=True)
    pulls = []
    for gradient in (True, False):
        options = dict(tau=0.2, tau_weight=0.5, weight_gradient=gradient)
        loss = slatk_loss(pos, torch.zeros(1, 3), torch.zeros(1), **options).sum()
        pulls.append(torch.autograd.grad(loss, pos)[0].item())
    # d/df of sigmoid(f / 0.5) (log 3 - f / 0.2) at 0, with and without the first factor's part
    assert pulls == pytest.approx([math.log(3) / 2 - 2.5, -2.5])


def test_with_a_constant_weight_it_is_half_of_softmax_loss():
    pos, neg, quantile = _batch()
    half = (softmax_loss(pos, neg, tau=0.3) + math.log(6)) / 2
    for beta, tau_weight in ((pos, 0.5), (quantile, 1e9)):
        options = dict(tau=0.3, tau_weight=tau_weight, weight_gradient=True)
        torch.testing.assert_close(slatk_loss(pos, neg, beta, **options), half)


def test_a_positive_far_below_the_top_k_counts_for_little():
    pos = torch.tensor([0.5, -0.5], requires_grad=True)
    options = dict(tau=0.2, tau_weight=0.1, weight_gradient=False)
    slatk_loss(pos, torch.zeros(2, 3), torch.zeros(2), **options).sum().backward()
    assert pos.grad[0] < 50 * pos.grad[1] < 0


def test_without_its_gradient_the_weight_only_weighs():
    pos, neg, quantile = _batch()
    pos.requires_grad_()
    weight = torch.sigmoid((pos.detach() - quantile) / 0.5)
    options = dict(tau=0.3, tau_weight=0.5, weight_gradient=False)
    (actual,) = torch.autograd.grad(slatk_loss(pos, neg, quantile, **options).sum(), pos)
    (expected,) = torch.autograd.grad((weight * softmax_loss(pos, neg, tau=0.3)).sum(), pos)
    torch.testing.assert_close(actual, expected)


class _View:
    def __init__(self):
        self.asked = 0

    def score_blocks(self):
        self.asked += 1
        # Item 0 is padding; its score is the largest and must not count.
        yield torch.tensor([1]), torch.tensor([[9.0, 0.1, 0.3, 0.2]])
        yield torch.tensor([2]), torch.tensor([[9.0, -0.1, -0.3, -0.2]])


def test_quantiles_are_measured_every_few_epochs_without_the_padding_item():
    loss, view = SLatKLoss(**OPTIONS), _View()
    loss.prepare(TrainingRows(torch.tensor([1, 2]), torch.tensor([1, 2]), 3, 4))
    for epoch in range(7):
        loss.begin_epoch(epoch, view)
    assert view.asked == 3
    torch.testing.assert_close(loss.quantiles.value, torch.tensor([0.0, 0.2, -0.2]).double())
    pos, neg = torch.tensor([0.2, 0.0]), torch.randn(2, 3)
    options = dict(tau=0.2, tau_weight=0.5, weight_gradient=True)
    expected = slatk_loss(pos, neg, torch.tensor([-0.2, 0.2]), **options).mean()
    torch.testing.assert_close(loss(pos=pos, neg=neg, users=torch.tensor([2, 1])), expected)


def test_by_regression_quantiles_start_exact_and_each_training_step_moves_them_after_its_loss():
    loss, view = SLatKLoss(**OPTIONS, quantile="regression", quantile_learning_rate=0.01), _View()
    loss.prepare(TrainingRows(torch.tensor([1, 2]), torch.tensor([1, 2]), 3, 4))
    for epoch in range(7):
        loss.begin_epoch(epoch, view)
    assert view.asked == 1
    users, start = torch.tensor([1, 2]), torch.tensor([0.2, -0.2])
    torch.testing.assert_close(loss.quantiles(users), start.double())
    # Of 3 items the positive stands for 1 and the negatives for 2; user 1 has 1 + 2 / 2 above,
    # which is K, user 2 has none.
    pos, neg = torch.tensor([0.3, -0.5]), torch.tensor([[0.4, 0.1], [-0.6, -0.7]])
    options = dict(tau=0.2, tau_weight=0.5, weight_gradient=True)
    expected = slatk_loss(pos, neg, start, **options).mean()
    torch.testing.assert_close(loss(pos=pos, neg=neg, users=users), expected)
    torch.testing.assert_close(loss.quantiles(users), torch.tensor([0.2, -0.21]).double())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_gradient": 1}, "weight_gradient must be True or False, got 1"),
        ({"k": 0}, "k must be an integer >= 1, got 0"),
        ({"quantile_every": 0.5}, "quantile_every must be an integer >= 1, got 0.5"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SLatKLoss(**{**OPTIONS, **change})


def test_quantiles_of_another_shape_are_refused():
    pos, neg, _ = _batch()
    with pytest.raises(ValueError, match=r"quantile must have the shape of pos, \(4,\)"):
        slatk_loss(pos, neg, neg, tau=0.2, tau_weight=0.5, weight_gradient=True)
