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

CONFIDENCE = 0.95
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


class Comparison(NamedTuple):
    """A model against a reference, over pairs of values.

    Attributes:
        n: pairs. difference: mean of model - reference, in the metric's units. base: mean of the
            reference over the pairs.
        effect: Cohen's d_z, the difference over the standard deviation of the differences (n - 1);
            None where all differences are equal or there are fewer than two.
        p: of the paired t-test. interval: both ends of the 95 % confidence interval of the
            difference, of this comparison alone, by the t distribution; None where ``effect`` is.
    """

    n: int
    difference: float
    base: float
    effect: float | None = None
    p: float | None = None
    interval: tuple[float, float] | None = None


def compare(
    reference: npt.ArrayLike,
    other: npt.ArrayLike,
    *,
    alternative: str = "two-sided",
    smaller: bool = False,
) -> Comparison:
    """Paired t-test of another model against a reference.

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
    first, second = np.asarray(other, np.float64), np.asarray(reference, np.float64)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(
            f"needs pairs, two (n,) arrays of equal length, got {second.shape}, {first.shape}"
        )
    n, differences = len(first), first - second
    found = Comparison(n, float(differences.mean()), float(second.mean()))
    # Differences that are equal but for rounding have a spread that means nothing.
    scale = max(np.abs(first).max(), np.abs(second).max())
    spread = float(differences.std(ddof=1)) if n > 1 else 0.0
    if spread <= 1e-12 * scale:
        return found
    if alternative == "better":
        alternative = "greater" if smaller else "less"
    p = float(scipy.stats.ttest_rel(first, second, alternative=alternative).pvalue)
    margin = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread / n**0.5
    return found._replace(
        effect=found.difference / spread,
        p=p,
        interval=(found.difference - margin, found.difference + margin),
    )


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


def significant(p: float | None) -> bool:
    """Whether a corrected p-value is below 0.05."""
    return bool(stars(p))
