"""Gini, KL and sizes, by hand and by loops."""

import math

import numpy as np
import pytest

from recbole_dsl.data.splitting import describe, gini, kl_divergence
from recbole_dsl.data.splitting.statistics import popularity_line


def test_gini_by_hand():
    assert gini([3, 3, 3]) == 0
    assert gini([0, 0, 1, 0]) == pytest.approx(0.75)
    assert gini([1, 3]) == pytest.approx(0.25)
    assert gini([0, 0]) == 0


def test_gini_is_the_mean_difference_over_twice_the_mean():
    counts = np.random.default_rng(0).integers(0, 50, 40)
    pairs = [abs(int(a) - int(b)) for a in counts for b in counts]
    assert gini(counts) == pytest.approx(sum(pairs) / len(pairs) / (2 * counts.mean()))


def test_kl_by_hand():
    assert kl_divergence([2, 6], [1, 3]) == pytest.approx(0)
    assert kl_divergence([1, 0], [1, 1]) == pytest.approx(math.log(2))
    assert kl_divergence([1, 3], [1, 1]) == pytest.approx(
        0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    )


def loop_describe(users, items, parts):
    """The docstring of describe, row by row."""
    known = sorted({items[r] for rows in parts.values() for r in rows})
    train = dict.fromkeys(known, 1)
    for row in parts["train"]:
        train[items[row]] += 1
    result = {}
    for name, rows in parts.items():
        counts = dict.fromkeys(known, 0)
        for row in rows:
            counts[items[row]] += 1
        n, total = len(known), len(rows)
        spread = sum(abs(a - b) for a in counts.values() for b in counts.values())
        uniform = sum(c / total * math.log(c / total * n) for c in counts.values() if c)
        result[name] = {
            "rows": total,
            "users": len({users[r] for r in rows}),
            "items": len({items[r] for r in rows}),
            "gini": spread / (2 * n * total),
            "kl_uniform": uniform,
        }
        if name != "train":
            weight = sum(train.values())
            result[name]["kl_train"] = sum(
                c / total * math.log(c / total / (train[i] / weight))
                for i, c in counts.items()
                if c
            )
            for role, ids in (("user", users), ("item", items)):
                there = {ids[r] for r in parts["train"]}
                new = [ids[r] for r in rows if ids[r] not in there]
                result[name] |= {f"new_{role}s": len(set(new)), f"new_{role}_rows": len(new)}
            known_pairs = {(users[r], items[r]) for r in parts["train"]}
            result[name]["repeated_rows"] = sum((users[r], items[r]) in known_pairs for r in rows)
    return result


def test_sizes_and_shift_agree_with_a_loop():
    rng = np.random.default_rng(0)
    users, items = rng.integers(2, 30, 300), rng.integers(5, 60, 300)
    order = rng.permutation(290)  # ten rows in no part
    parts = {"train": order[:150], "valid": order[150:180], "test": order[180:]}
    found, wanted = describe(users, items, parts), loop_describe(users, items, parts)
    assert wanted["test"]["new_item_rows"] > 0 and wanted["test"]["repeated_rows"] > 5
    for name, size in wanted.items():
        assert found[name] == pytest.approx(size, abs=1e-12), name


def test_an_empty_part_has_no_popularity():
    sizes = describe([0, 1], [0, 1], {"train": [0], "valid": [], "test": [1]})
    assert sizes["valid"]["gini"] is None and sizes["valid"]["kl_train"] is None
    assert sizes["test"]["new_user_rows"] == sizes["test"]["new_item_rows"] == 1
    assert popularity_line(sizes) == (
        "item popularity: train Gini 0.500; test Gini 0.500, KL from train 1.099"
    )
