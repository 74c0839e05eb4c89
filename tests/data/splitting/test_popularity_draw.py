"""The law of the popularity draw, against the sequential definition worked out by other means."""

import collections
import itertools

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from recbole_dsl.data.splitting import draw_by_item, popularity_split

SEEDS = 4000


def sequential_law(rows, count, shift):
    """Probability of every vector of rows taken per item, by the definition, pick by pick."""
    law = {tuple(0 for _ in rows): 1.0}
    for _ in range(count):
        after = collections.Counter()
        for taken, chance in law.items():
            left = [n - t for n, t in zip(rows, taken, strict=True)]
            weights = [r ** (1 - shift) if r else 0.0 for r in left]
            for item, weight in enumerate(weights):
                if weight:
                    picked = tuple(t + (i == item) for i, t in enumerate(taken))
                    after[picked] += chance * weight / sum(weights)
        law = after
    return law


def _p_value(seen, law):
    """Chi-square of counted outcomes against their law, rare outcomes together."""
    assert set(seen) <= set(law)
    total = sum(seen.values())
    pairs = sorted((chance * total, seen[outcome]) for outcome, chance in law.items())
    rare = [pair for pair in pairs if pair[0] < 10]
    common = [pair for pair in pairs if pair[0] >= 10]
    if rare:
        common.append(tuple(map(sum, zip(*rare, strict=True))))
    expected, found = zip(*common, strict=True)
    return chisquare(found, expected).pvalue


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("count", [3, 7])
def test_rows_per_item_follow_the_sequential_picks(shift, count):
    rows = (1, 2, 3, 6)
    items = np.repeat(np.arange(4), rows)[::-1].copy()
    seen = collections.Counter()
    for seed in range(SEEDS):
        drawn = draw_by_item(items, count, shift, np.random.default_rng(seed))
        assert len(set(drawn.tolist())) == count
        seen[tuple(np.bincount(items[drawn], minlength=4).tolist())] += 1
    assert _p_value(seen, sequential_law(rows, count, shift)) > 1e-3


def test_the_laws_of_different_shifts_differ():
    """The test above would fail for a neighbouring law, so it is not blind."""
    laws = {shift: sequential_law((1, 2, 3, 6), 7, shift) for shift in (0.0, 0.5, 1.0)}
    for first, second in itertools.permutations(laws, 2):
        seen = collections.Counter({k: round(SEEDS * p) for k, p in laws[first].items()})
        assert _p_value(seen, laws[second]) < 1e-9


def test_within_an_item_every_set_of_rows_is_as_likely():
    items = np.array([0, 1, 0, 1, 0, 0])
    sets = collections.Counter()
    for seed in range(SEEDS):
        drawn = draw_by_item(items, 3, 1.0, np.random.default_rng(seed))
        of_first = tuple(sorted(drawn[items[drawn] == 0].tolist()))
        if len(of_first) == 2:
            sets[of_first] += 1
    assert len(sets) == 6 and chisquare(list(sets.values())).pvalue > 1e-3


def test_shift_zero_is_an_ordinary_random_draw_of_rows():
    items = np.array([0, 0, 0, 0, 1, 1, 2])
    sets = collections.Counter(
        tuple(sorted(draw_by_item(items, 2, 0.0, np.random.default_rng(seed)).tolist()))
        for seed in range(SEEDS)
    )
    assert len(sets) == 21 and chisquare(list(sets.values())).pvalue > 1e-3


@pytest.mark.parametrize("count", [0, 7])
def test_none_or_all_can_be_drawn(count):
    drawn = draw_by_item(np.array([0, 0, 0, 0, 1, 1, 2]), count, 1.0, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == count


def test_the_test_set_of_a_split_follows_the_law_on_unreserved_rows():
    """One user: the reserved rows are one of each item, so the law is known exactly."""
    rows = (2, 3, 4, 7)
    items, users = np.repeat([30, 10, 40, 20], rows), np.full(16, 5)
    codes = {30: 0, 10: 1, 40: 2, 20: 3}
    law = sequential_law([n - 1 for n in rows], 4, 1.0)
    seen = collections.Counter()
    for seed in range(SEEDS):
        test = popularity_split(users, items, [0.65, 0.1, 0.25], seed=seed).parts["test"]
        counts = [0] * 4
        for row in test:
            counts[codes[items[row]]] += 1
        seen[tuple(counts)] += 1
    assert _p_value(seen, law) > 1e-3


def _simulate(users, items, n_valid, n_test, rng):
    """The docstring of popularity_split, row by row: part of each row."""
    part = ["train"] * len(users)
    reserved = set()
    for item in set(items):
        reserved.add(rng.choice([r for r, i in enumerate(items) if i == item]))
    for user in set(users) - {users[r] for r in reserved}:
        reserved.add(rng.choice([r for r, u in enumerate(users) if u == user]))
    free = [r for r in range(len(users)) if r not in reserved]
    for _ in range(n_test):
        item = rng.choice(sorted({items[r] for r in free}))
        row = rng.choice([r for r in free if items[r] == item])
        part[row] = "test_popularity"
        free.remove(row)
    for name, count in (("valid", n_valid), ("test_iid", n_test)):
        for row in rng.choice(free, count, replace=False):
            part[row] = name
            free.remove(row)
    return part


def test_every_part_follows_a_row_by_row_simulation_of_the_definition():
    users = [0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 4, 4, 4, 5]
    items = [0, 1, 2, 0, 1, 0, 0, 3, 0, 0, 1, 2, 2, 1]
    ratios = [11, 2, 3]  # of 14 rows: 1 to validation, 2 to each test set
    names = ["train", "valid", "test_iid", "test_popularity"]
    rng, runs = np.random.default_rng(1), 1500
    tables = np.zeros((2, len(users), len(names)), int)
    for seed in range(runs):
        split = popularity_split(users, items, ratios, seed=seed, test_sets=["popularity", "iid"])
        for number, name in enumerate(names):
            tables[0, split.parts[name], number] += 1
        for row, name in enumerate(_simulate(users, items, 1, 2, rng)):
            tables[1, row, names.index(name)] += 1
    assert (tables.sum(axis=2) == runs).all()
    for row in range(len(users)):
        both = tables[:, row]
        if (both.sum(axis=0) > 0).sum() > 1:
            _, pvalue, *_ = chi2_contingency(both[:, both.sum(axis=0) > 0])
            assert pvalue > 1e-4, row
