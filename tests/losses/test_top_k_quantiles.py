import pytest
import torch

from recbole_dsl.losses import TrainingRows
from recbole_dsl.losses.top_k_quantiles import (
    ExactQuantiles,
    RegressionQuantiles,
    top_k_quantile,
)

N_USERS, N_ITEMS, K, RATE = 4, 13, 3, 0.01  # 12 items beside the padding
POSITIVES = {1: [1, 5, 9], 2: [2, 3], 3: [7]}
PAIRS = [(user, item) for user, items in POSITIVES.items() for item in items]
PAIRS.append((1, 5))  # a repeated pair is one positive


class _View:
    """Scores of all items for each user, in two blocks; the padding's is the largest."""

    def __init__(self, scores):
        self.scores, self.asked = scores, 0

    def score_blocks(self):
        self.asked += 1
        for users in (torch.tensor([1, 2]), torch.tensor([3])):
            yield users, self.scores[users]


def _view():
    scores = torch.rand(N_USERS, N_ITEMS, dtype=torch.float64) * 2 - 1
    scores[:, 0] = 9.0
    return _View(scores)


def _regression(**changes):
    users, items = torch.tensor(PAIRS).T
    options = {"k": K, "learning_rate": RATE, **changes}
    return RegressionQuantiles(TrainingRows(users, items, N_USERS, N_ITEMS), **options)


def _row(user, item, scores):
    """One row with all items that are no positives as negatives."""
    others = [other for other in range(1, N_ITEMS) if other not in POSITIVES[user]]
    return user, scores[user, item], scores[user, others]


def _observe(quantiles, rows):
    """Let quantiles take note of rows, whose numbers of negatives are equal."""
    users, pos, neg = zip(*rows, strict=True)
    quantiles.observe(torch.tensor(users), torch.stack(pos), torch.stack(neg))


def _pinball(beta, positives, negatives, n_positives):
    """The loss of the source's Eq. (3.3); the positives given stand for all n_positives."""
    n = N_ITEMS - 1

    def rho(x):
        return (1 - K / n) * max(0.0, x) + K / n * max(0.0, -x)

    own = n_positives / len(positives) * sum(rho(f - beta) for f in positives)
    others = (n - n_positives) / len(negatives) * sum(rho(f - beta) for f in negatives)
    return (own + others) / n


def test_quantile_is_the_k_th_largest():
    scores = torch.randn(5, 30)
    expected = scores.sort(dim=1, descending=True).values
    assert torch.equal(top_k_quantile(scores, 4), expected[:, 3])
    assert torch.equal(top_k_quantile(scores, 99), expected[:, -1])


def test_exact_quantiles_are_measured_every_few_epochs_and_never_the_padding():
    quantiles, view = ExactQuantiles(N_USERS, k=K, every=3), _view()
    for epoch in range(7):
        quantiles.begin_epoch(epoch, view)
    assert view.asked == 3
    expected = view.scores[1:, 1:].sort(dim=1, descending=True).values[:, K - 1]
    assert torch.equal(quantiles(torch.tensor([1, 2, 3])), expected)
    assert not quantiles.state_dict() and quantiles.row_sums == ()
    other = ExactQuantiles(N_USERS, k=K, every=3)
    other.measure(view)
    assert torch.equal(other.value, quantiles.value)


def test_a_step_is_the_rate_times_the_slope_of_the_pinball_loss_over_k_items():
    quantiles, users = _regression(), torch.tensor([1, 3, 1, 1, 2])
    start = torch.tensor([0.0, 0.2, -0.3, 0.1]).double()
    quantiles.value.copy_(start)
    pos, neg = torch.rand(5).double() * 2 - 1, torch.rand(5, 6).double() * 2 - 1
    quantiles.observe(users, pos, neg)
    for user, items in POSITIVES.items():
        mine, beta, h = users == user, float(start[user]), 1e-6
        own, others = pos[mine].tolist(), neg[mine].flatten().tolist()
        assert min(abs(f - beta) for f in own + others) > h  # the slope is constant there
        up, down = (_pinball(beta + x, own, others, len(items)) for x in (h, -h))
        slope = (up - down) / (2 * h)
        moved = float(quantiles(torch.tensor([user])) - beta)
        assert moved == pytest.approx(-RATE * slope * (N_ITEMS - 1) / K, abs=1e-9)
    assert quantiles(torch.tensor([0])) == 0


def test_a_step_agrees_with_a_plain_loop_whatever_the_order_of_the_rows():
    users = torch.tensor([1, 3, 1, 1, 2])
    pos, neg = torch.rand(5).double() * 2 - 1, torch.rand(5, 6).double() * 2 - 1
    expected = torch.zeros(N_USERS).double()
    for user, items in POSITIVES.items():
        above = []
        for row in (users == user).nonzero().flatten().tolist():
            share = sum(f >= 0 for f in neg[row].tolist()) / 6
            above.append(len(items) * (pos[row].item() >= 0) + (12 - len(items)) * share)
        expected[user] = RATE * (sum(above) / len(above) / K - 1)
    for order in (torch.arange(5), torch.tensor([4, 2, 1, 3, 0])):
        quantiles = _regression()
        quantiles.observe(users[order], pos[order], neg[order])
        found = quantiles(torch.arange(N_USERS))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        assert quantiles.steps.tolist() == [0, 1, 1, 1]
        assert not bool(quantiles.scratch.any())


def test_exact_quantiles_stay_where_they_are_and_others_come_to_them():
    view, users = _view(), torch.tensor([1, 2, 3])
    quantiles = _regression()
    quantiles.begin_epoch(0, view)
    exact = quantiles(users)
    rows = {user: [_row(user, item, view.scores) for item in POSITIVES[user]] for user in (1, 2, 3)}
    for user in (1, 2, 3):
        _observe(quantiles, rows[user])  # all positives and all others: nothing is estimated
    torch.testing.assert_close(quantiles(users), exact, rtol=0, atol=1e-12)

    for start in (-1.0, 1.0):
        quantiles = _regression()
        quantiles.value += start
        for _ in range(400):
            for user in (1, 2, 3):
                _observe(quantiles, rows[user])
        found = quantiles(users)
        below = view.scores[1:, 1:].sort(dim=1, descending=True).values[:, K]
        # Between the K-th and the next score the loss is flat.
        assert bool((found > below - RATE).all()) and bool((found < exact + RATE).all())


def test_a_step_falls_by_at_most_the_rate_and_rises_by_at_most_a_hundred_times_as_much():
    users, items = torch.tensor([1, 2]), torch.tensor([1, 1])
    data = TrainingRows(users, items, 3, 1001)  # 1,000 items, K = 1: 999 too many at the bottom
    quantiles = RegressionQuantiles(data, k=1, learning_rate=RATE)
    quantiles.observe(users, torch.tensor([0.5, -0.5]), torch.tensor([[0.5], [-0.5]]))
    torch.testing.assert_close(quantiles(users), torch.tensor([1.0, -0.01]).double())


def test_epochs_join_seamlessly_and_only_the_first_measures():
    quantiles, view, users = _regression(), _view(), torch.tensor([1, 2, 3])
    quantiles.begin_epoch(0, view)
    for epoch in range(1, 4):
        for item in (1, 9):
            _observe(quantiles, [_row(1, item, view.scores)])
        before = quantiles(users)
        assert before[0] != quantiles.value[1]
        quantiles.begin_epoch(epoch, view)
        torch.testing.assert_close(quantiles(users), before, rtol=0, atol=1e-15)
        assert not bool(quantiles.steps.any()) and not bool(quantiles.moves.any())
    quantiles.measure(view)
    assert view.asked == 1 and torch.equal(quantiles(users), quantiles.value[1:])


def test_several_processes_moves_are_averaged_by_their_steps():
    view = _view()
    several = [_regression(), _regression()]
    for quantiles in several:
        quantiles.begin_epoch(0, view)
    start = several[0].value.clone()
    low, high = view.scores - 1.0, view.scores + 1.0
    for _ in range(3):
        _observe(several[0], [_row(1, 1, low)])
    _observe(several[1], [_row(1, 1, high)])
    _observe(several[1], [_row(2, 2, low)])
    moved = [float(quantiles(torch.tensor([1])) - start[1]) for quantiles in several]
    assert moved[0] == pytest.approx(-3 * RATE) and moved[1] > 0
    for name in RegressionQuantiles.row_sums:
        total = sum(getattr(quantiles, name) for quantiles in several)
        for quantiles in several:
            getattr(quantiles, name).copy_(total)
    for quantiles in several:
        quantiles.begin_epoch(1, view)
        found = quantiles.value - start
        assert found.tolist() == pytest.approx([0, (3 * moved[0] + moved[1]) / 4, -RATE, 0])


def test_a_checkpoint_carries_the_quantiles_and_the_running_epoch():
    quantiles, other, view = _regression(), _regression(), _view()
    for epoch in range(2):
        quantiles.begin_epoch(epoch, view)
        _observe(quantiles, [_row(1, 1, view.scores - 1), _row(1, 5, view.scores - 1)])
    assert set(quantiles.state_dict()) == {"value", "steps", "moves"}
    other.load_state_dict(quantiles.state_dict())
    for module in (quantiles, other):
        module.begin_epoch(2, view)
    assert torch.equal(quantiles.value, other.value) and quantiles.value[1] != 0


def test_half_precision_scores_are_compared_in_float32():
    quantiles = _regression()
    quantiles.value += 0.1  # bfloat16 has 0.10009765625, which float32 knows to be above
    pos, neg = torch.tensor([0.1]).bfloat16(), torch.full((1, 2), -1.0).bfloat16()
    quantiles.observe(torch.tensor([3]), pos, neg)
    expected = 0.1 + RATE * (1 / K - 1)
    assert quantiles(torch.tensor([3])).item() == pytest.approx(expected, abs=1e-12)


def test_more_than_all_items_is_all_items():
    quantiles = _regression(k=99)
    assert quantiles.k == 12
    view = _view()
    quantiles.begin_epoch(0, view)
    assert torch.equal(quantiles.value[1:], view.scores[1:, 1:].min(dim=1).values)
