"""Splits of rows: nothing lost or doubled, by seed alone, and nobody in test that train lacks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recbole_dsl.data.splitting import describe, popularity_split, random_split, temporal_split

ROOT = Path(__file__).parents[3]
RATIOS = [0.7, 0.1, 0.2]


@pytest.fixture(scope="module")
def rows():
    """Users, items and times with long tails, single rows and equal times."""
    rng = np.random.default_rng(0)
    users = (rng.pareto(1.5, 4000) * 20).astype(int) + 7
    items = (rng.pareto(1.0, 4000) * 20).astype(int) % 900 + 3
    return users, items, rng.integers(0, 300, 4000)


def _all(rows, **options):
    """Every kind of split of the rows, by name."""
    users, items, times = rows
    seed = options.pop("seed", 0)
    for sets in (["popularity"], ["iid"], ["iid", "popularity"], ["popularity", "iid"]):
        name = f"PS {sets}"
        yield name, popularity_split(users, items, RATIOS, seed=seed, test_sets=sets, **options)
    for sets in (["temporal"], ["iid"], ["iid", "temporal"]):
        yield f"GT {sets}", temporal_split(users, items, times, RATIOS, seed=seed, test_sets=sets)
    yield "RS", random_split(users, items, RATIOS, seed=seed)


def test_no_row_is_lost_or_doubled_and_every_one_is_accounted_for(rows):
    for name, split in _all(rows):
        every = np.concatenate(list(split.parts.values()))
        left_out = sum(n for reasons in split.left_out.values() for n in reasons.values())
        assert len(set(every.tolist())) == len(every) == 4000 - left_out, name
        assert (left_out > 0) == name.startswith("GT")
        assert all((np.diff(part) > 0).all() for part in split.parts.values())


def test_parts_have_their_shares_and_names(rows):
    sizes = {name: {k: len(v) for k, v in split.parts.items()} for name, split in _all(rows)}
    assert sizes["PS ['popularity']"] == {"train": 2800, "valid": 400, "test": 800}
    assert sizes["PS ['iid']"] == {"train": 2800, "valid": 400, "test": 800}
    both = {"train": 2000, "valid": 400, "test_iid": 800, "test_popularity": 800}
    assert sizes["PS ['iid', 'popularity']"] == sizes["PS ['popularity', 'iid']"] == both
    assert list(sizes["PS ['popularity', 'iid']"])[2:] == ["test_popularity", "test_iid"]
    assert sizes["GT ['iid', 'temporal']"]["train"] == 2000
    assert sizes["GT ['iid', 'temporal']"]["test_iid"] == 800


def test_every_user_and_item_of_valid_and_test_is_in_train(rows):
    for name, split in _all(rows):
        for column in rows[:2] if name != "RS" else rows[:1]:
            known = set(column[split.parts["train"]].tolist())
            for part, taken in split.parts.items():
                assert set(column[taken].tolist()) <= known, (name, part)


def test_the_seed_alone_decides(rows):
    np.random.seed(1)
    first = dict(_all(rows))
    np.random.seed(2)
    for (name, split), (_, other) in zip(_all(rows), _all(rows, seed=1), strict=True):
        for part, taken in split.parts.items():
            np.testing.assert_array_equal(taken, first[name].parts[part])
        assert any(list(taken) != list(other.parts[part]) for part, taken in split.parts.items())


def test_how_ids_are_numbered_does_not_matter(rows):
    users, items, times = rows
    names = np.array([f"u{u}" for u in users]), np.array([f"i{9999 - i}" for i in items])
    renamed = (*(np.unique(n, return_inverse=True)[1] for n in names), times)
    for (name, split), (_, other) in zip(_all(rows), _all(renamed), strict=True):
        for part, taken in split.parts.items():
            np.testing.assert_array_equal(taken, other.parts[part], err_msg=name)


def test_reserved_rows_are_no_more_than_one_of_every_user_and_item(rows):
    users, items, _ = rows
    split = popularity_split(users, items, RATIOS, seed=3)
    n_users, n_items = len(set(users.tolist())), len(set(items.tolist()))
    assert max(n_users, n_items) <= split.reserved <= n_users + n_items
    everything_free = len(users) - split.reserved
    ratios = [split.reserved, 0, everything_free]
    assert len(popularity_split(users, items, ratios, seed=3).parts["test"]) == everything_free


def test_too_large_a_share_is_refused_with_the_number_that_can_leave():
    users, items = [0, 1, 2, 3, 0], [0, 0, 0, 0, 1]
    message = "valid and test need 2 rows, but only 1 of 5 can leave train"
    with pytest.raises(ValueError, match=message):
        popularity_split(users, items, [3, 0, 2], seed=0)
    with pytest.raises(ValueError, match="leave no row to train on"):
        popularity_split(users, items, [0.2, 0, 0.8], seed=0, test_sets=["iid", "popularity"])
    with pytest.raises(ValueError, match="no row of 5 is left for the popularity test set"):
        popularity_split(users, items, [0.9, 0, 0.1], seed=0)


def test_the_shift_moves_test_towards_uniform_and_leaves_validation_like_train(rows):
    users, items, _ = rows
    sizes = {
        shift: describe(
            users, items, popularity_split(users, items, RATIOS, seed=0, shift=shift).parts
        )
        for shift in (0, 0.5, 1)
    }
    for measure in ("gini", "kl_uniform"):
        values = [sizes[shift]["test"][measure] for shift in (0, 0.5, 1)]
        assert values[0] - 0.1 > values[1] > values[2] + 0.05
    assert sizes[1]["test"]["kl_train"] > 2 * sizes[1]["valid"]["kl_train"]
    assert sizes[1]["valid"]["gini"] > sizes[1]["test"]["gini"] + 0.2


def test_the_temporal_parts_are_the_latest_rows_in_turn(rows):
    users, items, times = rows
    split = temporal_split(users, items, times, RATIOS, seed=0)
    parts = split.parts
    assert times[parts["train"]].max() <= times[parts["valid"]].min()
    assert times[parts["valid"]].max() <= times[parts["test"]].min()
    for part, share in (("valid", 400), ("test", 800)):
        assert len(parts[part]) + sum(split.left_out[part].values()) == share
    known = [set(ids[parts["train"]].tolist()) for ids in (users, items)]
    order = np.argsort(times, kind="stable")[-800:]
    clearly_late = order[times[order] > times[order].min()]
    new_users = sum(users[r] not in known[0] for r in clearly_late)
    assert 0 < new_users <= split.left_out["test"]["user not in train"] <= new_users + 800
    in_parts = set(parts["test"].tolist())
    for row in clearly_late:
        assert (row in in_parts) == (users[row] in known[0] and items[row] in known[1])


def test_left_out_rows_are_counted_once_with_their_reason():
    users = [0, 0, 1, 1, 0, 2, 1, 0, 2, 1]
    items = [0, 1, 0, 1, 0, 0, 1, 5, 5, 0]
    split = temporal_split(users, items, range(10), [0.5, 0.1, 0.4], seed=0)
    assert split.parts["train"].tolist() == [0, 1, 2, 3, 4]
    assert split.parts["valid"].tolist() == [] and split.parts["test"].tolist() == [6, 9]
    assert split.left_out == {
        "valid": {"user not in train": 1, "item not in train": 0},
        "test": {"user not in train": 1, "item not in train": 1},
    }


def test_rows_of_equal_time_at_the_boundary_are_drawn_at_random():
    users, items = np.zeros(40, int), np.zeros(40, int)
    counts = np.zeros(40, int)
    for seed in range(400):
        parts = temporal_split(users, items, [0] * 10 + [1] * 30, [3, 0, 1], seed=seed).parts
        assert len(parts["test"]) == 10 and parts["test"].min() >= 10
        counts[parts["test"]] += 1
    assert counts[10:].min() > 90 and counts[10:].max() < 180  # 133 each, deviation 9


def test_timestamps_must_be_numbers():
    with pytest.raises(ValueError, match="timestamps must be finite"):
        temporal_split([0, 0], [0, 1], [1.0, np.nan], [1, 0, 1], seed=0)


def test_a_random_split_gives_each_user_its_shares_rounded_down(rows):
    users = rows[0]
    split = random_split(users, rows[1], RATIOS, seed=0)
    for user in set(users.tolist()):
        n = int((users == user).sum())
        valid, test = (int((users[split.parts[p]] == user).sum()) for p in ("valid", "test"))
        assert (valid, test) == (int(n * 0.1 + 1e-9), int(n * 0.2 + 1e-9))


def test_splits_know_nothing_of_recbole_or_torch():
    code = (
        "import sys, recbole_dsl.data.splitting, recbole_dsl.cli.split_data; "
        "print(sorted({'recbole', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_share_that_a_float_cannot_hold_is_not_rounded_down_one_too_far():
    assert 100 * 0.29 < 29
    split = popularity_split(np.arange(100) % 5, np.zeros(100, int), [0.61, 0.1, 0.29], seed=0)
    assert len(split.parts["test"]) == 29 and len(split.parts["valid"]) == 10
