import math
import re

import pytest
import torch
from loss_cases import at_extremes
from torch.nn.functional import normalize

from recbole_dsl.losses import TrainingRows
from recbole_dsl.losses.bc import BCLoss, PopularityBias, add_margin, bc_loss
from recbole_dsl.losses.sl import softmax_loss_with_positive

OPTIONS = dict(tau=0.2, bias_epochs=2, bias_embedding_size=8)


def _batch(rows=5, negatives=7, dtype=torch.float64):
    scores = torch.rand(rows, negatives + 1, dtype=dtype) * 1.8 - 0.9
    margin = torch.rand(rows, dtype=dtype) * 3
    return scores[:, 0].clone(), scores[:, 1:].clone(), margin


def _data():
    """Item 1 is popular, items 2 and 3 have a single user each, item 4 has none."""
    users = torch.tensor([1, 2, 3, 4, 5, 6, 1, 2])
    items = torch.tensor([1, 1, 1, 1, 1, 1, 2, 3])
    return TrainingRows(users, items, 7, 5)


class View:
    """All training rows in batches of four, each row with three negatives drawn at random."""

    def __init__(self):
        self.passes = 0

    def batches(self, names):
        self.passes += 1
        assert set(names) == {"users", "items", "negatives"}
        data = _data()
        for rows in torch.arange(8).split(4):
            negatives = torch.randint(1, 5, (4, 3))
            yield dict(users=data.users[rows], items=data.items[rows], negatives=negatives)


def _loop(pos, neg, margin, tau):
    """The equation of the docstring, in plain Python, row by row."""
    losses = []
    for p, ns, xi in zip(pos.tolist(), neg.tolist(), margin.tolist(), strict=True):
        theta = math.acos(p)
        own = math.exp(math.cos(theta + min(xi, math.pi - theta)) / tau)
        losses.append(-math.log(own / (own + sum(math.exp(n / tau) for n in ns))))
    return torch.tensor(losses, dtype=torch.float64)


def test_hand_value():
    # The positive at 60 degrees, 30 more make it 90: cos 0, against one negative at cos 0.1.
    pos, neg = torch.tensor([0.5]), torch.tensor([[0.1]])
    value = bc_loss(pos, neg, torch.tensor([math.pi / 6]), tau=0.1)
    torch.testing.assert_close(value, torch.tensor([math.log(1 + math.e)]))


def test_agrees_with_a_plain_loop_on_both_sides_of_the_cap():
    pos, neg, margin = _batch(64)
    capped = margin > math.pi - pos.arccos()
    assert 0 < capped.sum() < 64
    torch.testing.assert_close(bc_loss(pos, neg, margin, tau=0.3), _loop(pos, neg, margin, 0.3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_margin_zero_is_softmax_loss_with_the_positive(dtype):
    pos, neg, margin = _batch(16, dtype=dtype)
    pos[0], pos[1] = 1.0, -1.0
    pos.requires_grad_()
    bc = bc_loss(pos, neg, torch.zeros_like(margin), tau=0.2)
    sl = softmax_loss_with_positive(pos, neg, tau=0.2)
    torch.testing.assert_close(bc, sl + math.log(8))
    ours, theirs = (torch.autograd.grad(x.sum(), pos)[0] for x in (bc, sl))
    torch.testing.assert_close(ours, theirs)


def test_a_margin_never_raises_the_cosine_and_a_larger_one_lowers_it():
    cosine = torch.linspace(-1, 1, 201, dtype=torch.float64)
    before = cosine
    for degrees in (0, 1, 10, 45, 90, 135, 180):
        margin = torch.full_like(cosine, math.radians(degrees))
        after = add_margin(cosine, margin)
        assert bool((after <= before + 1e-12).all())
        assert bool((after >= -1.001).all())
        before = after
    torch.testing.assert_close(before, -torch.ones_like(before), atol=1e-3, rtol=0)


def test_add_margin_is_continuous_where_the_angle_is_capped():
    margin = torch.tensor([0.7, 0.7], dtype=torch.float64)
    around = -margin.cos() + torch.tensor([1e-9, -1e-9], dtype=torch.float64)
    just_above, just_below = add_margin(around, margin)
    torch.testing.assert_close(just_above, just_below)


def test_a_larger_margin_raises_the_loss():
    pos, neg, xi = torch.tensor([0.5]), torch.zeros(1, 3), torch.tensor([0.4])
    assert bc_loss(pos, neg, 2 * xi, tau=0.1) > bc_loss(pos, neg, xi, tau=0.1)


def test_gradient_pulls_positives_below_the_cap_and_pushes_every_negative():
    pos, neg, margin = _batch(32)
    pos.requires_grad_(), neg.requires_grad_()
    bc_loss(pos, neg, margin, tau=0.2).sum().backward()
    capped = margin > math.pi - pos.detach().arccos()
    assert bool((pos.grad[~capped] < 0).all())
    assert bool((pos.grad[capped] == 0).all())
    assert bool((neg.grad > 0).all())


def test_gradcheck():
    pos, neg, margin = _batch()
    assert torch.autograd.gradcheck(
        lambda p, n: bc_loss(p, n, margin, tau=0.2), (pos.requires_grad_(), neg.requires_grad_())
    )


@at_extremes
@pytest.mark.parametrize("xi", [0.0, 1e-4, 0.5, math.pi / 2, 3.0, math.pi])
def test_finite_at_extreme_scores_and_tiny_tau(dtype, sign, xi):
    pos = torch.full((4,), sign, dtype=dtype).requires_grad_()
    neg = torch.full((4, 6), -sign, dtype=dtype).requires_grad_()
    loss = bc_loss(pos, neg, torch.full((4,), xi), tau=0.01)
    loss.sum().backward()
    for tensor in (loss, pos.grad, neg.grad):
        assert bool(torch.isfinite(tensor).all())
    assert loss.dtype == torch.float32


def test_the_slope_is_bounded_for_cosines_a_rounding_beyond_one():
    cosine = torch.tensor([1 + 1e-7, 1.0, 1 - 1e-7, -1 + 1e-7, -1.0, -1 - 1e-7]).requires_grad_()
    moved = add_margin(cosine, torch.full((6,), 0.5))
    (grad,) = torch.autograd.grad(moved.sum(), cosine)
    assert bool(torch.isfinite(moved).all())
    assert bool((grad.abs() <= 1000).all())


def test_the_gradient_of_the_vectors_is_bounded_at_an_angle_of_zero():
    # d cos(theta + M) / du is sin(theta + M) along the sphere: at most 1, however close u is to i.
    item = torch.tensor([1.0, 0.0])
    for angle in (0.0, 1e-6, 1e-3, 0.1):
        user = torch.tensor([math.cos(angle), math.sin(angle)], requires_grad=True)
        cosine = (normalize(user, dim=0) * item).sum().reshape(1)
        (grad,) = torch.autograd.grad(add_margin(cosine, torch.tensor([0.5])).sum(), user)
        assert grad.norm() <= 1


def test_levels_are_the_distinct_counts_and_pairs_of_equal_counts_score_the_same():
    bias = PopularityBias(_data(), 8, "sigmoid")
    assert bias.user.weight.shape == (3, 8)  # counts 0 (padding), 1 and 2
    assert bias.item.weight.shape == (3, 8)  # counts 0 (padding and item 4), 1 and 6
    users, items = torch.tensor([1, 2, 3, 3]), torch.tensor([2, 3, 1, 2])
    negatives = torch.tensor([[3, 1], [2, 1], [4, 2], [4, 1]])
    pos, neg = bias(users, items, negatives)
    assert pos[0] == pos[1] and torch.equal(neg[0], neg[1]) and neg[0, 0] == pos[0]
    user, item = (normalize(t.weight, dim=1) for t in (bias.user, bias.item))
    expected = (user[1] * item[2]).sum()  # user 3 has count 1, item 1 has count 6
    torch.testing.assert_close(pos[2], expected)


@pytest.mark.parametrize("form", ["sigmoid", "angle"])
def test_margins_agree_with_a_plain_loop(form):
    bias = PopularityBias(_data(), 8, form).double()
    users, items = torch.tensor([1, 2, 3]), torch.tensor([1, 2, 4])
    counts = [(2, 6), (2, 1), (1, 0)]  # of each pair's user and item
    levels = {"user": [0, 1, 2], "item": [0, 1, 6]}
    expected = []
    for user, item in counts:
        p = bias.user.weight[levels["user"].index(user)].tolist()
        q = bias.item.weight[levels["item"].index(item)].tolist()
        product = sum(a * b for a, b in zip(p, q, strict=True))
        if form == "sigmoid":
            expected.append(1 - 1 / (1 + math.exp(-product)))
        else:
            expected.append(math.acos(product / math.hypot(*p) / math.hypot(*q)))
    assert bias.margin(users, items).tolist() == pytest.approx(expected, abs=1e-12)


def test_angles_start_small_whatever_the_counts():
    torch.manual_seed(1)
    bias = PopularityBias(_data(), 64, "angle")
    angles = bias.margin(torch.tensor([1, 2, 3, 1]), torch.tensor([2, 3, 1, 4]))
    assert bool((angles > 0.2).all()) and bool((angles < 0.6).all())


def _inputs(loss, rows=8, negatives=4):
    made = {
        "pos": torch.rand(rows) * 1.8 - 0.9,
        "neg": torch.rand(rows, negatives) * 1.8 - 0.9,
        "users": torch.randint(1, 7, (rows,)),
        "items": torch.randint(1, 4, (rows,)),
        "negatives": torch.randint(1, 5, (rows, negatives)),
    }
    return {name: made[name] for name in loss.inputs}


def _prepared(**changes):
    loss = BCLoss(**{**OPTIONS, **changes})
    loss.prepare(_data())
    return loss


@pytest.mark.parametrize("form", ["sigmoid", "angle"])
def test_module_is_the_function_with_the_extractors_margins_and_trains_the_model_alone(form):
    loss = _prepared(bias_margin=form)
    inputs = _inputs(loss)
    inputs["pos"].requires_grad_(), inputs["neg"].requires_grad_()
    margin = loss.bias.margin(inputs["users"], inputs["items"])
    expected = bc_loss(inputs["pos"], inputs["neg"], margin, tau=0.2).mean()
    value = loss(**inputs)
    torch.testing.assert_close(value, expected)
    value.backward()
    assert inputs["pos"].grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


def test_the_extractor_learns_alone_before_the_first_epoch_and_then_stands_still():
    loss, view = _prepared(), View()
    states = []
    for epoch in range(3):
        states.append([parameter.clone() for parameter in loss.parameters()])
        loss.begin_epoch(epoch, view)
        assert view.passes == 2
        assert all(p.grad is None and not p.requires_grad for p in loss.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(states[0], states[1], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(states[1], states[2], strict=True))


def test_the_extractors_steps_are_those_of_softmax_loss_with_the_positive():
    loss, other = _prepared(bias_epochs=1, bias_learning_rate=0.02, bias_tau=0.3), _prepared()
    other.load_state_dict(loss.state_dict())
    other.bias.requires_grad_(True)
    optimizer = torch.optim.Adam(other.bias.parameters(), lr=0.02)
    torch.manual_seed(3)
    for batch in View().batches(("users", "items", "negatives")):
        optimizer.zero_grad()
        pos, neg = other.bias(**batch)
        _softmax(pos, neg, 0.3).backward()
        optimizer.step()
    torch.manual_seed(3)
    loss.begin_epoch(0, View())
    for ours, theirs in zip(loss.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach().requires_grad_(False))


def _softmax(pos, neg, tau):
    every = torch.cat([pos.unsqueeze(1), neg], dim=1) / tau
    return (every.exp().sum(dim=1).log() - every[:, 0]).mean()


@pytest.mark.parametrize("form", ["sigmoid", "angle"])
def test_the_extractor_learns_a_smaller_margin_for_a_popular_item(form):
    torch.manual_seed(0)
    loss = _prepared(bias_margin=form, bias_epochs=100, bias_learning_rate=0.05)
    loss.begin_epoch(0, View())
    data = _data()
    margin = loss.bias.margin(data.users, data.items)
    assert margin[:2].max() < margin[6:].min()  # of the same two users
    if form == "sigmoid":
        assert margin.min() > 0 and margin.max() < 1


def test_module_wants_cosines_and_the_checkpoint_holds_the_extractor():
    loss = _prepared()
    assert loss.scores == ("cosine",)
    assert set(loss.state_dict()) == {"bias.user.weight", "bias.item.weight"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias_tau": -1}, "bias_tau must be > 0, got -1"),
        ({"bias_tau": "x"}, "bias_tau must be a finite number, got 'x'"),
        ({"bias_margin": "cosine"}, "bias_margin must be one of 'sigmoid', 'angle', got 'cosine'"),
        ({"bias_learning_rate": 0}, "bias_learning_rate must be > 0, got 0"),
        ({"bias_epochs": 0}, "bias_epochs must be an integer >= 1, got 0"),
        ({"bias_embedding_size": 0}, "bias_embedding_size must be an integer >= 1, got 0"),
        ({"bias_embedding_size": 2.5}, "bias_embedding_size must be an integer >= 1, got 2.5"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        BCLoss(**{**OPTIONS, **change})


@pytest.mark.parametrize("shape", [(1,), (4, 1)])
def test_margins_of_another_shape_are_refused_and_never_broadcast(shape):
    message = f"margin must have the shape of pos, (4,), got {shape}"
    with pytest.raises(ValueError, match=re.escape(message)):
        bc_loss(torch.zeros(4), torch.zeros(4, 5), torch.zeros(shape), tau=0.1)
