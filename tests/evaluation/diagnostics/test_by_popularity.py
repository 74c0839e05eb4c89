import numpy as np
import pytest

from recbole_dsl.evaluation.diagnostics import by_popularity

COUNTS = np.concatenate([[0], np.random.default_rng(0).geometric(0.03, 200) - 1])


def test_groups_are_ten_of_about_equal_rows_from_the_least_to_the_most_popular():
    found = by_popularity.popularity_groups(COUNTS)
    described = by_popularity.describe(found, COUNTS)
    assert [one["name"] for one in described] == [str(name) for name in range(1, 11)]
    assert sum(one["items"] for one in described) == 200
    lows = [one["edges"][0] for one in described]
    assert lows == sorted(lows) and described[-1]["edges"][1] == COUNTS.max()
    for group, one in enumerate(described):
        mine = [count for count, of in zip(COUNTS, found.member, strict=True) if of == group]
        assert one["rows"] == sum(mine) and one["edges"] == [min(mine), max(mine)]
        assert abs(one["rows"] - COUNTS.sum() / 10) <= COUNTS.max()


def test_positives_and_negatives_are_summed_up_as_by_a_loop():
    found = by_popularity.popularity_groups(COUNTS)
    rng = np.random.default_rng(1)
    items, value = rng.integers(1, 201, 500), rng.normal(size=500)
    summed = by_popularity.of_positives(found, items, {"v": value})["v"]
    mass = {"drawn": rng.random(201)}
    shares = by_popularity.of_negatives(found, mass)["drawn"]
    assert summed["all"]["mean"] == pytest.approx(sum(value) / 500)
    for group, name in enumerate(found.names):
        mine = [v for i, v in zip(items, value, strict=True) if found.member[i] == group]
        assert summed[name]["mean"] == pytest.approx(sum(mine) / len(mine))
        assert summed[name]["quantiles"][2] == pytest.approx(np.median(mine))
        total = sum(m for i, m in enumerate(mass["drawn"]) if found.member[i] == group)
        assert shares[name] == pytest.approx(total / mass["drawn"][1:].sum())
    assert sum(shares.values()) == pytest.approx(1)


def test_a_group_without_rows_is_none():
    found = by_popularity.popularity_groups(np.array([0, 5, 1]))
    summed = by_popularity.of_positives(found, np.array([1, 1]), {"v": np.array([1.0, 3.0])})["v"]
    assert summed["10"]["mean"] == 2.0 and summed["all"] == summed["10"]
    assert [name for name, one in summed.items() if one is None] == [str(n) for n in range(1, 10)]
