"""The groups that ``group_metrics`` asks for, from the training part of a dataset."""

import numpy as np

from recbole_dsl.groups import user_field
from recbole_dsl.metrics.grouping import by_count, by_name


def training_rows(dataset, field, size):
    """(size,) int. Training rows of each id of a dataset's user or item field."""
    return np.bincount(np.asarray(dataset.inter_feat[field]), minlength=size)


def build(config, dataset, grouping):
    """The groups of one grouping.

    Args:
        config: settings; ``group_metrics`` has the grouping. dataset: the training part.
    Returns:
        (:class:`recbole_dsl.metrics.grouping.Groups`, training rows of each id).
    Raises:
        UsageError: the user field is not there, or has too many values.
    """
    spec = config["group_metrics"][grouping]
    if grouping == "item_popularity":
        counts = training_rows(dataset, dataset.iid_field, dataset.item_num)
    else:
        counts = training_rows(dataset, dataset.uid_field, dataset.user_num)
    if grouping == "user_field":
        return by_name(counts, user_field.of_users(config, dataset)), counts
    return by_count(counts, spec), counts


def described(groups, counts):
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
