import math

import pytest
import torch

from recbole_dsl.losses import BPRLoss, bpr_loss


def test_one_negative_at_tau_one_is_the_published_loss():
    pos, neg = torch.tensor([0.7, -0.2]), torch.tensor([[0.1], [0.4]])
    expected = [-math.log(1 / (1 + math.exp(-0.6))), -math.log(1 / (1 + math.exp(0.6)))]
    torch.testing.assert_close(bpr_loss(pos, neg, tau=1.0), torch.tensor(expected))


def test_agrees_with_a_plain_loop():
    pos, neg = torch.randn(4, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
    expected = [
        sum(math.log1p(math.exp((n - p) / 0.5)) for n in row) / 6
        for p, row in zip(pos.tolist(), neg.tolist(), strict=True)
    ]
    actual = bpr_loss(pos, neg, tau=0.5)
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))


def test_gradient_of_a_hopeless_row_does_not_fade():
    pos = torch.tensor([-25.0], requires_grad=True)
    bpr_loss(pos, torch.zeros(1, 1), tau=1.0).sum().backward()
    assert pos.grad.item() == pytest.approx(-1.0)


def test_module_is_the_mean_over_rows():
    pos, neg = torch.randn(5), torch.randn(5, 3)
    assert BPRLoss(tau=2.0)(pos, neg) == bpr_loss(pos, neg, tau=2.0).mean()
