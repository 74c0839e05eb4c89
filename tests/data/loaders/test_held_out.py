"""Positives and history of held-out users, by hand and against Python sets."""

import pytest
import torch

from recbole_dsl.data.loaders.held_out import HeldOut


def _columns(pairs):
    columns = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _items(lists, user):
    return lists.of(torch.tensor([user]))[1].tolist()


@pytest.fixture
def held_out():
    test = [(4, 2), (1, 3), (1, 5), (1, 3)]  # user 1 has item 3 twice
    train = [(1, 3), (1, 1), (1, 1), (2, 6), (4, 4)]  # ... once more here; user 2 is not tested
    valid = [(1, 1), (1, 4)]  # item 1 again
    return HeldOut(*_columns(test), [_columns(train), _columns(valid)], 6, 7)


def test_a_tiny_case_by_hand(held_out):
    assert held_out.users.tolist() == [1, 4] and len(held_out) == 2
    assert _items(held_out.positives, 1) == [3, 5] and _items(held_out.positives, 4) == [2]
    assert _items(held_out.history, 1) == [1, 4]  # not 3, which is a positive
    assert _items(held_out.history, 4) == [4]
    assert held_out.history.counts.tolist() == [0, 2, 0, 0, 1, 0]
    assert held_out.positives.counts.tolist() == [0, 2, 0, 0, 1, 0]


def test_it_stays_where_it_is_when_moved_elsewhere(held_out):
    assert held_out.to("cpu") is held_out
    moved = held_out.to("meta")
    assert moved.users.device.type == moved.history.items.device.type == "meta"
    assert held_out.users.device.type == held_out.history.items.device.type == "cpu"


def test_nothing_earlier_leaves_the_history_empty():
    held_out = HeldOut(*_columns([(1, 2)]), [], 3, 4)
    rows, items = held_out.history.of(torch.tensor([1]))
    assert len(rows) == len(items) == 0


def test_it_agrees_with_python_sets_on_random_rows():
    users, items = 40, 30
    parts = [[torch.randint(1, n, (300,)) for n in (users, items)] for _ in range(3)]
    held_out = HeldOut(*parts[2], parts[:2], users, items)
    positives, used = {}, {}
    for index, (part_users, part_items) in enumerate(parts):
        for user, item in zip(part_users.tolist(), part_items.tolist(), strict=True):
            used.setdefault(user, set()).add(item)
            if index == 2:
                positives.setdefault(user, set()).add(item)
    assert held_out.users.tolist() == sorted(positives)
    for user, wanted in positives.items():
        assert _items(held_out.positives, user) == sorted(wanted)
        assert _items(held_out.history, user) == sorted(used[user] - wanted)
