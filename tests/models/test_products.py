import pytest
import torch

from recbole_dsl.models import products


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_values_and_gradients_are_those_of_gathered_vectors(rows, monkeypatch):
    monkeypatch.setattr(products, "_CACHE", 0)
    monkeypatch.setattr(products, "_ROWS", rows)
    vectors, table = torch.randn(7, 5).double(), torch.randn(9, 5).double()
    vectors.requires_grad_(), table.requires_grad_()
    ids = torch.randint(0, 9, (7, 12))  # items repeat within a row
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


def test_no_more_than_a_buffer_of_scores_is_made():
    table = torch.zeros(2 * products._CACHE // products._ROWS, 2)  # too many items for the cache
    parts = list(products._parts(150, table))
    assert [rows.stop - rows.start for rows, _ in parts] == [64, 64, 22]
    assert len({scores.data_ptr() for _, scores in parts}) == 1
