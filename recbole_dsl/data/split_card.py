"""What a split's parts hold: sizes, popularity, and how they were made, as data and in the log."""

import logging
from collections.abc import Mapping
from logging import getLogger
from typing import Any

import numpy as np
import torch
from recbole.data.dataset import Dataset

from recbole_dsl.data import splitting
from recbole_dsl.data.splitting import options
from recbole_dsl.data.splitting.statistics import popularity_line


def sizes(parts: Mapping[str, Dataset | None]) -> dict[str, dict[str, int]]:
    """Rows, users and items of each part: ``{"train": {"rows": ..., ...}, ...}``.

    Args:
        parts: name -> RecBole dataset, or None for an empty part.
    """
    found = {}
    for name, part in parts.items():
        if part is None:
            found[name] = {"rows": 0, "users": 0, "items": 0}
            continue
        users, items = part.inter_feat[part.uid_field], part.inter_feat[part.iid_field]
        found[name] = {
            "rows": len(part),
            "users": int(torch.bincount(users).count_nonzero()),
            "items": int(torch.bincount(items).count_nonzero()),
        }
    return found


def card(parts: Mapping[str, Dataset | None], notes: Mapping[str, Any]) -> dict[str, Any]:
    """How a split was made and what its parts hold, as plain data.

    Args:
        parts: name -> RecBole dataset, or None for an empty part.
        notes: of :class:`recbole_dsl.data.partition.Partition`.
    Returns:
        The notes, and ``popularity``: part -> :func:`recbole_dsl.data.splitting.describe`.
    """
    columns, rows, before = [], {}, 0
    for name, part in parts.items():
        size = 0 if part is None else len(part)
        rows[name] = np.arange(before, before + size)
        before += size
        if part is not None and size:
            feat = part.inter_feat
            columns.append((feat[part.uid_field].numpy(), feat[part.iid_field].numpy()))
    users, items = (np.concatenate(ids) for ids in zip(*columns, strict=True))
    return {**notes, "popularity": splitting.describe(users, items, rows)}


def log_sizes(sizes_of_parts: Mapping[str, Mapping[str, int]]) -> None:
    """One line that says how large each part is, in rows, users and items."""
    parts = ", ".join(
        f"{name} {size['rows']:,} rows / {size['users']:,} users / {size['items']:,} items"
        for name, size in sizes_of_parts.items()
    )
    getLogger().info(f"split: {parts}")


def _unknown_to_train(size: Mapping[str, Any]) -> list[str]:
    return [
        f"{size[f'new_{role}_rows']:,} rows of {size[f'new_{role}s']:,} {role}s"
        for role in ("user", "item")
        if size.get(f"new_{role}_rows")
    ]


def log_card(made: Mapping[str, Any], *, repeats: bool = False) -> None:
    """A line on item popularity, one on what was reserved or left out, and one for each part with
    users or items that train lacks, a warning where the parts were ready; and warnings of ready
    parts without rows, and of rows that train has too.

    Args:
        made: of :func:`card`. repeats: whether users may meet an item again.
    """
    logger = getLogger()
    logger.info(popularity_line(made["popularity"]))
    ready = isinstance(made["split"], dict) and "benchmark_filename" in made["split"]
    for name, size in made["popularity"].items():
        if phrases := _unknown_to_train(size):
            logger.log(
                logging.WARNING if ready else logging.INFO,
                f"{name}: {' and '.join(phrases)} that train lacks; their scores are those of "
                "untrained vectors",
            )
        if ready and not size["rows"] and name != "valid":
            logger.warning(f"{name}: its file has no rows")
        if size.get("repeated_rows") and not repeats:
            logger.warning(
                f"{name}: {size['repeated_rows']:,} of {size['rows']:,} rows are of a user and an "
                "item that are a row of train too, which the model has learned"
                + ("" if ready else "; rm_dup_inter: first keeps one of repeated rows")
            )
    lines = options.left_out_lines(made.get("reserved", 0), made.get("left_out", {}))
    if lines:
        logger.info(f"split by seed {made['seed']}: {'; '.join(lines)}")
