import numpy as np
import pytest

from recbole_dsl.evaluation.metrics.groups import by_count


def loop_by_share(counts, shares):
    """By hand: the most popular first, the next group from where its share of the rows is full."""
    total, scale = sum(counts[1:]), sum(shares)
    member, rows = {}, 0
    for item in sorted(range(1, len(counts)), key=lambda item: (-counts[item], item)):
        group = 0
        while group < len(shares) - 1 and rows * scale >= total * sum(shares[: group + 1]):
            group += 1
        member[item] = group if counts[item] else len(shares) - 1
        rows += counts[item]
    return [-1, *(member[item] for item in range(1, len(counts)))]


@pytest.mark.parametrize("seed", range(5))
def test_shares_agree_with_a_loop(seed):
    random = np.random.default_rng(seed)
    counts = random.zipf(1.5, 200).clip(max=500) - 1
    shares = random.integers(1, 5, 4).tolist()
    groups = by_count(counts, dict(zip("abcd", shares, strict=True)))
    assert groups.member.tolist() == loop_by_share(counts.tolist(), shares)
    for group, edge in enumerate(groups.edges):
        of_group = counts[groups.member == group]
        assert edge == ((of_group.min(), of_group.max()) if len(of_group) else None)


def test_equal_groups_differ_by_one_id_at_most_and_rise_in_count():
    counts = np.random.default_rng(3).integers(0, 40, 104)
    groups = by_count(counts, 10)
    assert groups.names == (*"123456789", "10")
    assert set(groups.sizes()) == {10, 11}
    assert groups.sizes().sum() == 103
    assert all(low[1] <= high[0] for low, high in zip(groups.edges, groups.edges[1:], strict=False))


def test_padding_is_in_no_group_whatever_its_count():
    for spec in (2, {"head": 1, "tail": 1}):
        with_padding, without = by_count([99, 3, 1, 2], spec), by_count([0, 3, 1, 2], spec)
        assert with_padding.member[0] == -1
        assert np.array_equal(with_padding.member, without.member)


def test_sums_leave_padding_out():
    groups = by_count([7, 4, 1, 1], {"head": 2, "tail": 1})
    assert groups.sums(np.array([7, 4, 1, 1])).tolist() == [4, 2]


def test_a_group_may_be_empty():
    groups = by_count([0, 9, 0], {"head": 1, "mid": 1, "tail": 1})
    assert groups.member.tolist() == [-1, 0, 2]
    assert groups.edges == ((9, 9), None, (0, 0))


@pytest.mark.parametrize(
    "groups", [0, -1, True, 2.0, "3", [1, 2], {}, {"head": 0}, {"head": "1"}, {"head": True}]
)
def test_other_groups_are_refused(groups):
    with pytest.raises(ValueError, match="groups must be an integer >= 1"):
        by_count([0, 1, 2], groups)
