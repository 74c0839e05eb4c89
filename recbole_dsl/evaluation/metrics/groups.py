"""Groups of items or users by how often they occur in the training rows, or by a name that each
has. Imports numpy only."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Edges = tuple[tuple[int, int] | None, ...]


class Groups(NamedTuple):
    """A partition of ids 1..N-1; id 0 is padding and belongs to none.

    Attributes:
        names: G names, in the order shown.
        member: (N,) int64. Each id's group in [0, G), -1 for id 0.
        edges: (lowest, highest) count of each group's ids; None for a group without any.
    """

    names: tuple[str, ...]
    member: npt.NDArray[np.int64]
    edges: Edges

    def sizes(self) -> npt.NDArray[np.int64]:
        """(G,) int64. How many ids each group has."""
        return np.bincount(self.member[1:], minlength=len(self.names))

    def sums(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(G,) sums over each group of (N,) ``values``, such as its share of the interactions."""
        return np.bincount(self.member[1:], values[1:], minlength=len(self.names))


def by_count(counts: npt.ArrayLike, groups: int | Mapping[Any, float]) -> Groups:
    """Groups of ids by their counts.

    Args:
        counts: (N,) int >= 0. Training rows of each id; that of id 0 is ignored.
        groups: an int G, for G groups with as equal a number of ids as can be, named "1" (the
            fewest rows) to "G" (the most); or a map of names to shares, ids with the most rows
            first, for groups that hold about these shares of the training rows: ``{"head": 1,
            "mid": 1, "tail": 1}`` is a third each. Shares are relative to their sum. An id whose
            rows cross an edge belongs to the group where they begin; ids without rows to the last.
    Returns:
        :class:`Groups`. Ids of equal count are ordered by id, so that a group may begin with the
        count with which another ends.
    Raises:
        ValueError: ``groups`` is neither an int >= 1 nor a map of names to numbers > 0.

    The papers of softmax losses report ten groups of equal rows (SGL, SIGIR 2021; SSM, TOIS 2024),
    which is a map of ten names to 1.

    Example:
        >>> by_count([0, 5, 1, 3, 0, 1], {"head": 1, "tail": 1}).member.tolist()
        [-1, 0, 1, 1, 1, 1]
        >>> by_count([0, 5, 1, 3, 0, 1], 2).member.tolist()
        [-1, 1, 0, 1, 0, 0]
    """
    check_groups(groups)
    rows = np.asarray(counts)
    ids = np.arange(1, len(rows))
    member = np.full(len(rows), -1)
    if isinstance(groups, int):
        names = tuple(str(group) for group in range(1, groups + 1))
        order = ids[np.argsort(rows[1:], kind="stable")]
        member[order] = np.arange(len(order)) * groups // max(len(order), 1)
    else:
        names = tuple(map(str, groups))
        order = ids[np.argsort(-rows[1:], kind="stable")]
        before = rows[order].cumsum() - rows[order]  # rows of the more popular ids
        edges = np.cumsum(list(groups.values()))
        # both sides multiplied out, so that whole shares are compared exactly
        member[order] = np.searchsorted(
            edges[:-1] * rows[1:].sum(), before * edges[-1], side="right"
        )
        member[ids[rows[1:] == 0]] = len(names) - 1
    return Groups(names, member, _edges(rows, member, len(names)))


def by_name(counts: npt.ArrayLike, names: Sequence[str] | npt.NDArray[np.str_]) -> Groups:
    """Groups of ids that have the same name, such as users of one occupation.

    Args:
        counts: (N,) int >= 0. Training rows of each id, for the groups' edges.
        names: N str, each id's name; that of id 0 is ignored.
    Returns:
        :class:`Groups`. In the order of the names, as numbers where all of them are integers.

    Example:
        >>> by_name([0, 5, 1, 3], ["", "M", "F", "M"])[:2]
        (('F', 'M'), array([-1,  1,  0,  1]))
    """
    distinct, member = np.unique(np.asarray(names, dtype=str)[1:], return_inverse=True)
    if all(name.isdecimal() for name in distinct):
        order = np.argsort(distinct.astype(np.int64), kind="stable")
        distinct, member = distinct[order], np.argsort(order)[member]
    member = np.concatenate(([-1], member))
    return Groups(
        tuple(distinct.tolist()), member, _edges(np.asarray(counts), member, len(distinct))
    )


def check_groups(groups: Any) -> None:
    """Raise ValueError unless :func:`by_count` takes ``groups``."""
    if isinstance(groups, dict):
        good = groups and all(_is_number(s) and 0 < s < np.inf for s in groups.values())
    else:
        good = isinstance(groups, int) and not isinstance(groups, bool) and groups >= 1
    if not good:
        raise ValueError(
            "groups must be an integer >= 1, or a map of names to shares > 0 such as "
            f"{{head: 1, mid: 1, tail: 1}}, got {groups!r}"
        )


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _edges(counts: Ints, member: Ints, n_groups: int) -> Edges:
    found: list[tuple[int, int] | None] = []
    for group in range(n_groups):
        of_group = counts[member == group]
        found.append((int(of_group.min()), int(of_group.max())) if len(of_group) else None)
    return tuple(found)
