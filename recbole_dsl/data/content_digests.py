"""Digests of all that a run reads of its data, by name, so that a change can be named."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from recbole.data.dataset import Dataset


def content_digests(loaders: Mapping[str, AbstractDataLoader | None]) -> dict[str, str]:
    """What -> 32 hexadecimal digits: the rows of each part, in order, and the tokens of all fields.

    Args:
        loaders: part -> its loader, as in :class:`recbole_dsl.data.pipeline.SplitData`.

    Unlike :func:`recbole_dsl.data.pipeline.fingerprint` they tell rows in another order apart,
    which shuffling would lead to other batches.
    """
    parts = {name: loader._dataset for name, loader in loaders.items() if loader is not None}
    found = {f"the rows of {name}": _of_table(part.inter_feat) for name, part in parts.items()}
    whole = parts["train"]
    for name in ("user_feat", "item_feat"):
        table = getattr(whole, name, None)
        if table is not None:
            found[f"the table {name}"] = _of_table(table)
    found["the tokens"] = _of_tokens(whole)
    return found


def _of_table(table: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(table.interaction):
        column: torch.Tensor = table.interaction[name]
        digest.update(f"{name} {column.dtype} {tuple(column.shape)}\n".encode())
        digest.update(np.ascontiguousarray(column.cpu().numpy()).data)
    return digest.hexdigest()


def _of_tokens(dataset: Dataset) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, tokens in sorted(dataset.field2id_token.items()):
        digest.update(f"{name} {len(tokens)}\n".encode())
        digest.update("\n".join(map(str, tokens)).encode())
    return digest.hexdigest()
