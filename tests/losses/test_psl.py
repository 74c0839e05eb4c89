import math

import pytest
import torch
from loss_cases import cosines

from recbole_dsl.losses import PSLLoss, psl_loss, softmax_loss

SIGMA = {
    "tanh": lambda x: 1 + math.tanh(x),
    "atan": lambda x: 1 + math.atan(x),
    "relu": lambda x: max(0.0, 1 + x),
}


@pytest.fixture(params=SIGMA)
def surrogate(request):
    return request.param


def test_agrees_with_a_plain_loop(surrogate):
    pos, neg = cosines(4, 6)
    expected = [
        math.log(sum(SIGMA[surrogate]((n - p) / 2) ** (2 / 0.3) for n in row) / 6)
        for p, row in zip(pos.tolist(), neg.tolist(), strict=True)
    ]
    actual = psl_loss(pos, neg, tau=0.3, surrogate=surrogate)
    torch.testing.assert_close(actual, torch.tensor(expected).double())


def test_agrees_with_softmax_loss_to_first_order(surrogate):
    """The difference shrinks with the square of the gaps, the loss with the gaps themselves."""
    pos, neg = cosines(4, 6)
    differences = []
    for scale in (1e-2, 1e-3):
        p, n = pos * scale, neg * scale
        psl, sl = psl_loss(p, n, tau=0.5, surrogate=surrogate), softmax_loss(p, n, tau=0.5)
        differences.append((psl - sl).abs().max().item())
    assert differences[1] < differences[0] / 80


def test_looks_less_at_the_far_winners_than_softmax_loss(surrogate):
    pos = torch.tensor([-0.5])
    neg = torch.tensor([[0.9, -0.4]], requires_grad=True)
    shares = []
    for value in (
        softmax_loss(pos, neg, tau=0.5),
        psl_loss(pos, neg, tau=0.5, surrogate=surrogate),
    ):
        (grad,) = torch.autograd.grad(value.sum(), neg)
        shares.append((grad[0, 0] / grad.sum()).item())
    assert shares[1] < shares[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_widest_gap_is_finite_and_has_a_finite_gradient(surrogate, dtype):
    pos = torch.tensor([1.0], dtype=dtype, requires_grad=True)
    neg = torch.tensor([[-1.0, -1.0]], dtype=dtype, requires_grad=True)
    value = psl_loss(pos, neg, tau=0.01, surrogate=surrogate)
    value.sum().backward()
    assert bool(torch.isfinite(value).all())
    assert bool(torch.isfinite(neg.grad).all()) and bool(torch.isfinite(pos.grad).all())


def test_relu_gives_no_gradient_to_a_negative_at_its_floor():
    neg = torch.tensor([[-1.0, 0.5]], requires_grad=True)
    psl_loss(torch.tensor([1.0]), neg, tau=0.2, surrogate="relu").sum().backward()
    assert neg.grad[0, 0] == 0 and neg.grad[0, 1] > 0


def test_unknown_surrogates_are_refused():
    message = "surrogate must be one of 'tanh', 'atan', 'relu', got 'exp'"
    with pytest.raises(ValueError, match=message):
        PSLLoss(tau=0.2, surrogate="exp")
