"""Validation rows by the law of a shifted test: the law, what it leaves alone, what is refused."""

import numpy as np
import pytest

from recbole_dsl.data.splitting import hold_out_shifted, popularity_split

RATIOS = [0.7, 0.1, 0.2]
SETS = (["popularity"], ["iid"], ["iid", "popularity"])
COUNTS = (50, 200, 1000, 3000, 6000, 20000)  # rows of each item


@pytest.fixture(scope="module")
def rows():
    """Users and items with long tails and single rows, as in test_methods.py."""
    rng = np.random.default_rng(0)
    users = (rng.pareto(1.5, 4000) * 20).astype(int) + 7
    return users, (rng.pareto(1.0, 4000) * 20).astype(int) % 900 + 3


@pytest.fixture(scope="module")
def popular():
    """Many rows of few items, all of one user, so that one row of each item is reserved."""
    items = np.random.default_rng(1).permutation(np.repeat(np.arange(len(COUNTS)), COUNTS))
    return np.zeros_like(items), items


def expected_rows(free, count, shift):
    """Rows of each item after count picks, an item with r rows left by r ** (1 - shift), with the
    expectation in place of each pick: exact for many rows."""
    left = [float(rows) for rows in free]
    for _ in range(count):
        weights = [r ** (1 - shift) if r > 0 else 0.0 for r in left]
        total = sum(weights)
        left = [max(r - w / total, 0.0) for r, w in zip(left, weights, strict=True)]
    return np.subtract(free, left)


def assert_follows_the_law(taken, free, shift):
    expected = expected_rows(free, int(taken.sum()), shift)
    spread = np.sqrt(np.maximum(expected, 1.0))  # of a count, at most
    assert (np.abs(taken - expected) < 4 * spread).all(), (taken, expected)


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_validation_of_ps_follows_the_law_among_the_rows_that_test_leaves(popular, shift):
    users, items = popular
    made = popularity_split(users, items, [0.8, 0.1, 0.1], seed=0, valid_shift=shift)
    taken, tested = (np.bincount(items[made.parts[p]], minlength=6) for p in ("valid", "test"))
    assert_follows_the_law(taken, np.array(COUNTS) - 1 - tested, shift)


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_validation_held_out_of_a_training_set_follows_the_law(popular, shift):
    users, items = popular
    valid, reserved = hold_out_shifted(users, items, 3000, seed=0, shift=shift)
    assert reserved == len(COUNTS) and len(set(valid.tolist())) == 3000
    assert_follows_the_law(np.bincount(items[valid], minlength=6), np.array(COUNTS) - 1, shift)


def test_the_law_of_another_shift_is_told_apart(popular):
    users, items = popular
    valid, _ = hold_out_shifted(users, items, 3000, seed=0, shift=1.0)
    with pytest.raises(AssertionError):
        assert_follows_the_law(np.bincount(items[valid], minlength=6), np.array(COUNTS) - 1, 0.7)


def test_without_a_shift_the_rows_are_those_of_before(rows):
    """The first rows as the code drew them before there was a valid_shift."""
    before = {
        "['popularity']": {"train": [0, 2, 5, 7], "valid": [3, 4, 24, 41], "test": [1, 6, 11, 16]},
        "['iid']": {"train": [0, 2, 3, 6], "valid": [1, 16, 21, 32], "test": [4, 5, 8, 14]},
        "['iid', 'popularity']": {
            "train": [0, 2, 5, 7], "valid": [3, 4, 24, 41], "test_iid": [14, 18, 20, 21],
            "test_popularity": [1, 6, 11, 16],
        },
    }  # fmt: skip
    for sets in SETS:
        made = popularity_split(*rows, RATIOS, seed=0, test_sets=sets, valid_shift=0.0)
        assert {n: part[:4].tolist() for n, part in made.parts.items()} == before[str(sets)]


@pytest.mark.parametrize("sets", SETS, ids=str)
def test_the_test_sets_do_not_depend_on_it(rows, sets):
    plain, shifted = (
        popularity_split(*rows, RATIOS, seed=0, test_sets=sets, valid_shift=shift)
        for shift in (0.0, 1.0)
    )
    for name, part in plain.parts.items():
        same = np.array_equal(part, shifted.parts[name])
        assert same == name.startswith("test"), name
    every = np.concatenate(list(shifted.parts.values()))
    assert sorted(every.tolist()) == list(range(4000))
    assert len(shifted.parts["valid"]) == len(plain.parts["valid"]) == 400


def test_every_user_and_item_of_validation_stays_in_train(rows):
    made = popularity_split(*rows, RATIOS, seed=0, valid_shift=1.0)
    valid, reserved = hold_out_shifted(*rows, 1200, seed=0, shift=1.0)
    stays = np.delete(np.arange(4000), valid)
    for column in rows:
        assert set(column[made.parts["train"]].tolist()) == set(column.tolist())
        assert set(column[stays].tolist()) == set(column.tolist())
    n_users, n_items = (len(set(column.tolist())) for column in rows)
    assert max(n_users, n_items) <= reserved <= n_users + n_items


def test_the_seed_alone_decides(rows):
    def drawn(seed):
        made = popularity_split(*rows, RATIOS, seed=seed, valid_shift=0.5)
        return made.parts["valid"], hold_out_shifted(*rows, 300, seed=seed, shift=0.5)[0]

    for first, again, other in zip(drawn(1), drawn(1), drawn(2), strict=True):
        assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_more_rows_than_may_leave_are_refused():
    message = "valid needs 2 rows, but only 1 of 5 can leave train: .* Lower benchmark_valid or"
    with pytest.raises(ValueError, match=message):
        hold_out_shifted([0, 1, 2, 3, 0], [0, 0, 0, 0, 1], 2, seed=0, shift=1.0)
