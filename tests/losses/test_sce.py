import math

import pytest
import torch
from loss_cases import at_extremes
from torch.nn.functional import cross_entropy, normalize

from recbole_dsl.losses.sce import SCELoss, sce_directions, sce_loss

SIZES = dict(tau=0.3, bucket_size_x=3, bucket_size_y=4)
WHOLE = dict(tau=0.3, bucket_size_x=99, bucket_size_y=99)
MODULE = dict(SIZES, n_buckets=5, mix=True)


def _batch(rows=6, items=9, dtype=torch.float64):
    """Scores, vectors of users, ids, and a table whose padding row would win if it were let in."""
    users = normalize(torch.randn(rows, 3, dtype=torch.float64), dim=1)
    table = normalize(torch.randn(items, 3, dtype=torch.float64), dim=1)
    table[0] = 100
    ids = torch.randint(1, items, (rows,))
    pos = (users * table[ids]).sum(dim=1)
    return pos.to(dtype), users.to(dtype), ids, table.to(dtype)


def _loop(pos, users, ids, table, directions, *, tau, bucket_size_x, bucket_size_y):
    """The equation of the docstring, in plain Python, bucket by bucket."""

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    users, table, ids = users.tolist(), table.tolist(), ids.tolist()
    found = [[] for _ in users]
    for d in directions.tolist():
        near = sorted(range(len(users)), key=lambda b: -dot(d, users[b]))[:bucket_size_x]
        hard = sorted(range(1, len(table)), key=lambda j: -dot(d, table[j]))[:bucket_size_y]
        for b in near:
            gaps = [dot(users[b], table[j]) - pos[b].item() for j in hard if j != ids[b]]
            found[b].append(math.log(1 + sum(math.exp(gap / tau) for gap in gaps)))
    covered = sum(1 for losses in found if losses)
    return [max(losses, default=0.0) * len(users) / covered for losses in found]


def test_hand_value():
    # Users and items on a line. Direction +1 holds row 1 (at 2) and item 2 (at 3), not item 1.
    users, table = torch.tensor([[1.0], [2.0]]), torch.tensor([[9.0], [1.0], [3.0]])
    pos, ids = torch.tensor([3.0, 2.0]), torch.tensor([2, 1])
    sizes = dict(tau=2.0, bucket_size_x=1, bucket_size_y=1)
    value = sce_loss(pos, users, ids, table, torch.ones(1, 1), **sizes)
    torch.testing.assert_close(value, torch.tensor([0.0, 2 * math.log(1 + math.exp((6 - 2) / 2))]))


@pytest.mark.parametrize("buckets", [1, 2, 7])
@pytest.mark.parametrize("size", [1, 3, 6])
def test_agrees_with_a_plain_loop(buckets, size):
    inputs, directions = _batch(), torch.randn(buckets, 3, dtype=torch.float64)
    sizes = dict(tau=0.3, bucket_size_x=size, bucket_size_y=size)
    expected = _loop(*inputs, directions, **sizes)
    actual = sce_loss(*inputs, directions, **sizes)
    torch.testing.assert_close(actual, torch.tensor(expected).double())


def test_one_bucket_of_everything_is_cross_entropy_over_the_catalogue():
    pos, users, ids, table = _batch()
    expected = cross_entropy(users @ table[1:].T / 0.3, ids - 1, reduction="none")
    for n in (1, 4):
        actual = sce_loss(pos, users, ids, table, torch.randn(n, 3).double(), **WHOLE)
        torch.testing.assert_close(actual, expected)


def test_buckets_bound_cross_entropy_from_below():
    pos, users, ids, table = _batch(64, 200)
    full = cross_entropy(users @ table[1:].T / 0.3, ids - 1, reduction="none")
    sizes = dict(tau=0.3, bucket_size_x=64, bucket_size_y=50)
    value = sce_loss(pos, users, ids, table, torch.randn(20, 3).double(), **sizes)
    assert bool((value <= full).all()) and bool((value > 0).all())


def test_the_padding_item_never_competes():
    pos, users, ids, table = _batch()
    table.requires_grad_()
    directions = torch.ones(1, 3).double()  # in which the padding row lies farthest
    value = sce_loss(pos, users, ids, table, directions, **SIZES)
    (grad,) = torch.autograd.grad(value.sum(), table)
    assert not grad[0].any() and bool(grad[1:].any())


def test_a_row_in_no_bucket_contributes_nothing_and_the_mean_is_over_the_others():
    pos, users, ids, table = _batch()
    users.requires_grad_()
    value = sce_loss(pos, users, ids, table, torch.ones(1, 3).double(), **SIZES)
    near = (users.detach().sum(dim=1)).topk(3).indices
    assert set(value.nonzero().flatten().tolist()) == set(near.tolist())
    (grad,) = torch.autograd.grad(value.sum(), users)
    assert set(grad.any(dim=1).nonzero().flatten().tolist()) == set(near.tolist())
    alone = sce_loss(pos[near], users[near], ids[near], table, torch.ones(1, 3).double(), **SIZES)
    torch.testing.assert_close(value.mean(), alone.mean())


def test_a_bucket_of_the_positive_alone_costs_nothing_and_stays_finite():
    users = torch.ones(1, 1, requires_grad=True)
    pos, ids, table = users[:, 0] * 3, torch.tensor([1]), torch.tensor([[9.0], [3.0], [1.0]])
    sizes = dict(tau=0.3, bucket_size_x=1, bucket_size_y=1)
    value = sce_loss(pos, users, ids, table, torch.ones(1, 1), **sizes)
    value.sum().backward()
    assert value == 0 and users.grad == 0


def test_gradient_pulls_the_positive_up_and_pushes_the_competitors_down():
    pos, users, ids, table = _batch(rows=1)
    pos.requires_grad_(), table.requires_grad_()
    sce_loss(pos, users, ids, table, torch.ones(1, 3).double(), **WHOLE).sum().backward()
    assert pos.grad < 0
    push = table.grad @ users[0]  # along the user, by how much each item is pushed away
    competes = torch.ones(9, dtype=torch.bool)
    competes[[0, ids.item()]] = False
    assert bool((push[competes] > 0).all()) and not push[~competes].any()


def test_a_better_positive_lowers_the_loss():
    pos, users, ids, table = _batch()
    directions = torch.eye(3).double()
    better = sce_loss(pos + 0.1, users, ids, table, directions, **WHOLE)
    assert bool((better < sce_loss(pos, users, ids, table, directions, **WHOLE)).all())


def test_the_numbering_of_the_items_and_the_order_of_the_rows_are_irrelevant():
    pos, users, ids, table = _batch()
    directions = torch.randn(4, 3).double()
    value = sce_loss(pos, users, ids, table, directions, **SIZES)
    order = torch.randperm(6)
    turned = sce_loss(pos[order], users[order], ids[order], table, directions, **SIZES)
    torch.testing.assert_close(turned, value[order])
    new = torch.cat([torch.zeros(1, dtype=torch.int64), torch.randperm(8) + 1])
    renamed = torch.empty_like(table).index_copy(0, new, table)
    torch.testing.assert_close(sce_loss(pos, users, new[ids], renamed, directions, **SIZES), value)


def test_gradcheck():
    pos, users, ids, table = _batch()
    inputs = [t.requires_grad_() for t in (pos, users, table)]
    directions = torch.randn(4, 3).double()
    assert torch.autograd.gradcheck(
        lambda p, u, t: sce_loss(p, u, ids, t, directions, **SIZES), inputs
    )


def test_directions_follow_the_global_seed_and_the_users():
    users = torch.tensor([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]], requires_grad=True)
    torch.manual_seed(3)
    first = sce_directions(users, 5, mix=True)
    torch.manual_seed(3)
    assert torch.equal(first, sce_directions(users, 5, mix=True))
    assert first.shape == (5, 2) and not first.requires_grad
    # all users lie on the line (1, 2): so do their mixtures, and not the plain directions
    torch.testing.assert_close(first[:, 1], 2 * first[:, 0])
    plain = sce_directions(users, 5, mix=False)
    assert plain.shape == (5, 2) and not torch.allclose(plain[:, 1], 2 * plain[:, 0])


@pytest.mark.parametrize("mix", [True, False])
def test_module_is_the_mean_over_rows(mix):
    inputs = _batch()
    torch.manual_seed(5)
    value = SCELoss(**dict(MODULE, mix=mix))(*inputs)
    torch.manual_seed(5)
    directions = sce_directions(inputs[1], 5, mix=mix)
    assert value == sce_loss(*inputs, directions, **SIZES).mean()


@at_extremes
def test_finite_at_extreme_scores_and_tiny_tau(dtype, sign):
    users = torch.ones(4, 1, dtype=dtype, requires_grad=True)
    table = torch.full((6, 1), -sign, dtype=dtype)
    table[1] = sign
    table.requires_grad_()
    ids = torch.ones(4, dtype=torch.int64)
    pos = (users * table[ids]).sum(dim=1)
    value = SCELoss(**dict(MODULE, tau=0.01))(pos, users, ids, table)
    value.backward()
    assert torch.isfinite(value) and value.dtype == torch.float32
    assert bool(torch.isfinite(users.grad).all()) and bool(torch.isfinite(table.grad).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_buckets": 0}, "n_buckets must be an integer >= 1, got 0"),
        ({"bucket_size_x": 1.5}, "bucket_size_x must be an integer >= 1, got 1.5"),
        ({"bucket_size_y": 0}, "bucket_size_y must be an integer >= 1, got 0"),
        ({"mix": 1}, "mix must be True or False, got 1"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SCELoss(**{**MODULE, **change})


@pytest.mark.parametrize(
    ("changed", "shape", "message"),
    [
        (0, (5,), r"pos must have the shape of user_vectors\[:, 0\], \(6,\), got \(5,\)"),
        (0, (6, 1), r"pos must have the shape .* got \(6, 1\)"),
        (1, (6,), r"user_vectors must be \(B, D\) with B >= 1, got \(6,\)"),
        (1, (0, 3), r"user_vectors must be \(B, D\) with B >= 1, got \(0, 3\)"),
        (2, (1,), r"items must have the shape of pos, \(6,\), got \(1,\)"),
        (3, (9, 1), r"item_table must have at least 2 row\(s\) of D = 3, got \(9, 1\)"),
        (3, (1, 3), r"item_table must have at least 2 row\(s\) of D = 3, got \(1, 3\)"),
        (4, (2, 4), r"directions must have at least 1 row\(s\) of D = 3, got \(2, 4\)"),
    ],
)
def test_mismatched_shapes_are_refused(changed, shape, message):
    inputs = [*_batch(), torch.randn(2, 3).double()]
    inputs[changed] = torch.zeros(shape, dtype=inputs[changed].dtype)
    with pytest.raises(ValueError, match=message):
        sce_loss(*inputs, **SIZES)
