import math

import pytest
import torch
from loss_cases import at_extremes
from torch.nn.functional import normalize

from recbole_dsl.losses.directau import DirectAULoss, direct_au_loss, uniformity


def _vectors(rows=6, size=4, dtype=torch.float64):
    return normalize(torch.randn(rows, size, dtype=dtype), dim=1)


def _loop(users, items, gamma):
    """The equation of the docstring, in plain Python, pair by pair."""

    def squared(x, y):
        return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))

    def spread(x):
        kernel = [math.exp(-2 * squared(x[a], x[b])) for b in range(len(x)) for a in range(b)]
        return math.log(sum(kernel) / len(kernel))

    users, items = users.tolist(), items.tolist()
    align = sum(squared(u, i) for u, i in zip(users, items, strict=True)) / len(users)
    return align + gamma * (spread(users) + spread(items)) / 2


def test_hand_value():
    # Users at a right angle, d^2 = 2; the same item twice, d^2 = 0; alignment (0 + 2) / 2.
    users = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    items = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    value = direct_au_loss(users, items, gamma=0.5)
    torch.testing.assert_close(value, torch.tensor(1 + 0.5 * (-4 + 0) / 2))


def test_agrees_with_a_plain_loop():
    users, items = _vectors(), _vectors()
    actual = direct_au_loss(users, items, gamma=1.7)
    assert actual.item() == pytest.approx(_loop(users, items, 1.7), abs=1e-12)


def test_repeated_vectors_count_as_often_as_they_are_there():
    users, items = _vectors(), _vectors()
    users[3] = users[1]
    actual = direct_au_loss(users, items, gamma=1.0)
    assert actual.item() == pytest.approx(_loop(users, items, 1.0), abs=1e-12)


def test_uniformity_agrees_with_pairwise_distances():
    vectors = _vectors(50, 8)
    expected = torch.pdist(vectors).square().mul(-2).exp().mean().log()
    torch.testing.assert_close(uniformity(vectors), expected)


def test_a_closer_pair_lowers_the_loss_and_a_wider_spread_too():
    users, items = _vectors(dtype=torch.float32), _vectors(dtype=torch.float32)
    closer = normalize(items + users, dim=1)
    align = [(users - other).square().sum() for other in (closer, items)]
    assert align[0] < align[1]
    assert direct_au_loss(users, closer, gamma=1e-6) < direct_au_loss(users, items, gamma=1e-6)
    apart, together = torch.eye(3), normalize(torch.eye(3) + 1, dim=1)
    assert uniformity(apart) < uniformity(together) < 0


def test_gradient_steps_align_pairs_and_spread_them():
    users = _vectors(8, 3, torch.float32).requires_grad_()
    items = _vectors(8, 3, torch.float32).requires_grad_()
    optimizer = torch.optim.SGD([users, items], lr=0.05)
    history = []
    for _ in range(200):
        loss = direct_au_loss(normalize(users, dim=1), normalize(items, dim=1), gamma=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < history[0] - 1
    users, items = normalize(users, dim=1), normalize(items, dim=1)
    assert (users * items).sum(dim=1).min() > 0.8
    assert uniformity(users) < -2


@pytest.mark.parametrize("gamma", [0.2, 0.5, 2.0])
def test_close_to_collapse_uniformity_outweighs_alignment_from_gamma_one_half(gamma):
    rows, centre = 2000, torch.tensor([1.0, 0.0, 0.0, 0.0]).double()
    users, items = (normalize(centre + 1e-3 * torch.randn(rows, 4).double()) for _ in range(2))
    deviation = [x - x.mean(dim=0) for x in (users, items)]
    s = sum(d.square().sum(dim=1).mean() for d in deviation)
    covariance = (deviation[0] * deviation[1]).sum(dim=1).mean()
    between = (users.mean(dim=0) - items.mean(dim=0)).square().sum()
    expected = s * (1 - 2 * gamma * rows / (rows - 1)) - 2 * covariance + between
    actual = direct_au_loss(users, items, gamma=gamma)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4 * s.item())


def test_the_order_of_the_rows_is_irrelevant():
    users, items = _vectors(), _vectors()
    order = torch.randperm(6)
    torch.testing.assert_close(
        direct_au_loss(users, items, gamma=1.0), direct_au_loss(users[order], items[order], gamma=1)
    )


def test_a_single_row_is_its_alignment_alone_with_finite_gradients():
    users, items = _vectors(1).requires_grad_(), _vectors(1).requires_grad_()
    loss = direct_au_loss(users, items, gamma=2.0)
    torch.testing.assert_close(loss, (users - items).square().sum())
    for grad in torch.autograd.grad(loss, (users, items)):
        assert bool(torch.isfinite(grad).all()) and bool((grad != 0).any())


@at_extremes
def test_finite_where_all_vectors_coincide_or_oppose(dtype, sign):
    users = torch.tensor([[1.0, 0.0]] * 4, dtype=dtype).requires_grad_()
    items = torch.tensor([[sign, 0.0]] * 4, dtype=dtype).requires_grad_()
    loss = direct_au_loss(users, items, gamma=10.0)
    loss.backward()
    assert loss.item() == pytest.approx(2 - 2 * sign, abs=1e-5)
    for vectors in (users, items):
        assert bool(torch.isfinite(vectors.grad).all())


def test_autocast_does_not_coarsen_the_distances():
    vectors = normalize(torch.ones(32, 8) + 0.01 * torch.randn(32, 8), dim=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        coarse = uniformity(vectors)
    torch.testing.assert_close(coarse, uniformity(vectors))


def test_module_is_the_function_and_wants_cosines():
    users, items = _vectors(), _vectors()
    loss = DirectAULoss(gamma=0.7)
    assert loss(user_vectors=users, item_vectors=items) == direct_au_loss(users, items, gamma=0.7)
    assert loss.scores == ("cosine",)
    assert loss.inputs == ("user_vectors", "item_vectors")


@pytest.mark.parametrize("gamma", [0, -1.0, float("nan"), float("inf"), "1", True, None])
def test_bad_gamma_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma must be"):
        DirectAULoss(gamma=gamma)


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        ((3, 2), (1, 2), r"item_vectors must have the shape of user_vectors, \(3, 2\), got \(1, 2"),
        ((3, 2), (3, 1), r"got \(3, 1\)"),
        ((3,), (3,), r"vectors must be \(B, D\), got \(3,\)"),
    ],
)
def test_bad_shapes_are_refused_and_never_broadcast(users, items, message):
    with pytest.raises(ValueError, match=message):
        direct_au_loss(torch.zeros(users), torch.zeros(items), gamma=1.0)
