import math

import pytest
import torch

from recbole_dsl.losses import (
    SoftmaxLoss,
    bpr_loss,
    softmax_loss,
    softmax_loss_with_positive,
)


def test_hand_value():
    # log((e^1 + e^3) / 2) with gaps 0.1 and 0.3 at tau 0.1
    value = softmax_loss(torch.tensor([0.2]), torch.tensor([[0.3, 0.5]]), tau=0.1)
    torch.testing.assert_close(value, torch.tensor([math.log((math.e + math.e**3) / 2)]))


def test_agrees_with_a_plain_loop():
    pos, neg = torch.randn(4, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
    expected = [
        math.log(sum(math.exp((n - p) / 0.3) for n in row) / 6)
        for p, row in zip(pos.tolist(), neg.tolist(), strict=True)
    ]
    actual = softmax_loss(pos, neg, tau=0.3)
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))


def test_large_tau_is_the_mean_gap_and_small_tau_the_largest():
    pos, neg = torch.tensor([0.1], dtype=torch.float64), torch.tensor([[0.3, -0.5, 0.2]]).double()
    gap = neg - pos.unsqueeze(1)
    for tau, expected in ((1e4, gap.mean()), (1e-3, gap.max())):
        scaled = tau * softmax_loss(pos, neg, tau=tau)
        torch.testing.assert_close(scaled, expected.reshape(1), atol=2e-3, rtol=0)


def test_repeating_the_negatives_changes_nothing():
    pos, neg = torch.randn(3), torch.randn(3, 5)
    repeated = neg.repeat(1, 4)
    torch.testing.assert_close(
        softmax_loss(pos, neg, tau=0.2), softmax_loss(pos, repeated, tau=0.2)
    )


def test_module_is_the_mean_over_rows():
    pos, neg = torch.randn(5), torch.randn(5, 3)
    assert (
        SoftmaxLoss(tau=0.2, positive_in_denominator=False)(pos, neg)
        == softmax_loss(pos, neg, tau=0.2).mean()
    )


def test_the_form_with_the_positive_agrees_with_a_plain_loop():
    pos, neg = torch.randn(4, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
    expected = [
        math.log((1 + sum(math.exp((n - p) / 0.3) for n in row)) / 7)
        for p, row in zip(pos.tolist(), neg.tolist(), strict=True)
    ]
    actual = softmax_loss_with_positive(pos, neg, tau=0.3)
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))
    module = SoftmaxLoss(tau=0.3, positive_in_denominator=True)
    torch.testing.assert_close(module(pos, neg), actual.mean())


def test_the_form_with_the_positive_and_one_negative_is_bpr():
    pos, neg = torch.randn(5), torch.randn(5, 1)
    expected = bpr_loss(pos, neg, tau=0.2) - math.log(2)
    torch.testing.assert_close(softmax_loss_with_positive(pos, neg, tau=0.2), expected)


def test_the_form_with_the_positive_is_finite_where_the_negatives_are_far_below_and_above():
    for gap in (-300.0, 300.0):
        neg = torch.full((1, 2), gap, requires_grad=True)
        value = softmax_loss_with_positive(torch.zeros(1), neg, tau=0.5)
        value.sum().backward()
        assert bool(torch.isfinite(value).all()) and bool(torch.isfinite(neg.grad).all())


def test_a_flag_that_is_none_is_refused():
    with pytest.raises(ValueError, match="positive_in_denominator must be True or False, got 'x'"):
        SoftmaxLoss(tau=0.2, positive_in_denominator="x")
