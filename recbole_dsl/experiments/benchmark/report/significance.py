"""Whether one model is better than another: paired t-tests, corrected for their number.

Imports numpy and scipy only. The paired t-test is used over seeds and over users alike: it tests
the difference of means, which is what a table of means shows, and over hundreds of users the mean
is close to normal whatever the metric's distribution. Wilcoxon's signed-rank test drops the users
on whom two models agree, most of them for hit rates, and tests another hypothesis; Smucker, Allan
and Carterette (CIKM 2007) and Urbano, Lima and Hanjalic (SIGIR 2019) advise against it for means of
retrieval metrics.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.stats

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


class Comparison(NamedTuple):
    """A reference against another model, over pairs of values.

    Attributes:
        n: pairs. difference: mean of reference - other, in the metric's units.
        effect: Cohen's d_z, that mean over the standard deviation of the differences (n - 1); None
            where all differences are equal or there are fewer than two.
        p: of the paired t-test; None where ``effect`` is.
    """

    n: int
    difference: float
    effect: float | None
    p: float | None


def compare(
    reference: npt.ArrayLike,
    other: npt.ArrayLike,
    *,
    alternative: str = "two-sided",
    smaller: bool = False,
) -> Comparison:
    """Paired t-test of a reference against another model.

    Args:
        reference, other: (n,) values of a metric, pair by pair for the same seed or user.
        alternative: "two-sided": the means differ; "better": the reference's is better.
        smaller: whether smaller values of the metric are better, RecBole's ``metric.smaller``.
    Returns:
        :class:`Comparison`. Its difference and effect are not turned around by ``smaller``.
    Raises:
        ValueError: the lengths differ, there is no pair, or alternative is another word.

    Example:
        >>> round(compare([0.5, 0.6, 0.8], [0.4, 0.4, 0.5], alternative="better").p, 3)
        0.037
        >>> round(compare([0.4, 0.4, 0.5], [0.5, 0.6, 0.8], alternative="better").p, 3)
        0.963
    """
    if alternative not in ("two-sided", "better"):
        raise ValueError(f"alternative must be two-sided or better, got {alternative!r}")
    first, second = np.asarray(reference, np.float64), np.asarray(other, np.float64)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(
            f"needs pairs, two (n,) arrays of equal length, got {first.shape}, {second.shape}"
        )
    differences = first - second
    mean = float(differences.mean())
    # Differences that are equal but for rounding have a spread that means nothing.
    scale = max(np.abs(first).max(), np.abs(second).max())
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    if spread <= 1e-12 * scale:
        return Comparison(len(differences), mean, None, None)
    if alternative == "better":
        alternative = "less" if smaller else "greater"
    p = float(scipy.stats.ttest_rel(first, second, alternative=alternative).pvalue)
    return Comparison(len(differences), mean, mean / spread, p)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values adjusted by Holm's method (1979), which bounds the chance of any false rejection.

    Args:
        p_values: None stands for no test and stays.
    Returns:
        List in the same order. The k-th smallest of m is multiplied by m - k + 1, capped at 1 and
        made at least as large as the one before.

    Example:
        >>> holm([0.01, 0.04, 0.03, None])
        [0.03, 0.06, 0.06, None]
    """
    tested = [(p, at) for at, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = list(p_values)
    largest = 0.0
    for rank, (p, at) in enumerate(sorted(tested)):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        adjusted[at] = largest
    return adjusted


def stars(p: float | None) -> str:
    """``*`` below 0.05, ``**`` below 0.01, ``***`` below 0.001, else nothing."""
    return next((mark for level, mark in STARS if p is not None and p < level), "")
