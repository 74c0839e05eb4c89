import pytest
import torch

from recbole_dsl.models import products


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_values_and_gradients_are_those_of_gathered_vectors(rows, sampled, monkeypatch):
    monkeypatch.setattr(products, "_SAMPLE", 0 if sampled else 7)
    monkeypatch.setattr(products, "_SORT", 0 if sampled else 12)
    monkeypatch.setattr(products, "_CACHE", 0)
    monkeypatch.setattr(products, "_ROWS", rows)
    vectors, table = torch.randn(7, 5).double(), torch.randn(15, 5).double()
    vectors.requires_grad_(), table.requires_grad_()
    ids = torch.randint(0, 15, (7, 12))  # items repeat within a row
    ours = products.by_row(vectors, table, ids)
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
        half = products.by_row(vectors, table, ids)
    assert half.dtype == torch.float32
    full = products.by_row(vectors, table, ids)
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, atol=0.1, rtol=0.05)


def test_vectors_in_half_precision_are_scored_too():
    vectors, table, ids = torch.randn(4, 8), torch.randn(60, 8), torch.randint(0, 60, (4, 3))
    half = products.by_row(vectors.bfloat16(), table.bfloat16(), ids)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(
        half.float(), products.by_row(vectors, table, ids), atol=0.1, rtol=0.05
    )


def test_no_more_than_a_buffer_of_scores_is_made():
    table = torch.zeros(2 * products._CACHE // products._ROWS, 2)  # too many items for the cache
    parts = list(products._parts(150, table))
    assert [rows.stop - rows.start for rows, _ in parts] == [64, 64, 22]
    assert len({scores.data_ptr() for _, scores in parts}) == 1


@pytest.mark.parametrize(
    ("items", "ways"), [(70, []), (71, ["_sampled"]), (121, ["_sampled", "_transposed"])]
)
def test_products_are_made_one_by_one_only_where_items_are_many(items, ways, monkeypatch):
    taken = []
    for name in ("_sampled", "_transposed"):
        way = getattr(products, name)
        monkeypatch.setattr(products, name, lambda *a, n=name, w=way: taken.append(n) or w(*a))
    vectors = torch.randn(4, 8, requires_grad=True)
    table = torch.randn(items, 8, requires_grad=True)
    products.by_row(vectors, table, torch.randint(0, items, (4, 10))).sum().backward()
    assert taken == ways


def test_products_need_no_distinct_ids_even_where_torch_checks_its_sparse_tensors():
    vectors, table = torch.randn(2, 4), torch.randn(90, 4)
    ids = torch.tensor([[5, 5, 1], [80, 2, 80]])
    with torch.sparse.check_sparse_tensor_invariants(True):
        found = products.by_row(vectors, table, ids)
    torch.testing.assert_close(found, (vectors.unsqueeze(1) * table[ids]).sum(dim=2))
