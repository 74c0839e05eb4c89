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
    negative_weight=3.0,
    positive_in_denominator=True,
    adversarial_learning_rate=0.05,
    adversarial_start=2,
    adversarial_every=2,
    adversarial_epochs=2,
    adversarial_embedding_size=4,
)
ROWS = TrainingRows(torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]), 4, 6)


def _batch():
    return torch.randn(4).double(), torch.randn(4, 6).double(), torch.randn(4, 6).double()


def _loop(pos, neg, hardness, tau, k, with_positive):
    """The equation of the source less its value at equal scores: values and gradients, by row."""
    values, to_pos, to_neg = [], [], []
    for f, row, deltas in zip(pos.tolist(), neg.tolist(), hardness.tolist(), strict=True):
        m = len(row)
        p = [math.exp(delta) / m for delta in deltas]
        own = math.exp(f / tau) if with_positive else 0.0
        terms = [k * m * q * math.exp(n / tau) for n, q in zip(row, p, strict=True)]
        total = own + sum(terms)
        constant = math.log(k * m + 1) if with_positive else math.log(k * m)
        values.append(-f / tau + math.log(total) - constant)
        to_pos.append((own / total - 1) / tau)
        to_neg.append([term / total / tau for term in terms])
    return (torch.tensor(x, dtype=torch.float64) for x in (values, to_pos, to_neg))


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("k", [0.5, 1.0, 64.0])
def test_values_and_gradients_agree_with_a_plain_loop(positive, k):
    pos, neg, hardness = _batch()
    pos.requires_grad_()
    neg.requires_grad_()
    options = dict(tau=0.3, negative_weight=k, positive_in_denominator=positive)
    loss = adv_info_nce_loss(pos, neg, hardness, **options)
    grads = torch.autograd.grad(loss.sum(), (pos, neg))
    expected = _loop(pos, neg, hardness, 0.3, k, positive)
    for actual, wanted in zip((loss, *grads), expected, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-12, atol=1e-12)


def test_without_hardness_it_is_softmax_loss():
    pos, neg, _ = _batch()
    flat = torch.zeros_like(neg)
    for positive, k, same in (
        (True, 1.0, softmax_loss_with_positive),
        (False, 64.0, softmax_loss),
    ):
        options = dict(tau=0.3, negative_weight=k, positive_in_denominator=positive)
        actual = adv_info_nce_loss(pos, neg, flat, **options)
        torch.testing.assert_close(actual, same(pos, neg, tau=0.3))


def test_without_the_positive_the_negative_weight_changes_nothing_and_a_large_one_leads_there():
    batch = _batch()
    without = [
        adv_info_nce_loss(*batch, tau=0.3, negative_weight=k, positive_in_denominator=False)
        for k in (0.1, 64.0)
    ]
    assert torch.equal(*without)
    large = adv_info_nce_loss(*batch, tau=0.3, negative_weight=1e14, positive_in_denominator=True)
    torch.testing.assert_close(large, without[0])


def test_equal_scores_without_hardness_are_a_loss_of_zero():
    for k, negatives in ((0.3, 2), (64.0, 50)):
        scores = torch.full((3, negatives), 0.4).double()
        options = dict(tau=0.1, negative_weight=k, positive_in_denominator=True)
        loss = adv_info_nce_loss(scores[:, 0], scores, torch.zeros_like(scores), **options)
        torch.testing.assert_close(loss, torch.zeros(3).double())


def test_a_larger_negative_weight_lets_a_won_row_pull_longer():
    pos = torch.tensor([0.5], requires_grad=True)
    flat = torch.zeros(1, 3)
    pulls = []
    for k in (1.0, 64.0):
        options = dict(tau=0.1, negative_weight=k, positive_in_denominator=True)
        loss = adv_info_nce_loss(pos, flat, flat, **options)
        pulls.append(torch.autograd.grad(loss.sum(), pos)[0].item())
    assert pulls[1] < pulls[0] < 0


def test_a_harder_negative_is_pushed_harder():
    neg = torch.zeros(1, 2, requires_grad=True)
    hardness = torch.tensor([[0.5, -0.5]])
    options = dict(tau=0.2, negative_weight=64.0, positive_in_denominator=True)
    loss = adv_info_nce_loss(torch.zeros(1), neg, hardness, **options)
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


def test_the_module_hands_its_options_on():
    loss = _prepared()
    inputs = next(_View().batches(loss.inputs))
    hardness = loss.adversary(inputs["users"], inputs["negatives"])
    options = dict(tau=0.2, negative_weight=3.0, positive_in_denominator=True)
    expected = adv_info_nce_loss(inputs["pos"], inputs["neg"], hardness, **options).mean()
    torch.testing.assert_close(loss(**inputs), expected)


def _turns(loss, epochs):
    view, turns = _View(), []
    for epoch in range(epochs):
        before = view.asked
        loss.begin_epoch(epoch, view)
        turns += [epoch] * (view.asked - before)
    return turns


@pytest.mark.parametrize(
    ("schedule", "turns"),
    [((2, 2, 2), [2, 4]), ((0, 3, 3), [0, 3, 6]), ((1, 1, 2), [1, 2]), ((9, 1, 9), [9, 10, 11])],
)
def test_adversarial_epochs_start_come_in_turn_and_end(schedule, turns):
    names = ("adversarial_start", "adversarial_every", "adversarial_epochs")
    loss = _prepared(**dict(zip(names, schedule, strict=True)))
    assert _turns(loss, 12) == turns


def test_the_schedule_of_the_source_is_the_default():
    loss = AdvInfoNCELoss()
    loss.prepare(ROWS)
    assert _turns(loss, 50) == [2, 7, 12, 17, 22, 27, 32]
    assert loss.options["negative_weight"] == 64 and loss.options["tau"] == 0.2
    assert loss._optimizer.param_groups[0]["lr"] == 5e-5


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
        ({"negative_weight": 0}, "negative_weight must be > 0, got 0"),
        ({"adversarial_start": -1}, "adversarial_start must be an integer >= 0, got -1"),
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
    options = dict(tau=0.2, negative_weight=64.0, positive_in_denominator=True)
    with pytest.raises(ValueError, match=r"hardness must have the shape of neg, \(4, 6\)"):
        adv_info_nce_loss(pos, neg, neg[:, :1], **options)
