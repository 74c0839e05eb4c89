"""Products by id: the same numbers and gradients for ids of any kind, shared or each row's own."""

import pytest
import torch

from recbole_dsl.losses import products_by_id as module
from recbole_dsl.losses.products_by_id import products_by_id

B, M, ITEMS, SIZE = 96, 40, 200, 8


def _blocks(size, replaced=0.01):
    """Ids shared by blocks of rows, some cells replaced."""
    generator = torch.Generator().manual_seed(3)
    blocks = -(-B // size)
    ids = torch.randint(ITEMS, (blocks, M), generator=generator).repeat_interleave(size, 0)[:B]
    own = torch.randint(ITEMS, (B, M), generator=generator)
    return torch.where(torch.rand(B, M, generator=generator) < replaced, own, ids)


KINDS = {
    "one block": _blocks(B),
    "several blocks, the last one short": _blocks(36),
    "many own cells": _blocks(B, 0.3),
    "blocks of two": _blocks(2),
    "each row's own": _blocks(1),
    "all items": torch.arange(ITEMS).expand(B, -1),
    "one row": _blocks(B)[:1],
    "no row": _blocks(B)[:0],
}


def _tables(rows):
    generator = torch.Generator().manual_seed(5)
    sizes = (rows, SIZE), (ITEMS, SIZE)
    made = [torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes]
    return [table.requires_grad_() for table in made]


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_each_cell(kind):
    ids = KINDS[kind]
    vectors, table = _tables(len(ids))
    found = products_by_id(vectors, table, ids)
    wanted = torch.einsum("bd,bmd->bm", vectors, table[ids])
    torch.testing.assert_close(found, wanted)
    weights = torch.linspace(-1, 1, ids.numel(), dtype=torch.float64).view(ids.shape)
    gradients = [
        torch.autograd.grad((x * weights).sum(), (vectors, table)) for x in (found, wanted)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("kind", ["one block", "several blocks, the last one short", "all items"])
def test_shared_ids_need_no_product_with_every_item(kind, monkeypatch):
    def refuse(*_):
        raise AssertionError("all items were multiplied")

    monkeypatch.setattr(module, "_picked", refuse)
    ids = KINDS[kind]
    products_by_id(*_tables(len(ids)), ids)
    with pytest.raises(AssertionError, match="all items"):
        products_by_id(*_tables(B), KINDS["each row's own"])


def test_under_autocast_cells_of_their_own_have_the_type_of_the_others():
    vectors, table = (x.float() for x in _tables(B))
    with torch.autocast("cpu", torch.bfloat16):
        found = products_by_id(vectors, table, KINDS["one block"])
    assert found.dtype == torch.bfloat16
    wanted = torch.einsum("bd,bmd->bm", vectors, table[KINDS["one block"]])
    torch.testing.assert_close(found.float(), wanted, atol=0.05, rtol=0.05)
