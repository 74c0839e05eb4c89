"""Diagnosed rows summed up by the popularity of their items, as plain data. Imports numpy only."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recbole_dsl.evaluation.metrics.groups import Groups, by_count

N_GROUPS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def popularity_groups(counts: np.ndarray) -> Groups:
    """Ten groups of items that hold as many training rows each, "1" the least popular.

    That is how the papers of softmax losses report (SGL, SIGIR 2021; SSM, TOIS 2024).

    Args:
        counts: (I,) int. Training rows of each item; that of the padding item 0 is ignored.
    Returns:
        The groups. On few items some may be empty.
    """
    groups = by_count(counts, {str(name): 1 for name in range(N_GROUPS, 0, -1)})
    member = np.where(groups.member < 0, -1, N_GROUPS - 1 - groups.member)
    return groups._replace(names=groups.names[::-1], member=member, edges=groups.edges[::-1])


def describe(groups: Groups, counts: np.ndarray) -> list[dict[str, Any]]:
    """What each group holds: ``[{"name", "items", "rows", "edges"}, ...]``, least popular first.

    ``rows`` are all training rows of the group's items; ``edges`` the lowest and the highest count
    of an item, None where the group has no item.
    """
    described = zip(
        groups.names, groups.sizes().tolist(), groups.sums(counts).tolist(), groups.edges,
        strict=True,
    )  # fmt: skip
    return [
        {"name": name, "items": items, "rows": int(rows), "edges": edges and list(edges)}
        for name, items, rows, edges in described
    ]


def of_positives(
    groups: Groups, items: np.ndarray, values: Mapping[str, np.ndarray]
) -> dict[str, dict[str, dict[str, Any] | None]]:
    """Mean and quantiles of every value over all rows and over those of each positive's group.

    Args:
        groups: of items.
        items: (N,) int, the rows' positives.
        values: name -> (N,) float.
    Returns:
        name -> "all" or a group's name -> ``{"mean": ..., "quantiles": [...]}`` at
        :data:`QUANTILES`, or None where no row is in the group.
    """
    of_row = groups.member[items]
    chosen = {"all": np.ones(len(items), dtype=bool)}
    chosen.update((name, of_row == group) for group, name in enumerate(groups.names))
    return {
        value: {name: _summary(numbers[rows]) for name, rows in chosen.items()}
        for value, numbers in values.items()
    }


def _summary(numbers: np.ndarray) -> dict[str, Any] | None:
    if len(numbers) == 0:
        return None
    quantiles = np.quantile(numbers, QUANTILES).tolist()
    return {"mean": float(numbers.mean()), "quantiles": quantiles}


def of_negatives(groups: Groups, mass: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Shares of the negatives' mass by their group, which sum to 1: ``{name: {group: share}}``.

    Args:
        groups: of items.
        mass: name -> (I,) float. Mass of each item as a negative.
    """
    shares = {}
    for name, sums in mass.items():
        of_group = groups.sums(sums)
        shares[name] = dict(zip(groups.names, (of_group / of_group.sum()).tolist(), strict=True))
    return shares
