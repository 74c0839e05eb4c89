"""The rows from which a sequential model tells what comes next for any user."""

from collections.abc import Sequence

import numpy as np
import torch
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction, cat_interactions

from recbole_dsl.common.errors import UsageError


def next_rows(part: Dataset, earlier: Sequence[Dataset], users: torch.Tensor) -> Interaction:
    """A row for each user, whose lists hold the user's items before a part, the latest last.

    That is the user's first row in the part. A user without one gets the last row of the earlier
    parts, with the item of that row at the end of its lists.

    Args:
        part: of RecBole's sequential dataset, rows of a user in order of time.
        earlier: the parts before it, the first one first.
        users: (N,) int64 ids.
    Returns:
        N rows, in the order of users.
    Raises:
        UsageError: a user has no row in any of the parts.
    """
    wanted, places = np.unique(users.numpy(), return_inverse=True)
    found, taken = [], []
    left = wanted
    for number, dataset in enumerate([part, *reversed(earlier)]):
        column = dataset.inter_feat[dataset.uid_field].numpy()
        if number == 0:
            known, index = np.unique(column, return_index=True)
        else:
            known, index = np.unique(column[::-1], return_index=True)
            index = len(column) - 1 - index
        here = np.isin(known, left)
        rows = dataset.inter_feat[torch.from_numpy(index[here])]
        if number > 0:
            rows = _with_own_item(dataset, rows)
        found.append(rows)
        taken.append(known[here])
        left = np.setdiff1d(left, known[here])
    if len(left):
        tokens = ", ".join(map(str, part.id2token(part.uid_field, left[:3])))
        more = ", ..." if len(left) > 3 else ""
        raise UsageError(
            f"{len(left)} user(s) have no sequence to go on from: {tokens}{more}"
            + ("" if earlier else " (test_data does not know the rows before its own)")
        )
    together = cat_interactions([rows for rows in found if len(rows)])
    order = np.argsort(np.concatenate(taken))  # of the users in found, ascending
    return together[torch.from_numpy(order[places.reshape(-1)])]


def _with_own_item(dataset: Dataset, rows: Interaction) -> Interaction:
    """Rows whose own values stand at the end of their lists; of a full list the first one goes."""
    length_field = dataset.item_list_length_field
    changed = {name: rows[name] for name in rows.columns}
    length = rows[length_field]
    for name in rows.columns:
        list_field = getattr(dataset, f"{name}_list_field", None)
        if list_field is None or list_field not in changed:
            continue
        lists = rows[list_field].clone()
        full = length >= lists.shape[1]
        lists[full] = lists[full].roll(-1, dims=1)
        place = length.clamp(max=lists.shape[1] - 1)
        lists[torch.arange(len(lists)), place] = rows[name]
        changed[list_field] = lists
    longest = rows[dataset.item_id_list_field].shape[1]
    changed[length_field] = (length + 1).clamp(max=longest)
    return Interaction(changed)
