"""What the group metrics need of each evaluated user. Imports torch only."""

import torch


def users_of_rows(users, n_rows):
    """The user of each row of scores.

    Args:
        users: (n_rows,) ids, one a row; or, in sampled evaluation, an id for each scored pair, the
            pairs of a row next to each other.
    """
    return users if len(users) == n_rows else torch.unique_consecutive(users)


def positives_by_group(rows, items, n_rows, groups):
    """How many positives each row has in each group of items.

    Args:
        rows, items: (P,) int64. The row and item of each positive.
        groups: :class:`recbole_dsl.metrics.grouping.Groups` of items.
    Returns:
        (n_rows, G) int64.
    """
    n_groups = len(groups.names)
    member = torch.from_numpy(groups.member).to(items.device)
    cells = rows * n_groups + member[items]
    return torch.bincount(cells, minlength=n_rows * n_groups).view(n_rows, n_groups)
