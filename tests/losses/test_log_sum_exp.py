import math

import pytest
import torch

from recbole_dsl.losses import log_sum_exp as log_sum_exp_module
from recbole_dsl.losses.log_sum_exp import log_mean_exp, log_sum_exp


def _batch(dtype=torch.float64):
    return (
        torch.rand(5, dtype=dtype) * 2 - 1,
        torch.rand(5, 7, dtype=dtype) * 2 - 1,
        torch.rand(5, dtype=dtype) * 20 + 1,
        torch.randn(5, 7, dtype=dtype),
    )


@pytest.mark.parametrize("shape", ["number", "per row"])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("cells", [1, 14, 1 << 17])  # one row at a time, two, all
def test_value_and_gradients_are_those_of_torchs_logsumexp(
    shape, biased, shifted, cells, monkeypatch
):
    monkeypatch.setattr(log_sum_exp_module, "_CACHE", cells)
    pos, neg, scale, bias = (x.requires_grad_() for x in _batch())
    scale = 3.5 if shape == "number" else scale.detach()
    pos = pos if shifted else None
    rows = scale if shape == "number" else scale.unsqueeze(1)
    gap = neg - pos.unsqueeze(1) if shifted else neg
    plain = torch.logsumexp(rows * gap + (bias if biased else 0), dim=1)
    ours = log_sum_exp(neg, pos, scale=scale, bias=bias if biased else None)
    torch.testing.assert_close(ours, plain)
    wanted = [x for x, used in ((pos, shifted), (neg, True), (bias, biased)) if used]
    weight = torch.randn(5).double()
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), wanted),
        torch.autograd.grad((plain * weight).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_gradcheck_passes_for_all_three():
    pos, neg, scale, bias = _batch()
    inputs = tuple(x.requires_grad_() for x in (pos, neg, bias))

    def value(pos, neg, bias):
        return log_mean_exp(neg, pos, scale=scale.detach(), bias=bias)

    assert torch.autograd.gradcheck(value, inputs)


def test_a_small_difference_of_large_logits_keeps_its_digits():
    neg, pos = torch.full((1, 1000), 0.99), torch.tensor([0.99])
    assert log_mean_exp(neg, pos, scale=1e6).item() == pytest.approx(0, abs=1e-6)
    assert log_sum_exp(neg, pos, scale=1e6).item() == pytest.approx(math.log(1000), rel=1e-6)


def test_one_large_score_among_small_ones_neither_over_nor_underflows():
    neg = torch.tensor([[-1.0, 1.0, -1.0]], requires_grad=True)
    value = log_sum_exp(neg, torch.tensor([-1.0]), scale=1e4)
    assert value.item() == pytest.approx(2e4)
    assert torch.autograd.grad(value.sum(), neg)[0].tolist() == [[0, 1e4, 0]]


def test_a_term_of_minus_infinity_adds_nothing_and_has_no_gradient():
    _, neg, scale, _ = _batch()
    some = neg[:, :4].clone().requires_grad_()
    left_out = torch.full((5, 3), -math.inf, dtype=torch.float64)
    every = torch.cat([some, left_out], dim=1).detach().requires_grad_()
    ours, plain = (log_sum_exp(x, scale=scale.detach()) for x in (every, some))
    torch.testing.assert_close(ours, plain)
    (grad,), (expected,) = (
        torch.autograd.grad(y.sum(), x) for y, x in ((ours, every), (plain, some))
    )
    torch.testing.assert_close(grad[:, :4], expected)
    assert not bool(grad[:, 4:].any())
