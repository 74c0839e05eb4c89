import pytest
import torch
from loss_cases import at_extremes, cosines

from recbole_dsl.losses.ccl import ccl_loss
from recbole_dsl.losses.mmcl import MMCLLoss, mmcl_loss

OPTIONS = dict(margins=[0.3, -0.2, 0.6], weights=[2.0, 0.5, 4.0])


def test_hand_value():
    # 1 - 0.5; excess over 0.25: 0.5 and 0; over 0: 0.75 and 0.25
    pos, neg = torch.tensor([0.5]), torch.tensor([[0.75, 0.25]])
    value = mmcl_loss(pos, neg, margins=[0.25, 0.0], weights=[4.0, 2.0])
    torch.testing.assert_close(value, torch.tensor([0.5 + 4 * 0.25 + 2 * 0.5]))


def test_agrees_with_a_plain_loop():
    pos, neg = cosines(4, 6)
    expected = []
    for p, row in zip(pos.tolist(), neg.tolist(), strict=True):
        loss = 1 - p
        for m, w in zip([0.3, -0.2, 0.6], [2.0, 0.5, 4.0], strict=True):
            loss += w / 6 * sum(max(0, n - m) for n in row)
        expected.append(loss)
    torch.testing.assert_close(mmcl_loss(pos, neg, **OPTIONS), torch.tensor(expected).double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_margin_is_ccl_to_the_bit(dtype):
    pos, neg = cosines(64, 100, dtype)
    pos.requires_grad_(), neg.requires_grad_()
    ours = mmcl_loss(pos, neg, margins=[0.3], weights=[7.0])
    theirs = ccl_loss(pos, neg, margin=0.3, negative_weight=7.0)
    assert torch.equal(ours, theirs)
    grads = [torch.autograd.grad(loss.sum(), (pos, neg)) for loss in (ours, theirs)]
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


def test_equal_margins_add_their_weights_and_their_order_is_irrelevant():
    pos, neg = cosines(4, 6)
    twice = mmcl_loss(pos, neg, margins=[0.3, 0.3], weights=[1.0, 2.0])
    torch.testing.assert_close(twice, mmcl_loss(pos, neg, margins=[0.3], weights=[3.0]))
    turned = mmcl_loss(pos, neg, margins=[0.6, 0.3, -0.2], weights=[4.0, 2.0, 0.5])
    torch.testing.assert_close(turned, mmcl_loss(pos, neg, **OPTIONS))


def test_the_higher_a_negative_the_harder_it_is_pushed():
    pos = torch.tensor([0.5])
    neg = torch.tensor([[-0.5, 0.0, 0.4, 0.9]], requires_grad=True)
    mmcl_loss(pos, neg, **OPTIONS).sum().backward()
    torch.testing.assert_close(neg.grad, torch.tensor([[0.0, 0.5, 2.5, 6.5]]) / 4)


def test_repeating_the_negatives_changes_nothing():
    pos, neg = cosines(4, 6)
    value = mmcl_loss(pos, neg, **OPTIONS)
    torch.testing.assert_close(value, mmcl_loss(pos, neg.repeat(1, 4), **OPTIONS))


@at_extremes
def test_finite_at_extreme_scores(dtype, sign):
    pos = torch.full((2,), sign, dtype=dtype, requires_grad=True)
    neg = torch.full((2, 3), -sign, dtype=dtype, requires_grad=True)
    value = MMCLLoss(margins=[-1.0, 1.0], weights=[1e5, 1.0])(pos, neg)
    value.backward()
    assert torch.isfinite(value) and value.dtype == torch.float32
    assert bool(torch.isfinite(pos.grad).all()) and bool(torch.isfinite(neg.grad).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margins": 0.9}, "margins must be a list of at least one number, got 0.9"),
        ({"weights": 1.0}, "weights must be a list of at least one number, got 1.0"),
        ({"margins": [], "weights": []}, r"margins must be a list of at least one .*, got \[\]"),
        ({"weights": [1.0]}, r"one entry for each of the 3 margins, got \[1.0\]"),
        ({"margins": [0.1, 1.5, 0.2]}, r"margins\[1\] must be in \[-1, 1\], got 1.5"),
        ({"margins": [0.1, 0.2, "x"]}, r"margins\[2\] must be a finite number, got 'x'"),
        ({"weights": [-1.0, 0.2, 0.1]}, r"weights\[0\] must be >= 0, got -1.0"),
        ({"weights": [1.0, True, 0.1]}, r"weights\[1\] must be a finite number, got True"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        MMCLLoss(**{**OPTIONS, **change})
    with pytest.raises(ValueError, match=message):
        mmcl_loss(torch.zeros(1), torch.zeros(1, 1), **{**OPTIONS, **change})


def test_module_is_the_mean_over_rows_and_takes_cosines_only():
    pos, neg = cosines(4, 6)
    assert MMCLLoss(**OPTIONS)(pos, neg) == mmcl_loss(pos, neg, **OPTIONS).mean()
    assert MMCLLoss.scores == ("cosine",)
