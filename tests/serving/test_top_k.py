"""Exact ranking by inner products, against a sort of all scores."""

import numpy as np
import pytest

from recbole_dsl.serving import top_k as module
from recbole_dsl.serving.top_k import queries_per_call, top_k


def _sorted(queries, items, k, excluded):
    """Positions by falling score, equal ones in their order, by a plain loop."""
    found = []
    for row, query in enumerate(queries):
        out = {item for r, item in zip(*excluded, strict=True) if r == row}
        scores = {i: float(query @ v) for i, v in enumerate(items) if i not in out}
        found.append(sorted(scores, key=lambda i: (-scores[i], i))[:k])
    return found


@pytest.mark.parametrize("n_items", [1, 5, 31, 32, 33, 200])
@pytest.mark.parametrize("k", [1, 3, 40])
def test_it_equals_a_sort_of_all_scores_with_ties_in_the_order_of_items(n_items, k, monkeypatch):
    monkeypatch.setattr(module, "ITEMS", 32)  # several blocks
    monkeypatch.setattr(module, "_GROUP", 4)
    rng = np.random.default_rng(n_items * k)
    queries, items = (rng.integers(-2, 3, (n, 3)).astype(np.float32) for n in (6, n_items))
    excluded = rng.integers(0, 6, 40), rng.integers(0, n_items, 40)
    found = top_k(queries, items, k, excluded)
    expected = _sorted(queries, items, k, excluded)
    for row, ids in enumerate(expected):
        places = found.items[row] >= 0
        assert found.items[row][places].tolist() == ids
        assert found.scores[row][places].tolist() == [float(queries[row] @ items[i]) for i in ids]
        assert (found.scores[row][~places] == -np.inf).all()
    assert found.scores.dtype == np.float32


def test_a_query_without_items_left_gets_none():
    queries, items = np.ones((2, 2), np.float32), np.ones((3, 2), np.float32)
    found = top_k(queries, items, 2, (np.zeros(3, int), np.arange(3)))
    assert found.items.tolist() == [[-1, -1], [0, 1]]
    none = top_k(queries, items[:0], 2, (np.zeros(0, int), np.zeros(0, int)))
    assert (none.items == -1).all() and len(none.items) == 2


def test_memory_of_a_call_is_bounded_in_items_and_in_k():
    assert queries_per_call(100, 10) == module.SCORES // 100
    assert queries_per_call(10**9, 10) == module.SCORES // module.ITEMS
    assert queries_per_call(10**9, 10**6) == module.SCORES // 10**6
    assert queries_per_call(0, 1) >= 1 and queries_per_call(10**9, 10**9) == 1
