"""Scores and best items of chosen users, by the names of ``recbole.utils.case_study``.

They work for every user of the dataset, with RecBole's loaders too, and in bounded memory.
"""

from typing import Any

import numpy as np
import torch
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import AbstractRecommender

from recbole_dsl.common.errors import UsageError
from recbole_dsl.data.loaders.full_sort import BatchedFullSortLoader
from recbole_dsl.data.loaders.next_rows import next_rows

# Scores that a model makes at once: 128 MiB; where it makes them pair by pair, pairs.
_SCORES, _PAIRS = 1 << 25, 1 << 20


def full_sort_scores(
    uid_series: Any, model: Any, test_data: Any, device: torch.device | str | None = None
) -> torch.Tensor:
    """Scores of all items for users; -inf for the padding item and for items that are masked.

    As RecBole's function of this name, which works for users of ``test_data`` alone. For a model
    that is not sequential those items are masked that the evaluation of the part masks; a user
    without a row in the part has the items of the earlier parts masked. A sequential model scores
    what comes after the user's rows before the part, and masks nothing; where a user has several
    rows in the part RecBole's gives the scores of each, and this one those of the first.

    Args:
        uid_series: (N,) internal ids of users, ``dataset.token2id(dataset.uid_field, tokens)``: a
            list, an array or a tensor of integers. model: RecBole's or of this package.
        test_data: a loader that ranks all items, of validation or test.
        device: where the model is given its input; None: where the model is. RecBole's has the CPU.
    Returns:
        (N, I) float; column 0 is the padding item. The model is left as it was.
    Raises:
        UsageError: no such users; a loader that ranks candidates alone; a user of whom a sequential
            model knows nothing.
    """
    users = _checked(uid_series, test_data)
    blocks = [
        _masked_scores(block, model, test_data, device)
        for block in users.split(_users_at_once(model, test_data))
    ]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


def full_sort_topk(
    uid_series: Any, model: Any, test_data: Any, k: int, device: torch.device | str | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best items of users, by :func:`full_sort_scores`, in blocks of users.

    Args:
        k: from 1 to the number of items. The others are those of :func:`full_sort_scores`.
    Returns:
        scores (N, k) and internal ids of items (N, k), best first; where a user has fewer than k
        items that are not masked, masked ones with -inf come last.
    Raises:
        UsageError: k is out of its range; or as there.
    """
    users, items = _checked(uid_series, test_data), test_data._dataset.item_num - 1
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= items:
        raise UsageError(f"k must be an integer from 1 to the {items} items, got {k!r}")
    blocks = [
        torch.topk(_masked_scores(block, model, test_data, device), int(k))
        for block in users.split(_users_at_once(model, test_data))
    ]
    scores, index = (torch.cat(column) for column in zip(*blocks, strict=True))
    return scores, index


def _checked(uid_series: Any, test_data: Any) -> torch.Tensor:
    """The users as ids, after a check that they and the loader will do."""
    if not isinstance(test_data, FullSortEvalDataLoader):
        kind = "None" if test_data is None else type(test_data).__name__
        raise UsageError(
            f"test_data must be a loader that ranks all items (eval_args: {{mode: full}}), "
            f"got {kind}"
        )
    if isinstance(uid_series, torch.Tensor):
        uid_series = uid_series.detach().cpu().numpy()
    users = np.asarray(uid_series).reshape(-1)
    last = test_data._dataset.user_num - 1
    if not len(users):
        raise UsageError("uid_series names no user")
    wrong = users if users.dtype.kind not in "iu" else users[(users < 1) | (users > last)]
    if len(wrong):
        raise UsageError(
            f"uid_series must be internal ids of users, integers from 1 to {last}, got "
            f"{wrong[0]!s}: dataset.token2id(dataset.uid_field, tokens) gives them"
        )
    return torch.from_numpy(users.astype(np.int64))


def _users_at_once(model: Any, test_data: Any) -> int:
    by_pairs = type(model).full_sort_predict is AbstractRecommender.full_sort_predict
    return max((_PAIRS if by_pairs else _SCORES) // test_data._dataset.item_num, 1)


@torch.no_grad()
def _masked_scores(
    users: torch.Tensor, model: Any, test_data: Any, device: torch.device | str | None
) -> torch.Tensor:
    """(N, I) scores of a block of users."""
    training = model.training
    model.eval()
    try:
        scores = _scores(_rows_of(users, test_data), model, test_data, device)
    finally:
        model.train(training)
    scores[:, 0] = -torch.inf
    if not test_data.is_sequential:
        rows, items = _history_of(users, test_data)
        scores[rows.to(scores.device), items.to(scores.device)] = -torch.inf
    return scores


def _scores(
    rows: Interaction, model: Any, test_data: Any, device: torch.device | str | None
) -> torch.Tensor:
    dataset = test_data._dataset
    rows = rows.to(_device_of(model) if device is None else device)
    try:
        scores = model.full_sort_predict(rows)
    except NotImplementedError:  # pair by pair, as RecBole's evaluation does it
        number = len(rows)
        items = dataset.get_item_feature().to(rows[dataset.uid_field].device)
        rows = rows.repeat_interleave(dataset.item_num)
        rows.update(items.repeat(number))
        scores = model.predict(rows)
    found: torch.Tensor = scores.view(-1, dataset.item_num)
    return found


def _device_of(model: Any) -> torch.device:
    found: torch.device = next((x.device for x in model.parameters()), model.device)
    return found


def _rows_of(users: torch.Tensor, test_data: Any) -> Interaction:
    """What the model is given of each user."""
    dataset = test_data._dataset
    if test_data.is_sequential:
        return next_rows(dataset, getattr(test_data, "earlier", ()), users)
    return dataset.join(Interaction({dataset.uid_field: users}))


def _history_of(users: torch.Tensor, test_data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Masked items of users, flat: (rows, items), rows in [0, N)."""
    if isinstance(test_data, BatchedFullSortLoader):
        return test_data.masked.of(users)
    known, used = test_data.uid2history_item, test_data._sampler.used_ids  # RecBole's own loader
    lists = [
        torch.tensor(sorted(used[user]), dtype=torch.int64) if known[user] is None else known[user]
        for user in users.tolist()
    ]
    counts = torch.tensor([len(items) for items in lists])
    return torch.repeat_interleave(torch.arange(len(lists)), counts), torch.cat(lists)
