import math

import pytest
import torch

from recbole_dsl.backbones.contrastive import batch_contrast, first_of_each, info_nce, perturb


def _loop(view_a, view_b, temperature):
    """The equation of the docstring, in plain Python."""

    def unit(row):
        length = math.sqrt(sum(x * x for x in row))
        return [x / length for x in row]

    view_a, view_b = [unit(a) for a in view_a.tolist()], [unit(b) for b in view_b.tolist()]
    total = 0.0
    for n, a in enumerate(view_a):
        scores = [sum(x * y for x, y in zip(a, b, strict=True)) / temperature for b in view_b]
        total += math.log(sum(math.exp(s) for s in scores)) - scores[n]
    return total / len(view_a)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 3.0])
def test_agrees_with_a_plain_loop(temperature):
    view_a, view_b = torch.randn(2, 5, 3, dtype=torch.float64)
    expected = torch.tensor(_loop(view_a, view_b, temperature), dtype=torch.float64)
    torch.testing.assert_close(info_nce(view_a, view_b, temperature=temperature), expected)


def test_hand_value():
    # Each node at cosine 1 with itself and 0 with the other: log(1 + e^-2).
    value = info_nce(3 * torch.eye(2), torch.eye(2), temperature=0.5)
    torch.testing.assert_close(value, torch.tensor(math.log(1 + math.exp(-2))))


def test_gradcheck():
    view_a, view_b = (torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, b: info_nce(a, b, temperature=0.2), (view_a, view_b))


def test_views_that_agree_have_the_lower_loss():
    view, other = torch.randn(6, 4), torch.randn(6, 4)
    agreeing = info_nce(view, view, temperature=0.2)
    assert 0 <= agreeing < info_nce(view, other, temperature=0.2)


def test_a_high_temperature_gives_log_n_and_one_node_gives_zero():
    view_a, view_b = torch.randn(2, 6, 4)
    high = info_nce(view_a, view_b, temperature=1e6)
    torch.testing.assert_close(high, torch.tensor(math.log(6.0)))
    assert info_nce(view_a[:1], view_b[:1], temperature=0.1) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_is_finite_at_opposite_views_and_a_small_temperature(dtype):
    view = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=dtype, requires_grad=True)
    for other in (view, -view):
        loss = info_nce(view, other, temperature=0.01)
        (grad,) = torch.autograd.grad(loss, view)
        assert bool(torch.isfinite(loss)) and bool(torch.isfinite(grad).all())


def test_autocast_changes_nothing():
    view_a, view_b = torch.randn(2, 8, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = info_nce(view_a, view_b, temperature=0.05)
    assert torch.equal(inside, info_nce(view_a, view_b, temperature=0.05))


def test_bad_input_is_refused():
    view = torch.randn(3, 2)
    for temperature in (0.0, -1, float("nan"), True, "x"):
        with pytest.raises(ValueError, match="temperature must be (> 0|a finite number), got"):
            info_nce(view, view, temperature=temperature)
    for other in (view[:1], view[:, :1], view[0]):
        with pytest.raises(ValueError, match=r"must both be \(N, D\) with N >= 1, got \(3, 2\)"):
            info_nce(view, other, temperature=0.1)
    with pytest.raises(ValueError, match=r"with N >= 1, got \(0, 2\)"):
        info_nce(view[:0], view[:0], temperature=0.1)


def test_noise_has_its_length_and_the_vectors_signs():
    vectors = torch.randn(200, 8)
    noise = perturb(vectors, 0.3) - vectors
    torch.testing.assert_close(noise.norm(dim=1), torch.full((200,), 0.3))
    assert bool((noise * vectors.sign() >= 0).all())
    # Uniform in [0, 1) before it is scaled: no coordinate is preferred, none is always large.
    share = (noise.abs() / 0.3).square().mean(dim=0)
    torch.testing.assert_close(share, torch.full((8,), 1 / 8), rtol=0, atol=0.03)


def test_noise_leaves_zero_vectors_alone_and_none_moves_nothing():
    vectors = torch.cat([torch.zeros(1, 4), torch.randn(2, 4)])
    assert torch.equal(perturb(vectors, 0.3)[0], vectors[0])
    assert torch.equal(perturb(vectors, 0.0), vectors)


def test_noise_comes_from_the_global_generator_and_is_constant_to_the_gradient():
    vectors = torch.randn(3, 4, requires_grad=True)
    torch.manual_seed(7)
    first = perturb(vectors, 0.1)
    torch.manual_seed(7)
    assert torch.equal(first, perturb(vectors, 0.1))
    assert not torch.equal(first, perturb(vectors, 0.1))
    (grad,) = torch.autograd.grad(first.sum(), vectors)
    assert torch.equal(grad, torch.ones(3, 4))


def test_a_batch_counts_each_user_and_item_once(synchronous):
    first = (torch.randn(5, 3), torch.randn(7, 3))
    second = (torch.randn(5, 3), torch.randn(7, 3))
    users, items = torch.tensor([4, 1, 4, 2]), torch.tensor([6, 6, 6, 3])
    actual = batch_contrast(first, second, users, items, temperature=0.2)
    expected = _loop(first[0][[1, 2, 4]], second[0][[1, 2, 4]], 0.2)
    expected += _loop(first[1][[3, 6]], second[1][[3, 6]], 0.2)
    torch.testing.assert_close(actual, torch.tensor(expected))


def test_nodes_not_counted_have_no_part_in_the_value_nor_a_gradient():
    view_a, view_b = torch.randn(6, 4, requires_grad=True), torch.randn(6, 4, requires_grad=True)
    counted = torch.tensor([True, False, True, True, False, True])
    left_out = info_nce(view_a, view_b, temperature=0.1, counted=counted)
    grads = torch.autograd.grad(left_out, (view_a, view_b))
    only = info_nce(view_a[counted], view_b[counted], temperature=0.1)
    torch.testing.assert_close(left_out, only)
    for grad, expected in zip(grads, torch.autograd.grad(only, (view_a, view_b)), strict=True):
        torch.testing.assert_close(grad, expected)


def test_the_first_of_each_id_in_any_order():
    assert first_of_each(torch.tensor([4, 1, 4, 2, 1, 1])).tolist() == [1, 1, 0, 1, 0, 0]
    assert first_of_each(torch.tensor([7])).tolist() == [True]
