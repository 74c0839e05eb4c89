import math

import pytest
import torch

from recbole_dsl.losses.bce import BCELoss, bce_loss

PLAIN = dict(tau=1.0, negative_weight=1.0)
OPTIONS = dict(tau=0.3, negative_weight=2.5)


def _softplus(x):
    return math.log(1 + math.exp(x))


def test_hand_value():
    # odds 3 for the positive: -log 3/4; odds 1 and 1/3 for the negatives: -log 1/2 and -log 3/4
    pos, neg = torch.tensor([math.log(3)]), torch.tensor([[0.0, -math.log(3)]])
    expected = math.log(4 / 3) + (math.log(2) + math.log(4 / 3)) / 2
    torch.testing.assert_close(bce_loss(pos, neg, **PLAIN), torch.tensor([expected]))


def test_agrees_with_a_plain_loop():
    pos, neg = torch.randn(4, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
    expected = [
        _softplus(-p / 0.3) + 2.5 * sum(_softplus(n / 0.3) for n in row) / 6
        for p, row in zip(pos.tolist(), neg.tolist(), strict=True)
    ]
    torch.testing.assert_close(bce_loss(pos, neg, **OPTIONS), torch.tensor(expected).double())


def test_agrees_with_the_binary_cross_entropy_of_torch():
    pos, neg = torch.randn(3).double(), torch.randn(3, 5).double()
    logits, labels = torch.cat([pos.unsqueeze(1), neg], dim=1), torch.zeros(3, 6).double()
    labels[:, 0] = 1
    total = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    torch.testing.assert_close(bce_loss(pos, neg, tau=1.0, negative_weight=5), total.sum(dim=1))


def test_adding_a_constant_to_all_scores_changes_the_loss():
    pos, neg = torch.tensor([0.5]), torch.tensor([[0.1]])
    assert bce_loss(pos + 1, neg + 1, **PLAIN) > bce_loss(pos, neg, **PLAIN)


def test_repeating_the_negatives_changes_nothing():
    pos, neg = torch.randn(3).double(), torch.randn(3, 5).double()
    value = bce_loss(pos, neg, **OPTIONS)
    torch.testing.assert_close(value, bce_loss(pos, neg.repeat(1, 4), **OPTIONS))


def test_weight_zero_leaves_the_negatives_alone():
    pos, neg = torch.randn(3), torch.randn(3, 5, requires_grad=True)
    value = bce_loss(pos, neg, tau=1.0, negative_weight=0)
    torch.testing.assert_close(value, torch.nn.functional.softplus(-pos))
    assert not torch.autograd.grad(value.sum(), neg)[0].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 0}, "tau must be > 0, got 0"),
        ({"tau": "1"}, "tau must be a finite number, got '1'"),
        ({"negative_weight": -1}, "negative_weight must be >= 0, got -1"),
        ({"negative_weight": None}, "negative_weight must be a finite number, got None"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        BCELoss(**{**PLAIN, **change})
    with pytest.raises(ValueError, match=message):
        bce_loss(torch.zeros(1), torch.zeros(1, 1), **{**PLAIN, **change})


def test_module_is_the_mean_over_rows():
    pos, neg = torch.randn(5), torch.randn(5, 3)
    assert BCELoss(**OPTIONS)(pos, neg) == bce_loss(pos, neg, **OPTIONS).mean()
