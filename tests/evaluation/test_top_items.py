"""Blocked top-k against a full sort in float64."""

import pytest
import torch

from recbole_dsl.common import row_topk
from recbole_dsl.data.sampling.user_items import UserPositives
from recbole_dsl.evaluation import top_items
from recbole_dsl.evaluation.top_items import TopItems, users_per_block

MIB = 1 << 20


def _tables(users, items, d=8, exact=False):
    """Random vectors; exact ones are of few bits, so that float32 products are not rounded."""
    tables = [torch.randn(n, d) for n in (users, items)]
    return [(table * 64).round() / 64 for table in tables] if exact else tables


def _seen(users, items, each):
    """``each`` random items for every user but the padding one."""
    rows = torch.arange(1, users).repeat_interleave(each)
    picked = [1 + torch.randperm(items - 1)[:each] for _ in range(1, users)]
    return UserPositives(rows, torch.cat(picked), users, items)


def _masked_scores(tables, seen):
    """(U, I) float64, one user after the other."""
    user_table, item_table = (table.double() for table in tables)
    scores = user_table @ item_table.T
    for user in range(len(user_table)):
        scores[user, 0] = -torch.inf
        scores[user, seen.of(torch.tensor([user]))[1]] = -torch.inf
    return scores


def _ranked(ranker, users):
    return torch.cat([ranker(part) for part in users.split(ranker.users)])


@pytest.fixture(params=[(1, 1), (3, 2), (7, 5), (64, 3), (1 << 14, 1 << 10)])
def block_sizes(request, monkeypatch):
    """Items of a block, users of a block; every grouping is tried, however small."""
    items, users = request.param
    monkeypatch.setattr(top_items, "_ITEMS", items)
    monkeypatch.setattr(top_items, "_CPU_SCORES", users * items)
    monkeypatch.setattr(row_topk, "_SMALLEST_GROUP", 2)


@pytest.mark.parametrize("k", [1, 2, 5, 40, 90])
def test_any_blocks_give_the_top_of_a_full_sort(block_sizes, k):
    tables = _tables(23, 150)
    seen = _seen(23, 150, 20)
    order = _masked_scores(tables, seen).argsort(dim=1, descending=True)
    users = torch.randperm(23)
    ranked = _ranked(TopItems(*tables, seen, k, memory=MIB), users)
    assert torch.equal(ranked, order[users, :k])


def test_blocks_are_really_cut(block_sizes):
    ranker = TopItems(*_tables(23, 150), _seen(23, 150, 20), 2, memory=MIB)
    assert ranker._block <= max(top_items._ITEMS, 2)
    assert ranker.users == min(max(top_items._CPU_SCORES // ranker._width, 1), 23)


@pytest.mark.parametrize("k", [3, 10, 29, 30])
def test_a_user_with_too_few_items_left_gets_what_torch_gives_on_the_whole_row(block_sizes, k):
    tables = _tables(6, 30, exact=True)
    left = [25, 9, 3, 1, 0]  # unseen items of users 1 to 5
    rows = torch.cat([torch.full((29 - n,), user) for user, n in enumerate(left, start=1)])
    items = torch.cat([1 + torch.randperm(29)[: 29 - n] for n in left])
    seen = UserPositives(rows, items, 6, 30)
    scores = _masked_scores(tables, seen)
    ranked = _ranked(TopItems(*tables, seen, k, memory=MIB), torch.arange(1, 6))
    for user, n in enumerate(left, start=1):
        expected = scores[user].float().topk(k).indices
        if n < k:
            assert torch.equal(ranked[user - 1], expected)
        else:
            assert torch.equal(scores[user, ranked[user - 1]], scores[user, expected])


def test_among_equal_scores_any_may_come_but_the_scores_are_the_best(block_sizes):
    user_table, item_table = _tables(9, 80, exact=True)
    item_table = item_table[torch.randint(0, 12, (80,))]  # a dozen distinct items
    seen = _seen(9, 80, 10)
    scores = _masked_scores((user_table, item_table), seen)
    ranked = _ranked(TopItems(user_table, item_table, seen, 15, memory=MIB), torch.arange(9))
    assert torch.equal(scores.gather(1, ranked), scores.topk(15).values)
    assert all(len(set(row.tolist())) == 15 for row in ranked)


def test_equal_scores_everywhere_still_give_distinct_unseen_items(block_sizes):
    seen = _seen(4, 60, 30)
    ranked = TopItems(torch.ones(4, 2), torch.ones(60, 2), seen, 20, memory=MIB)
    for user in range(1, 4):
        (row,) = ranked(torch.tensor([user])).tolist()
        assert len(set(row)) == 20 and 0 not in row
        assert not set(row) & set(seen.of(torch.tensor([user]))[1].tolist())


def test_nothing_seen_masks_the_padding_item_alone(block_sizes):
    nothing = torch.empty(0, dtype=torch.int64)
    tables = _tables(5, 20)
    tables[1][0] = tables[0].sum(dim=0) * 100
    ranker = TopItems(*tables, UserPositives(nothing, nothing, 5, 20), 19, memory=MIB)
    ranked = _ranked(ranker, torch.arange(5))
    assert torch.equal(ranked.sort(dim=1).values, torch.arange(1, 20).expand(5, -1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_of_numbers(dtype):
    tables = [table.to(dtype) for table in _tables(7, 200, d=2, exact=True)]
    seen = _seen(7, 200, 5)
    scores = (tables[0] @ tables[1].T).double()
    scores[torch.isinf(_masked_scores(tables, seen))] = -torch.inf
    ranked = TopItems(*tables, seen, 9, memory=MIB)(torch.arange(7))
    assert torch.equal(scores.gather(1, ranked), scores.topk(9).values)


@pytest.mark.slow
@pytest.mark.parametrize(("k", "memory"), [(20, MIB), (1, MIB), (500, MIB), (20, 5 * MIB)])
def test_no_tensor_exceeds_the_memory_given(k, memory, monkeypatch):
    class Spy(torch.utils._python_dispatch.TorchDispatchMode):
        largest = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            for value in made if isinstance(made, tuple) else (made,):
                if isinstance(value, torch.Tensor) and not value._is_view():
                    Spy.largest = max(Spy.largest, value.nbytes)
            return made

    users, items = 3000, 40_000
    ranker = TopItems(*_tables(users, items, d=4), _seen(users, items, 3), k, memory=memory)
    assert ranker.users < users and ranker._block < items
    with Spy():
        ranker(torch.arange(ranker.users))
    assert 0 < Spy.largest <= memory


def test_a_block_of_users_fills_the_memory_and_no_more():
    each = 1000 * 4 + 100 * 4 + 20 * 10 * 4 + 2 * 20 * 12  # scores, maxima, candidates, top-ks
    assert users_per_block(1000, 10, 20, 4, 7 * each) == 7
    assert users_per_block(1000, 10, 20, 4, 7 * each - 1) == 6
    assert users_per_block(1000, 1, 20, 4, 3 * (4000 + 20 * 12)) == 3
    assert users_per_block(1000, 10, 20, 4, 1) == 1


def test_the_scores_of_all_calls_share_one_buffer():
    ranker = TopItems(*_tables(50, 300), _seen(50, 300, 3), 5, memory=MIB)
    ranker(torch.arange(50))
    before = ranker._scores.data_ptr()
    ranker(torch.arange(7))
    assert ranker._scores.data_ptr() == before


def test_bad_sizes_are_refused():
    tables, seen = _tables(5, 20), _seen(5, 20, 2)
    for k in (0, 21):
        with pytest.raises(ValueError, match=f"k must be from 1 to the 20 items, got {k}"):
            TopItems(*tables, seen, k, memory=MIB)
    ranker = TopItems(*tables, seen, 3, memory=1)
    with pytest.raises(ValueError, match="at most 1 users a call, got 2"):
        ranker(torch.tensor([1, 2]))
