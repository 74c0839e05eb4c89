import numpy as np
import pytest
import scipy.stats

from recbole_dsl.experiments.benchmark.report.significance import compare, holm, stars

RNG = np.random.default_rng(0)
GOOD = RNG.uniform(0.2, 0.4, 30)
BAD = GOOD - RNG.normal(0.02, 0.03, 30)


def test_two_sided_is_scipys_and_the_same_in_both_directions():
    there, back = compare(GOOD, BAD), compare(BAD, GOOD)
    expected = scipy.stats.ttest_rel(GOOD, BAD)
    assert there.p == pytest.approx(expected.pvalue) and back.p == pytest.approx(there.p)
    assert there.n == 30 and there.difference == pytest.approx((BAD - GOOD).mean())
    assert there.base == pytest.approx(GOOD.mean())
    assert back.difference == -there.difference and back.effect == -there.effect
    # d_z by definition, and by what it means for t
    assert there.effect == pytest.approx((BAD - GOOD).mean() / np.std(GOOD - BAD, ddof=1))
    assert there.effect * np.sqrt(30) == pytest.approx(-expected.statistic)


@pytest.mark.parametrize("alternative", ["two-sided", "better"])
def test_the_interval_is_scipys_two_sided_one(alternative):
    found = compare(GOOD, BAD, alternative=alternative)
    gaps = BAD - GOOD
    expected = scipy.stats.t.interval(0.95, 29, gaps.mean(), scipy.stats.sem(gaps))
    assert found.interval == pytest.approx(expected)


def test_better_looks_at_the_tail_in_which_the_reference_is_better():
    """RecBole's significance_test.py gives p near 1 to a reference that is better."""
    p = compare(GOOD, BAD, alternative="better").p
    assert p < 0.01
    assert p == pytest.approx(scipy.stats.ttest_rel(GOOD, BAD, alternative="greater").pvalue)
    assert compare(BAD, GOOD, alternative="better").p == pytest.approx(1 - p) and 1 - p > 0.99


def test_better_turns_around_where_smaller_is_better():
    p = compare(BAD, GOOD, alternative="better", smaller=True).p
    assert p < 0.01
    assert p == pytest.approx(scipy.stats.ttest_rel(BAD, GOOD, alternative="less").pvalue)
    assert compare(GOOD, BAD, alternative="better", smaller=True).p > 0.99


def test_a_hand_value():
    found = compare([1.0, 2.0, 3.0], [0.0, 2.0, 1.0])  # differences -1, 0, -2: deviation 1
    assert found[:4] == (3, -1.0, 2.0, -1.0)
    t = np.sqrt(3)  # on 2 degrees of freedom: p = 1 - t / sqrt(2 + t^2)
    assert found.p == pytest.approx(1 - t / np.sqrt(2 + t**2))


@pytest.mark.parametrize("other", [[0.1, 0.2, 0.4], [0.2, 0.3, 0.5]])
def test_equal_differences_are_no_test(other):
    found = compare([0.1, 0.2, 0.4], other)
    assert found.p is None and found.effect is None and found.interval is None


def test_one_pair_is_no_test():
    assert compare([0.1], [0.2]) == (1, 0.1, 0.1, None, None, None)


def test_what_is_no_pairs_is_refused():
    with pytest.raises(ValueError, match=r"got \(2,\), \(3,\)"):
        compare([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="equal length"):
        compare([], [])
    with pytest.raises(ValueError, match="two-sided or better, got 'less'"):
        compare([1, 2], [1, 3], alternative="less")


def test_holm_by_hand():
    # sorted: .005 * 4, .01 * 3, .03 * 2, then .04 * 1, which may not be below the .06 before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02] and holm([]) == []


def test_holm_does_not_count_what_was_not_tested():
    assert holm([None, 0.01, None, 0.04]) == [None, 0.02, None, 0.04]


def test_stars():
    assert [stars(p) for p in (None, 0.05, 0.049, 0.0099, 0.0009)] == ["", "", "*", "**", "***"]
