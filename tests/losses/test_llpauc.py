import math

import pytest
import torch
from loss_cases import cosines

from recbole_dsl.losses.llpauc import LLPAUCLoss, llpauc_loss

OPTIONS = dict(tau=0.3, alpha=0.6, beta=0.5)
ALL = dict(tau=0.3, alpha=1.0, beta=1.0)


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


def _minimax(p, n):
    """The objective of the paper for positives p and negatives n, at its inner solution."""
    a, b = p.mean(), n.mean()
    g = b - a
    positives = ((p - a) ** 2 - 2 * (1 + g) * p).mean()
    negatives = ((n - b) ** 2 + 2 * (1 + g) * n).mean()
    return positives + negatives + 1 - g**2


def test_hand_value():
    # sigmoids 3/4 and 1/4 for the kept row and its hardest negative: (1 - 1/2)^2, times 2 rows / 1
    high = math.log(3)
    pos, neg = torch.tensor([high, 0.0]), torch.tensor([[-high, -9.0], [5.0, 5.0]])
    value = llpauc_loss(pos, neg, tau=1.0, alpha=0.5, beta=0.5)
    torch.testing.assert_close(value, torch.tensor([0.5, 0.0]))


@pytest.mark.parametrize(
    ("alpha", "beta"), [(0.6, 0.5), (1.0, 0.5), (0.6, 1.0), (0.01, 0.01), (0.61, 0.67)]
)
def test_agrees_with_a_plain_loop(alpha, beta):
    pos, neg = cosines(5, 6)
    kept = sorted(range(5), key=lambda b: -pos[b])[: max(1, math.ceil(alpha * 5))]
    expected = []
    for b in range(5):
        p = _sigmoid(pos[b].item() / 0.3)
        hardest = sorted(neg[b].tolist(), reverse=True)[: max(1, math.ceil(beta * 6))]
        squares = [(1 - (p - _sigmoid(n / 0.3))) ** 2 for n in hardest]
        mean = sum(squares) / len(squares)
        expected.append(mean * 5 / len(kept) if b in kept else 0.0)
    actual = llpauc_loss(pos, neg, tau=0.3, alpha=alpha, beta=beta)
    torch.testing.assert_close(actual, torch.tensor(expected).double())


def test_each_row_is_the_minimax_objective_at_its_solution():
    pos, neg = cosines(5, 6)
    value = llpauc_loss(pos, neg, **ALL)
    for b in range(5):
        p, n = torch.sigmoid(pos[b : b + 1] / 0.3), torch.sigmoid(neg[b] / 0.3)
        torch.testing.assert_close(value[b], _minimax(p, n))


def test_the_solution_of_the_minimax_problem_is_a_minimum_and_a_maximum():
    p, n = torch.rand(4).double(), torch.rand(6).double()
    a, b, g = p.mean(), n.mean(), n.mean() - p.mean()

    def value(a, b, g):
        positives = ((p - a) ** 2 - 2 * (1 + g) * p).mean()
        return positives + ((n - b) ** 2 + 2 * (1 + g) * n).mean() + 1 - g**2

    squares = (1 - (p.unsqueeze(1) - n.unsqueeze(0))).square().mean()
    torch.testing.assert_close(value(a, b, g), squares)
    for step in (-0.1, 0.1):
        assert value(a + step, b, g) > value(a, b, g)
        assert value(a, b + step, g) > value(a, b, g)
        assert value(a, b, g + step) < value(a, b, g)


def test_alpha_and_beta_one_is_the_square_loss_of_auc():
    pos, neg = cosines(5, 6)
    p, n = torch.sigmoid(pos / 0.3), torch.sigmoid(neg / 0.3)
    expected = (1 - (p.unsqueeze(1) - n)).square().mean(dim=1)
    torch.testing.assert_close(llpauc_loss(pos, neg, **ALL), expected)


def test_the_mean_is_over_the_rows_kept_and_rows_left_out_have_no_gradient():
    pos, neg = torch.tensor([0.9, -0.5, 0.1]), torch.randn(3, 4)
    pos.requires_grad_(), neg.requires_grad_()
    value = LLPAUCLoss(tau=0.3, alpha=0.6, beta=0.5)(pos, neg)
    alone = llpauc_loss(pos[[0, 2]], neg[[0, 2]], tau=0.3, alpha=1.0, beta=0.5).mean()
    torch.testing.assert_close(value, alone)
    value.backward()
    assert pos.grad[1] == 0 and not neg.grad[1].any()
    assert bool((pos.grad[[0, 2]] < 0).all())
    # of four negatives the two highest, each pushed down
    for b in (0, 2):
        assert set(neg.grad[b].nonzero().flatten().tolist()) == set(neg[b].topk(2).indices.tolist())
        assert bool((neg.grad[b] >= 0).all())


def test_a_share_that_is_a_whole_number_is_not_rounded_up():
    pos = torch.linspace(0, 1, 100)
    neg = torch.zeros(100, 1)
    # 0.07 * 100 and 0.55 * 100 lie above 7 and 55 in floating point
    for alpha, kept in ((0.07, 7), (0.55, 55), (0.071, 8), (1e-12, 1), (1.0, 100)):
        value = llpauc_loss(pos, neg, tau=1.0, alpha=alpha, beta=1.0)
        assert int((value > 0).sum()) == kept


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 0}, "tau must be > 0, got 0"),
        ({"alpha": 0}, r"alpha must be in \(0, 1\], got 0"),
        ({"alpha": 1.1}, r"alpha must be in \(0, 1\], got 1.1"),
        ({"beta": -0.1}, r"beta must be in \(0, 1\], got -0.1"),
        ({"beta": "x"}, "beta must be a finite number, got 'x'"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        LLPAUCLoss(**{**OPTIONS, **change})
    with pytest.raises(ValueError, match=message):
        llpauc_loss(torch.zeros(1), torch.zeros(1, 1), **{**OPTIONS, **change})
