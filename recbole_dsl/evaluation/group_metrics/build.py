"""The groups that ``group_metrics`` asks for, from the training part of a dataset."""

from typing import Any

import numpy as np

from recbole_dsl.evaluation.group_metrics import user_field
from recbole_dsl.evaluation.metrics.groups import Groups, by_count, by_name


def build_groups(config: Any, dataset: Any, grouping: str) -> tuple[Groups, np.ndarray]:
    """The groups of one grouping.

    Args:
        config: settings; ``group_metrics`` has the grouping.
        dataset: the training part, a RecBole Dataset.
        grouping: a key of ``group_metrics``.
    Returns:
        (groups of N users or items, (N,) int training rows of each).
    Raises:
        UsageError: the user field is not there, or has too many values.
    """
    if grouping == "item_popularity":
        counts = _training_rows(dataset, dataset.iid_field, dataset.item_num)
    else:
        counts = _training_rows(dataset, dataset.uid_field, dataset.user_num)
    if grouping == "user_field":
        return by_name(counts, user_field.read_user_field(config, dataset)), counts
    return by_count(counts, config["group_metrics"][grouping]), counts


def _training_rows(dataset: Any, field: str, size: int) -> np.ndarray:
    """(size,) int. Training rows of each id of a dataset's user or item field."""
    return np.bincount(np.asarray(dataset.inter_feat[field]), minlength=size)


def describe_groups(groups: Groups, counts: np.ndarray) -> list[dict[str, Any]]:
    """Groups as plain data: ``[{"name", "size", "share", "edges"}, ...]``.

    ``size`` counts ids, ``share`` is of the training rows, ``edges`` are the fewest and the most
    training rows of an id, None for an empty group.
    """
    sizes, rows = groups.sizes(), groups.sums(counts)
    return [
        {
            "name": name,
            "size": int(size),
            "share": float(share),
            "edges": None if edges is None else list(edges),
        }
        for name, size, share, edges in zip(
            groups.names, sizes, rows / counts[1:].sum(), groups.edges, strict=True
        )
    ]
