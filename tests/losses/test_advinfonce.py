import math

import pytest
import torch

from recbole_dsl.losses import (
    AdvInfoNCELoss,
    TrainingRows,
    adv_info_nce_loss,
    softmax_loss,
    softmax_loss_with_positive,
)
from recbole_dsl.losses.advinfonce import Adversary

OPTIONS = dict(
    tau=0.2,
    positive_in_denominator=True,
    adversarial_learning_rate=0.05,
    adversarial_every=2,
    adversarial_epochs=2,
    adversarial_embedding_size=4,
)
ROWS = TrainingRows(torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]), 4, 6)


def _batch():
    return torch.randn(4).double(), torch.randn(4, 6).double(), torch.randn(4, 6).double()


@pytest.mark.parametrize("positive", [True, False])
def test_agrees_with_a_plain_loop(positive):
    pos, neg, hardness = _batch()
    expected = []
    for p, row, deltas in zip(pos.tolist(), neg.tolist(), hardness.tolist(), strict=True):
        terms = [math.exp(h + (n - p) / 0.3) for n, h in zip(row, deltas, strict=True)]
        terms += [1.0] if positive else []
        expected.append(math.log(sum(terms) / len(terms)))
    actual = adv_info_nce_loss(pos, neg, hardness, tau=0.3, positive_in_denominator=positive)
    torch.testing.assert_close(actual, torch.tensor(expected).double())


def test_without_hardness_it_is_softmax_loss():
    pos, neg, _ = _batch()
    flat = torch.zeros_like(neg)
    for positive, same in ((True, softmax_loss_with_positive), (False, softmax_loss)):
        actual = adv_info_nce_loss(pos, neg, flat, tau=0.3, positive_in_denominator=positive)
        torch.testing.assert_close(actual, same(pos, neg, tau=0.3))


def test_a_harder_negative_is_pushed_harder():
    neg = torch.zeros(1, 2, requires_grad=True)
    hardness = torch.tensor([[0.5, -0.5]])
    loss = adv_info_nce_loss(torch.zeros(1), neg, hardness, tau=0.2, positive_in_denominator=True)
    loss.sum().backward()
    assert neg.grad[0, 0] > neg.grad[0, 1] > 0


def test_the_mean_of_the_hardness_weights_is_one():
    adversary = Adversary(5, 9, 4)
    hardness = adversary(torch.tensor([1, 2, 4]), torch.tensor([[1, 2, 3], [8, 7, 7], [3, 3, 1]]))
    torch.testing.assert_close(hardness.exp().mean(dim=1), torch.ones(3))


class _View:
    """Three fixed batches, as the model layer would give them."""

    def __init__(self):
        self.asked = 0

    def batches(self, names):
        self.asked += 1
        for _ in range(3):
            made = {
                "pos": torch.tensor([0.1, 0.2]),
                "neg": torch.tensor([[0.6, 0.0, -0.4], [0.5, -0.1, -0.2]]),
                "users": torch.tensor([1, 2]),
                "negatives": torch.tensor([[2, 3, 4], [2, 3, 5]]),
            }
            yield {name: made[name] for name in names}


def _prepared(**changes):
    torch.manual_seed(0)
    loss = AdvInfoNCELoss(**{**OPTIONS, **changes})
    loss.prepare(ROWS)
    return loss


def _value(loss):
    return loss(**next(_View().batches(loss.inputs)))


def test_an_adversarial_epoch_raises_the_loss_and_favours_the_negatives_that_win():
    loss = _prepared()
    one = torch.tensor([1]), torch.tensor([[2, 3, 4]])
    before, hardness = _value(loss), loss.adversary(*one)[0]
    loss.begin_epoch(2, _View())
    assert _value(loss) > before
    change = loss.adversary(*one)[0] - hardness
    assert change[0] > 0 > max(change[1], change[2])


def test_adversarial_epochs_come_in_turn_and_end():
    loss, view = _prepared(), _View()
    turns = []
    for epoch in range(10):
        before = view.asked
        loss.begin_epoch(epoch, view)
        turns += [epoch] * (view.asked - before)
    assert turns == [2, 4]


def test_training_the_model_leaves_the_adversary_alone():
    loss = _prepared()
    loss.begin_epoch(2, _View())
    inputs = next(_View().batches(loss.inputs))
    inputs["pos"].requires_grad_()
    loss(**inputs).backward()
    assert all(parameter.grad is None for parameter in loss.parameters())
    before = loss.adversary.user.weight.clone()
    torch.optim.Adam(loss.parameters(), lr=0.1, weight_decay=0.1).step()
    assert torch.equal(before, loss.adversary.user.weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive_in_denominator": 1}, "positive_in_denominator must be True or False, got 1"),
        ({"adversarial_learning_rate": 0}, "adversarial_learning_rate must be > 0"),
        ({"adversarial_every": 0}, "adversarial_every must be an integer >= 1"),
        ({"adversarial_epochs": 1.5}, "adversarial_epochs must be an integer >= 1, got 1.5"),
        ({"adversarial_embedding_size": 0}, "adversarial_embedding_size must be an integer >= 1"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        AdvInfoNCELoss(**{**OPTIONS, **change})


def test_hardness_of_another_shape_is_refused():
    pos, neg, _ = _batch()
    with pytest.raises(ValueError, match=r"hardness must have the shape of neg, \(4, 6\)"):
        adv_info_nce_loss(pos, neg, neg[:, :1], tau=0.2, positive_in_denominator=True)
