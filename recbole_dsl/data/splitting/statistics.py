"""What a split holds, in numbers: sizes, and how popularity differs between its parts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def gini(counts: npt.ArrayLike) -> float:
    """Gini coefficient of non-negative counts: 0 where all are equal, towards 1 where one has all.

    ``sum_k (2 k - n - 1) c_(k) / (n sum_k c_k)`` with counts ascending, k = 1..n; 0 where all
    counts are 0.
    """
    ordered = np.sort(np.asarray(counts, np.float64))
    n, total = len(ordered), ordered.sum()
    if total == 0:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))


def kl_divergence(counts: npt.ArrayLike, base: npt.ArrayLike) -> float:
    """KL divergence in nats between the distributions of two arrays of counts.

    ``sum_i p_i log(p_i / q_i)``, p_i = counts_i / sum, q_i = base_i / sum; a term with p_i = 0
    is 0. ``base`` must be positive where ``counts`` is.
    """
    p, q = (np.asarray(c, np.float64) / np.sum(c) for c in (counts, base))
    there = p > 0
    return float((p[there] * np.log(p[there] / q[there])).sum())


def describe(
    users: npt.ArrayLike, items: npt.ArrayLike, parts: Mapping[str, npt.NDArray[np.int64]]
) -> dict[str, dict[str, Any]]:
    """Sizes and popularity of each part.

    Gini and KL are over the items that occur in any of the parts, I of them. For the divergence
    from train, 1 is added to each item's training count, so that it is finite where an item of the
    part has no training row.

    Args:
        users, items: (N,) int >= 0.
        parts: name -> (M,) row numbers; one is "train".
    Returns:
        dict: name -> ``rows``, ``users``, ``items``, ``gini`` of the items' counts,
        ``kl_uniform`` = KL(part || uniform over the I items), and for all but train ``kl_train`` =
        KL(part || train), ``new_users``, ``new_items``: users and items that train lacks, and
        ``new_user_rows``, ``new_item_rows``: their rows, and ``repeated_rows``: rows of a user and
        an item that are a row of train too. Gini and KL are None for an empty part.
    """
    users, items = np.asarray(users), np.asarray(items)
    n_users, n_items = (int(ids.max(initial=-1)) + 1 for ids in (users, items))
    per_user = {n: np.bincount(users[r], minlength=n_users) for n, r in parts.items()}
    per_item = {n: np.bincount(items[r], minlength=n_items) for n, r in parts.items()}
    pairs = users.astype(np.int64) * n_items + items
    known = sum(per_item.values()) > 0
    train = per_item["train"][known] + 1
    result = {}
    for name, rows in parts.items():
        counts = per_item[name][known]
        result[name] = size = {
            "rows": len(rows),
            "users": int(np.count_nonzero(per_user[name])),
            "items": int(np.count_nonzero(counts)),
            "gini": gini(counts) if len(rows) else None,
            "kl_uniform": kl_divergence(counts, np.ones_like(counts)) if len(rows) else None,
        }
        if name != "train":
            size["kl_train"] = kl_divergence(counts, train) if len(rows) else None
            for role, per in (("user", per_user), ("item", per_item)):
                unknown = per[name][per["train"] == 0]
                size[f"new_{role}s"] = int(np.count_nonzero(unknown))
                size[f"new_{role}_rows"] = int(unknown.sum())
            size["repeated_rows"] = _repeated(pairs, rows, parts["train"])
    return result


def _repeated(
    pairs: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], train: npt.NDArray[np.int64]
) -> int:
    """How many rows are a pair of train too; the pairs of the part, which is small, are sorted."""
    own, counts = np.unique(pairs[rows], return_counts=True)
    if not len(own):
        return 0
    known = pairs[train]
    places = np.minimum(np.searchsorted(own, known), len(own) - 1)
    met = np.zeros(len(own), np.bool_)
    met[places[own[places] == known]] = True
    return int(counts[met].sum())


def popularity_line(sizes: Mapping[str, Mapping[str, Any]]) -> str:
    """``describe``'s Gini and KL of every part in a line of text."""
    texts = []
    for name, size in sizes.items():
        if size["rows"]:
            kl = f", KL from train {size['kl_train']:.3f}" if "kl_train" in size else ""
            texts.append(f"{name} Gini {size['gini']:.3f}{kl}")
    return f"item popularity: {'; '.join(texts)}"
