r"""What each group of items gets of recommendation lists. Imports numpy only.

All functions see the same arrays: N users with test rows, lists of their K best items, best first,
G groups of items.

- ``group`` (N, K) int: the group of each item of a list, -1 where it has none (padding).
- ``hit`` (N, K) bool: whether it is among the user's positives.
- ``positives`` (N, G) int: how many positives a user has in each group.

The figures are those by which papers of softmax losses show popularity bias: recall and NDCG per
group of items in SGL (Wu et al., SIGIR 2021, "contribution of each group") and SSM (Wu et al.,
TOIS 2024), NDCG per group in BSL (Wu et al., ICDE 2024) and PSL (Yang et al., NeurIPS 2024). They
are formulated here in the terms of RecBole's overall metrics, so that groups and overall compare.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def ndcg_contribution(group: Ints, hit: Bools, positives: Ints, k: int) -> Floats:
    r"""NDCG@k as a sum over the groups of the hit items.

    .. math:: \frac{1}{N} \sum_u \frac{1}{\mathrm{IDCG@}k(u)}
              \sum_{r = 1}^{k} \frac{[\text{item at rank } r \text{ is a hit in } g]}{\log_2(r + 1)}

    IDCG is that of all of the user's positives, not of those in the group, and all N users count,
    so that the groups' contributions add up to the overall NDCG@k.

    Returns:
        (G,) float.
    Example:
        >>> hit = np.array([[True, True]])  # both items of one user, who has two positives
        >>> ndcg_contribution(np.array([[0, 1]]), hit, np.array([[1, 1]]), 2).round(4)
        array([0.6131, 0.3869])
    """
    rows, ranks = hit[:, :k].nonzero()
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = discount.cumsum()
    wanted = positives.sum(axis=1)
    gain = discount[ranks] / ideal[np.minimum(wanted[rows], k) - 1]
    sums = np.bincount(group[rows, ranks], gain, minlength=positives.shape[1])
    return sums / len(hit)


def hits_by_group(group: Ints, hit: Bools, n_groups: int, k: int) -> Ints:
    """How many of a user's k best items are hits in each group: (N, G) int."""
    rows, ranks = hit[:, :k].nonzero()
    cells = rows * n_groups + group[rows, ranks]
    return np.bincount(cells, minlength=len(hit) * n_groups).reshape(len(hit), n_groups)


def group_recall(hits: Ints, positives: Ints) -> Floats:
    r"""Recall within a group, as RecBole's Recall with the group's positives alone.

    .. math:: \frac{1}{|U_g|} \sum_{u \in U_g} \frac{|\text{hits of } u \text{ in } g|}
              {|\text{positives of } u \text{ in } g|}, \qquad
              U_g = \{u : u \text{ has a positive in } g\}

    Args:
        hits: (N, G), by :func:`hits_by_group`.
    Returns:
        (G,) float, nan for a group in which no user has a positive.
    Example:
        >>> group_recall(np.array([[1, 0], [0, 0]]), np.array([[2, 0], [1, 0]]))
        array([0.25,  nan])
    """
    share = np.divide(hits, positives, out=np.zeros(hits.shape), where=positives > 0)
    return _mean_over_users_of_group(share, positives)


def group_hit(hits: Ints, positives: Ints) -> Floats:
    """Share of the users with a positive in a group who got one of them: arguments and returns as
    :func:`group_recall`."""
    return _mean_over_users_of_group(hits > 0, positives)


def exposure(group: Ints, n_groups: int, k: int) -> Floats:
    """Share of the N * k places of the lists that goes to each group: (G,) float.

    Beside the group's share of the training rows it shows whether a model amplifies popularity.
    Places of padding, which fill the lists of users with fewer than k items left, go to no group.
    """
    places: Ints = np.bincount(group[:, :k].ravel() + 1, minlength=n_groups + 1)[1:]
    return places / (len(group) * k)


def _mean_over_users_of_group(values: npt.NDArray[Any], positives: Ints) -> Floats:
    """Mean of (N, G) values over the users with a positive in the group; nan without any."""
    counted = (positives > 0).sum(axis=0)
    total = np.where(positives > 0, values, 0).sum(axis=0)
    mean = np.full(len(counted), np.nan)
    np.divide(total, counted, out=mean, where=counted > 0)
    return mean
