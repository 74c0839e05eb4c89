"""Rows drawn item by item, from the data's popularity to uniform over items, in one sort."""

import numpy as np
import numpy.typing as npt


def draw_by_item(
    items: npt.NDArray[np.integer], count: int, shift: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw rows one after another: an item that has rows left, then one of its rows uniformly.

    An item with r rows left is picked with probability proportional to ``r ** (1 - shift)``:
    shift 1 is uniform over the items that have rows left, shift 0 uniform over the rows left (the
    data's own popularity, an ordinary random draw), anything between lies between.

    Done for all rows at once. Give each item a clock that rings at rate ``r ** (1 - shift)`` while
    r rows are left, and let each ring take one of its rows, in random order. After any ring, the
    times that all clocks still need are independent exponentials (an exponential has no memory),
    and the first of independent exponentials is item i's with probability rate_i / sum of rates.
    So the items, in order of their rings, follow the sequential law above, and an item whose rows
    are all taken rings no more. A clock's k-th ring is the sum of k exponentials with rates
    ``m ** (1 - shift), (m - 1) ** (1 - shift), ...``, hence a cumulative sum; the first ``count``
    rings of all clocks are the rows drawn. With shift 1 the rings are Poisson processes of rate 1.

    Args:
        items: (E,) int. Item of each row, from 0.
        count: rows to draw, 0 to E.
        shift: in [0, 1].
        rng: numpy.random.Generator.
    Returns:
        (count,) int64. Positions in ``items``, in no particular order.
    """
    rows = len(items)
    if count == 0:
        return np.empty(0, np.int64)
    order = rng.permutation(rows)
    # One number for (item, place in the random order), since sorting numbers is several times
    # faster than sorting an index by them.
    key = items[order].astype(np.int64)
    key *= rows
    key += np.arange(rows)
    key.sort()
    counts = np.bincount(items)
    starts = np.cumsum(counts) - counts
    order = order[key % rows]
    key //= rows  # now the item of each row, ascending
    gaps = rng.standard_exponential(rows)
    if shift != 1:
        left = counts[key] - (np.arange(rows) - starts[key])
        gaps /= left ** (1.0 - shift)
    times = np.cumsum(gaps)
    times -= np.concatenate(([0.0], times))[starts[key]]  # each clock starts at 0
    return order[np.argpartition(times, count - 1)[:count]]
