import pytest
import torch
from loss_cases import at_extremes, cosines

from recbole_dsl.losses.ccl import CCLLoss, ccl_loss

OPTIONS = dict(margin=0.2, negative_weight=5.0)


def test_hand_value():
    # 1 - 0.5, and 4 / 2 times the one excess over 0.25
    pos, neg = torch.tensor([0.5]), torch.tensor([[0.75, 0.25]])
    value = ccl_loss(pos, neg, margin=0.25, negative_weight=4.0)
    torch.testing.assert_close(value, torch.tensor([1.5]))


def test_agrees_with_a_plain_loop():
    pos, neg = cosines(4, 6)
    expected = [
        1 - p + 5 / 6 * sum(max(0, n - 0.2) for n in row)
        for p, row in zip(pos.tolist(), neg.tolist(), strict=True)
    ]
    torch.testing.assert_close(ccl_loss(pos, neg, **OPTIONS), torch.tensor(expected).double())


def test_a_negative_at_or_below_the_margin_has_no_loss_and_no_gradient():
    pos, neg = torch.tensor([1.0]), torch.tensor([[0.25, -0.5, 0.5]], requires_grad=True)
    value = ccl_loss(pos, neg, margin=0.25, negative_weight=3.0)
    torch.testing.assert_close(value, torch.tensor([0.25]))
    value.sum().backward()
    torch.testing.assert_close(neg.grad, torch.tensor([[0.0, 0.0, 1.0]]))


def test_zero_where_the_positive_is_at_one_and_the_negatives_below_the_margin():
    assert ccl_loss(torch.tensor([1.0]), torch.tensor([[0.2, -1.0]]), **OPTIONS) == 0


def test_margin_minus_one_is_linear_in_the_scores():
    pos, neg = cosines(4, 6)
    value = ccl_loss(pos, neg, margin=-1, negative_weight=2)
    torch.testing.assert_close(value, 1 - pos + 2 * (neg.mean(dim=1) + 1))


def test_repeating_the_negatives_changes_nothing():
    pos, neg = cosines(4, 6)
    value = ccl_loss(pos, neg, **OPTIONS)
    torch.testing.assert_close(value, ccl_loss(pos, neg.repeat(1, 4), **OPTIONS))


@at_extremes
def test_finite_at_extreme_scores(dtype, sign):
    pos = torch.full((2,), sign, dtype=dtype, requires_grad=True)
    neg = torch.full((2, 3), -sign, dtype=dtype, requires_grad=True)
    # A weight beyond float16's 65504: the sum is taken in float32.
    value = CCLLoss(margin=-1.0, negative_weight=1e5)(pos, neg)
    value.backward()
    assert torch.isfinite(value) and value.dtype == torch.float32
    assert bool(torch.isfinite(pos.grad).all()) and bool(torch.isfinite(neg.grad).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": 1.5}, r"margin must be in \[-1, 1\], got 1.5"),
        ({"margin": -1.01}, r"margin must be in \[-1, 1\], got -1.01"),
        ({"margin": True}, "margin must be a finite number, got True"),
        ({"negative_weight": -0.5}, "negative_weight must be >= 0, got -0.5"),
        ({"negative_weight": float("inf")}, "negative_weight must be a finite number, got inf"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CCLLoss(**{**OPTIONS, **change})
    with pytest.raises(ValueError, match=message):
        ccl_loss(torch.zeros(1), torch.zeros(1, 1), **{**OPTIONS, **change})


def test_module_is_the_mean_over_rows_and_takes_cosines_only():
    pos, neg = cosines(4, 6)
    assert CCLLoss(**OPTIONS)(pos, neg) == ccl_loss(pos, neg, **OPTIONS).mean()
    assert CCLLoss.scores == ("cosine",)
