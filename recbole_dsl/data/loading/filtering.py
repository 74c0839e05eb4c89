"""RecBole's filter by number of interactions, as array operations. Knows nothing of RecBole."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

# (C,) counts -> (C,) bool, which counts may stay.
CountFilter = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]


def by_counts(
    users: npt.NDArray[np.integer],
    items: npt.NDArray[np.integer],
    keep_user: CountFilter | None,
    keep_item: CountFilter | None,
) -> npt.NDArray[np.bool_]:
    """Which rows are left when users and items with too few or too many rows have been removed,
    repeatedly, until none is removed.

    Args:
        users, items: (N,) ids >= 0.
        keep_user, keep_item: which numbers of rows may stay; None: every one.
    Returns:
        (N,) bool.
    """
    rows = np.arange(len(users))
    while True:
        stays = np.ones(len(rows), dtype=bool)
        for ids, keep in ((users, keep_user), (items, keep_item)):
            if keep is not None and len(rows):
                stays &= keep(np.bincount(ids[rows]))[ids[rows]]
        if stays.all():
            kept = np.zeros(len(users), dtype=bool)
            kept[rows] = True
            return kept
        rows = rows[stays]
