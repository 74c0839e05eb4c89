import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from recbole_dsl.data.sampling.all_items import AllItems
from recbole_dsl.models import negative_scores


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_values_and_gradients_are_those_of_gathered_vectors(rows, sampled, monkeypatch):
    monkeypatch.setattr(negative_scores, "_SAMPLE", 0 if sampled else 7)
    monkeypatch.setattr(negative_scores, "_SORT", 0 if sampled else 12)
    monkeypatch.setattr(negative_scores, "_CACHE", 0)
    monkeypatch.setattr(negative_scores, "_ROWS", rows)
    vectors, table = torch.randn(7, 5).double(), torch.randn(15, 5).double()
    vectors.requires_grad_(), table.requires_grad_()
    ids = torch.randint(0, 15, (7, 12))  # items repeat within a row
    ours = negative_scores.by_row(vectors, table, ids)
    plain = (vectors.unsqueeze(1) * table[ids]).sum(dim=2)
    torch.testing.assert_close(ours, plain)
    weight = torch.randn(7, 12).double()
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), (vectors, table)),
        torch.autograd.grad((plain * weight).sum(), (vectors, table)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_under_autocast_scores_come_back_in_float32():
    vectors, table, ids = torch.randn(4, 8), torch.randn(6, 8), torch.randint(0, 6, (4, 3))
    with torch.autocast("cpu", torch.bfloat16):
        half = negative_scores.by_row(vectors, table, ids)
    assert half.dtype == torch.float32
    full = negative_scores.by_row(vectors, table, ids)
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, atol=0.1, rtol=0.05)


def test_vectors_in_half_precision_are_scored_too():
    vectors, table, ids = torch.randn(4, 8), torch.randn(60, 8), torch.randint(0, 60, (4, 3))
    half = negative_scores.by_row(vectors.bfloat16(), table.bfloat16(), ids)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(
        half.float(), negative_scores.by_row(vectors, table, ids), atol=0.1, rtol=0.05
    )


def _some_left_out(rows, items):
    return AllItems(torch.arange(1, items), (torch.tensor([0, rows - 1]), torch.tensor([0, 2])))


@pytest.mark.parametrize("left_out", [False, True])
def test_all_items_are_scored_but_the_padding_item(left_out):
    vectors, table = torch.randn(4, 5).double(), torch.randn(6, 5).double()
    vectors.requires_grad_(), table.requires_grad_()
    columns = _some_left_out(4, 6) if left_out else None
    ours = negative_scores.by_all(vectors, table, columns)
    plain = (vectors.unsqueeze(1) * table[1:]).sum(dim=2)
    if left_out:
        plain = columns.leave_out(plain + 0)
    assert ours.shape == (4, 5) and torch.equal(ours == -math.inf, plain == -math.inf)
    torch.testing.assert_close(ours.exp(), plain.exp())
    for a, b in zip(
        torch.autograd.grad(ours.logsumexp(dim=1).sum(), (vectors, table)),
        torch.autograd.grad(plain.logsumexp(dim=1).sum(), (vectors, table)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_all_items_are_scored_in_half_precision_under_autocast():
    vectors, table = torch.randn(4, 8), torch.randn(6, 8, requires_grad=True)
    full = negative_scores.by_all(vectors, table, _some_left_out(4, 6))
    with torch.autocast("cpu", torch.bfloat16):
        half = negative_scores.by_all(vectors, table, _some_left_out(4, 6))
    assert half.dtype == torch.float32 and torch.equal(half == -math.inf, full == -math.inf)
    assert not torch.equal(half, full)
    torch.testing.assert_close(half.exp(), full.exp(), atol=0.1, rtol=0.1)
    half.logsumexp(dim=1).sum().backward()
    assert bool(torch.isfinite(table.grad).all()) and not bool(table.grad[0].any())


class Watch(TorchDispatchMode):
    """Notes the names of all operations and the size of the largest tensor made."""

    def __init__(self):
        super().__init__()
        self.names, self.largest = set(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.names.add(func.overloadpacket.__name__)
        for made in out if isinstance(out, tuple) else (out,):
            if isinstance(made, torch.Tensor) and made.layout is torch.strided:
                self.largest = max(self.largest, made.numel())
        return out


def _both_passes(rows, items, m):
    vectors = torch.randn(rows, 8, requires_grad=True)
    table = torch.randn(items, 8, requires_grad=True)
    ids = torch.randint(0, items, (rows, m))
    with Watch() as forward:
        scores = negative_scores.by_row(vectors, table, ids)
    with Watch() as backward:
        scores.sum().backward()
    return forward, backward


def test_scores_of_all_items_are_made_for_a_few_rows_at_a_time():
    rows, items, m = 150, 1 << 14, 2400
    assert max(watch.largest for watch in _both_passes(rows, items, m)) <= 64 * items


@pytest.mark.parametrize(
    ("items", "one_by_one", "sorted_"), [(70, False, False), (71, True, False), (121, True, True)]
)
def test_products_are_made_one_by_one_only_where_items_are_many(items, one_by_one, sorted_):
    forward, backward = _both_passes(4, items, 10)
    assert ("mm" in forward.names) != one_by_one
    assert ("addmm_" in backward.names) != sorted_


def test_products_need_no_distinct_ids_even_where_torch_checks_its_sparse_tensors():
    vectors, table = torch.randn(2, 4), torch.randn(90, 4)
    ids = torch.tensor([[5, 5, 1], [80, 2, 80]])
    with torch.sparse.check_sparse_tensor_invariants(True):
        found = negative_scores.by_row(vectors, table, ids)
    torch.testing.assert_close(found, (vectors.unsqueeze(1) * table[ids]).sum(dim=2))
