"""RecBole's filter by number of interactions, as array operations. Knows nothing of RecBole."""

import numpy as np


def by_counts(users, items, keep_user, keep_item):
    """Rows left once users and items with too few or too many rows are gone, again and again.

    Args:
        users, items: (N,) ids >= 0.
        keep_user, keep_item: (C,) counts -> (C,) bool, which counts may stay; None: every one.
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
