"""Top-k by groups against torch.topk."""

import pytest
import torch

from recbole_dsl.common import row_topk as module
from recbole_dsl.common.row_topk import group_size, row_topk


@pytest.fixture(params=[2, 4])
def smallest_group(request, monkeypatch):
    """Groups as small as 2 take a row apart several times over."""
    monkeypatch.setattr(module, "_SMALLEST_GROUP", request.param)


@pytest.mark.parametrize("sorted", [True, False])
@pytest.mark.parametrize(
    ("n", "k"),
    [(8361, 20), (1000, 20), (203, 20), (204, 1), (57, 5), (30, 20), (20, 20), (1, 1), (997, 3)],
)
def test_agrees_with_topk(n, k, sorted, smallest_group):
    values = torch.randn(50, n)
    found, index = row_topk(values, k, sorted=sorted)
    expected = values.topk(k, dim=1)
    if not sorted:
        found, order = found.sort(dim=1, descending=True)
        index = index.gather(1, order)
    assert torch.equal(found, expected.values) and torch.equal(index, expected.indices)


def test_equal_values_and_infinities_give_distinct_places(smallest_group):
    values = torch.full((7, 500), -torch.inf)
    values[:, 490:] = 1.0
    found, index = row_topk(values, 20, sorted=True)
    assert torch.equal(found, values.topk(20, dim=1).values)
    assert torch.equal(values.gather(1, index), found)
    assert all(len(set(row)) == 20 for row in index.tolist())


def test_rows_may_lie_apart_in_memory():
    wide = torch.randn(9, 320)
    values = wide[:, 3:303]
    assert torch.equal(row_topk(values, 4, sorted=True)[1], values.topk(4, dim=1).indices)


@pytest.mark.parametrize(
    ("n", "k", "size"), [(8361, 20, 20), (320, 20, 4), (319, 20, 1), (9, 9, 1)]
)
def test_rows_too_short_for_groups_are_searched_at_once(n, k, size):
    assert group_size(n, k) == size
