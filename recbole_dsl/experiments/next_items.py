"""What comes next after sequences of items, by a trained sequential model."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from recbole.data.interaction import Interaction

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.experiments.load_checkpoint import Loaded
from recbole_dsl.experiments.serving_section import evaluating

_SCORES = 1 << 24  # scores that are made at once


def recommend_for_sequences(
    loaded: Loaded,
    sequences: Iterable[Sequence[str]],
    k: int = 10,
    *,
    users: Sequence[str] | None = None,
    exclude: bool = False,
) -> pd.DataFrame:
    """The k items that most likely come after each sequence.

    Args:
        loaded: what :func:`recbole_dsl.load` gives back of a ``<SequentialModel>_<Loss>``.
        sequences: items as the data name them, the oldest first; of a sequence longer than
            ``MAX_ITEM_LIST_LENGTH`` the latest count.
        k: at least 1; with fewer items left, those.
        users: the user of each sequence, for a model that has a vector for each user.
        exclude: whether items of the sequence are left out.
    Returns:
        DataFrame: sequence (from 0), rank (from 1), item, score; best first.
    Raises:
        UsageError: no sequential model, an unknown item or user, a sequence that is empty or a
            string, or k < 1.
    """
    if isinstance(loaded, (str, os.PathLike)):
        raise UsageError(f"loaded must be what recbole_dsl.load gives back, got {str(loaded)!r}")
    config, dataset = loaded.config, loaded.dataset
    model: Any = loaded.model
    if not config.spec.is_sequential:
        raise UsageError(f"{config['model']} is no <SequentialModel>_<Loss>: it has no sequences")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise UsageError(f"k must be an integer >= 1, got {k!r}")
    given = [_items(sequence, row) for row, sequence in enumerate(sequences)]
    if not given:
        return _table(dataset, [], int(k))
    rows = _rows(model, dataset, given, users)
    k = min(int(k), dataset.item_num - 1)
    step = max(_SCORES // dataset.item_num, 1)
    found = []
    with evaluating(model):
        for index in torch.arange(len(given)).split(step):
            batch = rows[index].to(model.device)
            scores = model.full_sort_predict(batch).view(len(index), -1)
            scores[:, 0] = -torch.inf
            if exclude:
                scores.scatter_(1, batch[model.ITEM_SEQ], -torch.inf)
            best = torch.topk(scores, k)
            found.append((best.values.cpu().numpy(), best.indices.cpu().numpy()))
    return _table(dataset, found, k)


def _items(sequence: Sequence[str], row: int) -> list[str]:
    """The items of a sequence. A string would be taken for one, of its letters."""
    if isinstance(sequence, str):
        raise UsageError(
            f"sequence {row} must be a list of items, got {sequence!r}: one sequence is "
            '[["50", "181"]]'
        )
    return [str(item) for item in sequence]


def _rows(model: Any, dataset: Any, given: list[list[str]], users: Any) -> Interaction:
    longest = model.max_seq_length
    items = np.zeros((len(given), longest), np.int64)
    lengths = np.zeros(len(given), np.int64)
    for row, sequence in enumerate(given):
        if not sequence:
            raise UsageError(f"sequence {row} is empty: there is nothing to go on from")
        ids = _ids(dataset, dataset.iid_field, sequence[-longest:])
        items[row, : len(ids)], lengths[row] = ids, len(ids)
    columns = {model.ITEM_SEQ: items, model.ITEM_SEQ_LEN: lengths}
    if model.encoder.reads_users:
        if users is None:
            raise UsageError(f"{model.name} has a vector for each user: name them by users=[...]")
        if len(users) != len(given):
            raise UsageError(f"{len(given)} sequences need as many users, got {len(users)}")
        columns[model.USER_ID] = _ids(dataset, dataset.uid_field, [str(user) for user in users])
    return Interaction({name: torch.from_numpy(column) for name, column in columns.items()})


def _ids(dataset: Any, field: str, tokens: Sequence[str]) -> np.ndarray:
    known = dataset.field2token_id[field]
    for token in tokens:
        if token not in known or known[token] == 0:
            near = did_you_mean(token, [name for name in known if name != "[PAD]"])
            raise UsageError(f"{field} {token!r} is not in the model's data{near}")
    return np.array([known[token] for token in tokens], np.int64)


def _table(dataset: Any, found: list[tuple[np.ndarray, np.ndarray]], k: int) -> pd.DataFrame:
    blocks = [(np.zeros((0, k)), np.zeros((0, k), np.int64)), *found]
    scores, items = (np.concatenate(column) for column in zip(*blocks, strict=True))
    n = len(scores)
    table = pd.DataFrame(
        {
            "sequence": np.repeat(np.arange(n), k),
            "rank": np.tile(np.arange(1, k + 1), n),
            "item": dataset.field2id_token[dataset.iid_field][items.ravel()],
            "score": scores.ravel(),
        }
    )
    return table[np.isfinite(table["score"])].reset_index(drop=True)
