import math

import pytest
import torch

from recbole_dsl.losses import TrainingRows
from recbole_dsl.losses.bce import bce_loss
from recbole_dsl.losses.gbce import GBCELoss, gbce_beta, gbce_loss

OPTIONS = dict(tau=0.3, beta=0.4)


def _prepared(n_items=11, **changes):
    """A module over a catalogue of n_items, the padding item included."""
    loss = GBCELoss(**{"tau": 1.0, "calibration": 0.75, **changes})
    ids = torch.tensor([1])
    loss.prepare(TrainingRows(ids, ids, n_users=2, n_items=n_items))
    return loss


def test_hand_value():
    # the positive's probability 1/4 to the power 1/2 is 1/2; both negatives have 1/2 left
    pos, neg = torch.tensor([-math.log(3)]), torch.tensor([[0.0, 0.0]])
    value = gbce_loss(pos, neg, tau=1.0, beta=0.5)
    torch.testing.assert_close(value, torch.tensor([math.log(2)]))


def test_agrees_with_a_plain_loop():
    pos, neg = torch.randn(4, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
    expected = []
    for p, row in zip(pos.tolist(), neg.tolist(), strict=True):
        loss = -math.log((1 / (1 + math.exp(-p / 0.3))) ** 0.4)
        loss -= sum(math.log(1 - 1 / (1 + math.exp(-n / 0.3))) for n in row)
        expected.append(loss / 7)
    torch.testing.assert_close(gbce_loss(pos, neg, **OPTIONS), torch.tensor(expected).double())


@pytest.mark.parametrize("calibration", [0, 0.3, 0.75, 1])
@pytest.mark.parametrize("m", [1, 7, 256])
def test_beta_agrees_with_the_formula_of_the_paper(m, calibration):
    alpha = m / (1000 - 1)
    paper = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)
    assert gbce_beta(m, 1000, calibration=calibration) == pytest.approx(paper)


def test_calibration_zero_is_bce_and_calibration_one_is_the_sampling_rate():
    pos, neg = torch.randn(3).double(), torch.randn(3, 5).double()
    assert gbce_beta(5, 1000, calibration=0) == 1
    assert gbce_beta(5, 1000, calibration=1) == pytest.approx(5 / 999)
    plain = bce_loss(pos, neg, tau=1.0, negative_weight=5) / 6
    torch.testing.assert_close(gbce_loss(pos, neg, tau=1.0, beta=1.0), plain)
    torch.testing.assert_close(_prepared(1001, calibration=0)(pos, neg), plain.mean())


def test_all_negatives_leave_nothing_to_correct():
    assert gbce_beta(9, 10, calibration=0.75) == gbce_beta(9, 10, calibration=0) == 1
    assert gbce_beta(18, 10, calibration=1) == 2


def test_full_calibration_recovers_the_probabilities_of_the_whole_catalogue():
    # One user, items of preference q, score s. Sampled at rate alpha, the expected loss of an item
    # is beta q softplus(-s) + alpha (1 - q) softplus(s): its minimum is at sigmoid(s) = q only for
    # beta = alpha. Plain BCE would answer q / (q + alpha (1 - q)), far too sure.
    q = torch.tensor([0.5, 0.1, 0.01], dtype=torch.float64)
    alpha = 20 / 1000
    beta = gbce_beta(20, 1001, calibration=1)
    s = torch.logit(q).requires_grad_()
    softplus = torch.nn.functional.softplus
    loss = beta * q * softplus(-s) + alpha * (1 - q) * softplus(s)
    (grad,) = torch.autograd.grad(loss.sum(), s)
    torch.testing.assert_close(grad, torch.zeros(3).double())


def test_the_padding_item_is_not_counted():
    pos, neg = torch.randn(3).double(), torch.randn(3, 5).double()
    beta = gbce_beta(5, 10, calibration=0.75)
    expected = gbce_loss(pos, neg, tau=1.0, beta=beta).mean()
    assert _prepared(n_items=11)(pos, neg) == expected


def test_more_calibration_pulls_the_positive_less():
    pos, neg = torch.zeros(1, requires_grad=True), torch.zeros(1, 3)
    pulls = []
    for calibration in (0.0, 0.5, 1.0):
        loss = _prepared(calibration=calibration)(pos, neg)
        pulls.append(-torch.autograd.grad(loss, pos)[0].item())
    assert pulls[0] > pulls[1] > pulls[2] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"calibration": 1.5}, r"calibration must be in \[0, 1\], got 1.5"),
        ({"calibration": -0.1}, r"calibration must be in \[0, 1\], got -0.1"),
        ({"calibration": "x"}, "calibration must be a finite number, got 'x'"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        GBCELoss(**{"tau": 1.0, "calibration": 0.75, **change})


@pytest.mark.parametrize(
    ("m", "n_items", "message"),
    [
        (0, 10, "n_negatives must be an integer >= 1, got 0"),
        (5, 1, "n_items must be >= 2, got 1"),
        (5, 2.5, "n_items must be an integer >= 1, got 2.5"),
    ],
)
def test_beta_refuses_an_impossible_catalogue(m, n_items, message):
    with pytest.raises(ValueError, match=message):
        gbce_beta(m, n_items, calibration=0.5)


def test_beta_must_be_positive():
    with pytest.raises(ValueError, match="beta must be > 0, got 0"):
        gbce_loss(torch.zeros(1), torch.zeros(1, 1), tau=1.0, beta=0)


def test_it_says_that_it_was_not_prepared():
    with pytest.raises(RuntimeError, match=r"call prepare\(data\) first"):
        GBCELoss(tau=1.0, calibration=0.75)(torch.zeros(1), torch.zeros(1, 1))


@pytest.mark.parametrize(
    ("pos", "neg"), [((3,), (4, 5)), ((4, 1), (4, 5)), ((4,), (4,)), ((4,), (4, 0))]
)
def test_mismatched_shapes_are_refused_by_the_function_too(pos, neg):
    with pytest.raises(ValueError, match="must be|M >= 1"):
        gbce_loss(torch.zeros(pos), torch.zeros(neg), **OPTIONS)
