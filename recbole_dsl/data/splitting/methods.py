"""Splits of interactions: arrays in, the rows of each part out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from recbole_dsl.data.splitting.popularity_draw import draw_by_item

_Codes = npt.NDArray[np.int32]
_Rows = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


class Split(NamedTuple):
    """The rows of each part.

    Attributes:
        parts: name -> (N,) int64, ascending row numbers; "train", "valid", and either "test" or,
            where several test sets are asked for, "test_iid" and the like.
        reserved: rows that were set apart for train before anything was drawn.
        left_out: part -> {reason: rows} of rows that are in no part.
    """

    parts: dict[str, _Rows]
    reserved: int
    left_out: dict[str, dict[str, int]]


def part_names(test_sets: Sequence[str]) -> list[str]:
    """Names of the parts: train, valid, and test or one ``test_<name>`` for each of several."""
    tests = ["test"] if len(test_sets) == 1 else [f"test_{name}" for name in test_sets]
    return ["train", "valid", *tests]


def popularity_split(
    users: npt.ArrayLike,
    items: npt.ArrayLike,
    ratios: Sequence[float],
    *,
    seed: int,
    shift: float = 1.0,
    valid_shift: float = 0.0,
    test_sets: Sequence[str] = ("popularity",),
) -> Split:
    """Test rows drawn towards uniform over items, validation rows from the rest.

    1. One random row of every item, and of every user whom these do not cover, is reserved for
       train, so that every user and item of valid and test occurs in train and no row is lost.
    2. The popularity test set is drawn from the other rows by :func:`draw_by_item`, where an
       item's rows are those that are not reserved.
    3. The i.i.d. test set and validation are drawn uniformly from the unreserved rows still there,
       so that they follow train, and choices made on validation know nothing of the shift.
    4. With valid_shift above 0, validation is drawn in its place by :func:`draw_by_item` from the
       unreserved rows that no test set has, so that choices made on it know of a shift. The rows of
       the test sets do not depend on it.

    The last ratio is the share of each test set; train has what the others leave.

    Args:
        users, items: (N,) int. Ids of the interactions; how they are numbered does not matter.
        ratios: train, valid and test; normalised to sum 1, counts rounded down.
        seed: int; the same seed and rows give the same split.
        shift: in [0, 1]; 1 uniform over items, 0 the data's popularity.
        valid_shift: in [0, 1]; the same for validation.
        test_sets: one or both of "iid" and "popularity".
    Returns:
        :class:`Split`.
    Raises:
        ValueError: fewer unreserved rows than valid and test need, or a test set without rows.
    """
    rng = np.random.default_rng(seed)
    users, items = _codes(users), _codes(items)
    n_valid, n_test = map(int, _counts(np.array(len(users)), ratios, len(test_sets)))
    reserved = _cover(users, items, rng)
    free = np.flatnonzero(~reserved)
    _check_free(len(free), n_valid + n_test * len(test_sets), len(users))
    drawn = {}
    if "popularity" in test_sets:
        taken = draw_by_item(items[free], n_test, shift, rng)
        drawn["popularity"] = free[taken]
        free = np.delete(free, taken)
    free = rng.permutation(free)
    drawn["valid"], free = free[:n_valid], free[n_valid:]
    if "iid" in test_sets:
        drawn["iid"], free = free[:n_test], free[n_test:]
    if valid_shift:
        free = np.concatenate((drawn["valid"], free))
        drawn["valid"] = free[draw_by_item(items[free], n_valid, valid_shift, rng)]
    return _split(len(users), drawn, test_sets, int(reserved.sum()), {})


def temporal_split(
    users: npt.ArrayLike,
    items: npt.ArrayLike,
    timestamps: npt.ArrayLike,
    ratios: Sequence[float],
    *,
    seed: int,
    test_sets: Sequence[str] = ("temporal",),
) -> Split:
    """The latest rows of all are test, the latest of the rest validation.

    Rows of equal time at a boundary are drawn at random. The i.i.d. test set is drawn uniformly
    from the rows before validation, all but one random row of every item and uncovered user. Rows
    of validation and of the temporal test set whose user or item has no row in train are left out
    and counted; the shares are of all rows, before leaving out.

    Args:
        users, items: (N,) int.
        timestamps: (N,) finite numbers.
        ratios, seed: as for :func:`popularity_split`.
        test_sets: one or both of "iid" and "temporal".
    Returns:
        :class:`Split`; ``left_out`` is {part: {"user not in train": rows, "item not in train":
        rows}}, a row that lacks both counted under its user.
    Raises:
        ValueError: a timestamp is not finite, too few rows, or a test set without rows.
    """
    rng = np.random.default_rng(seed)
    users, items, timestamps = _codes(users), _codes(items), np.asarray(timestamps, np.float64)
    if missing := int((~np.isfinite(timestamps)).sum()):
        raise ValueError(
            f"timestamps must be finite numbers: {missing:,} of {len(users):,} rows have none"
        )
    n_valid, n_test = map(int, _counts(np.array(len(users)), ratios, len(test_sets)))
    rest, drawn, reserved = np.arange(len(users)), {}, 0
    for name, count in (("temporal", n_test), ("valid", n_valid)):
        if name == "valid" or name in test_sets:
            late = _latest(timestamps[rest], count, rng)
            drawn[name], rest = rest[late], rest[~late]
    if "iid" in test_sets:
        kept = _cover(_codes(users[rest]), _codes(items[rest]), rng)
        free = rest[~kept]
        _check_free(len(free), n_test, len(users))
        drawn["iid"], reserved = rng.permutation(free)[:n_test], int(kept.sum())
    is_train = np.zeros(len(users), bool)
    is_train[rest] = True
    is_train[drawn.get("iid", [])] = False
    left_out = {}
    for name in drawn.keys() - {"iid"}:
        new_user = ~_seen(users, is_train)[users[drawn[name]]]
        new_item = ~_seen(items, is_train)[items[drawn[name]]] & ~new_user
        left_out[name] = {
            "user not in train": int(new_user.sum()),
            "item not in train": int(new_item.sum()),
        }
        drawn[name] = drawn[name][~(new_user | new_item)]
    return _split(len(users), drawn, test_sets, reserved, left_out, is_train)


def random_split(
    users: npt.ArrayLike, items: npt.ArrayLike, ratios: Sequence[float], *, seed: int
) -> Split:
    """Each user's rows at random: the law of RecBole's ``RS`` grouped by user.

    Each user's counts of valid and test rows are rounded down, so that every user has train rows;
    an item may have none, which :func:`recbole_dsl.data.splitting.describe` counts.

    Args, Returns, Raises:
        as for :func:`popularity_split`.
    """
    rng = np.random.default_rng(seed)
    users = _codes(users)
    rows = len(users)
    order = rng.permutation(rows)
    order = order[np.argsort(users[order], kind="stable")]
    counts = np.bincount(users)
    place = np.arange(rows) - np.repeat(np.cumsum(counts) - counts, counts)
    n_valid, n_test = (np.repeat(n, counts) for n in _counts(counts, ratios, 1))
    drawn = {
        "iid": order[place < n_test],
        "valid": order[(place >= n_test) & (place < n_test + n_valid)],
    }
    return _split(rows, drawn, ("iid",), 0, {})


def hold_out_shifted(
    users: npt.ArrayLike, items: npt.ArrayLike, count: int, *, seed: int, shift: float
) -> tuple[_Rows, int]:
    """Validation rows of a ready training set, drawn by :func:`draw_by_item`.

    One random row of every item, and of every user whom these do not cover, stays in train, as in
    :func:`popularity_split`; an item's rows are those that may leave.

    Args:
        users, items: (N,) int. Ids of the training rows.
        count: validation rows to draw. seed: int. shift: in [0, 1].
    Returns:
        (count,) int64, ascending row numbers; and how many rows were reserved for train.
    Raises:
        ValueError: fewer than count rows may leave.
    """
    rng = np.random.default_rng(seed)
    users, items = _codes(users), _codes(items)
    reserved = _cover(users, items, rng)
    free = np.flatnonzero(~reserved)
    _check_free(len(free), count, len(users), "valid needs", "benchmark_valid")
    taken = draw_by_item(items[free], count, shift, rng)
    return np.sort(free[taken]), int(reserved.sum())


def _codes(ids: npt.ArrayLike) -> _Codes:
    """Ids as 0, 1, ... in order of first appearance, so that their numbering has no effect."""
    codes: _Codes = pd.factorize(np.asarray(ids))[0].astype(np.int32)
    return codes


def _counts(
    rows: npt.NDArray[np.int64], ratios: Sequence[float], n_tests: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of valid and of each test set, for numbers of rows."""
    total = sum(ratios)
    valid, test = (np.floor(rows * (r / total) + 1e-9).astype(np.int64) for r in ratios[1:])
    if np.any(valid + n_tests * test >= np.maximum(rows, 1)):
        raise ValueError(f"ratios {list(ratios)} with {n_tests} test sets leave no row to train on")
    return valid, test


def _check_free(
    free: int,
    wanted: int,
    rows: int,
    needed: str = "valid and test need",
    lower: str = "the ratios",
) -> None:
    if wanted > free:
        raise ValueError(
            f"{needed} {wanted:,} rows, but only {free:,} of {rows:,} can leave train: one row of "
            f"every user and item stays there. Lower {lower} or filter rare users and items "
            "(user_inter_num_interval, item_inter_num_interval)"
        )


def _cover(users: _Codes, items: _Codes, rng: np.random.Generator) -> _Mask:
    """(N,) bool: a random row of every item, and of every user whom these leave out."""
    reserved = np.zeros(len(users), bool)
    order = rng.permutation(len(users))
    row_of = np.empty(items.max(initial=-1) + 1, np.int64)
    row_of[items[order]] = order  # the last row of the random order stays
    reserved[row_of] = True
    order = order[~_seen(users, reserved)[users[order]]]
    rng.shuffle(order)  # anew: these rows are those that were not last
    row_of = np.full(users.max(initial=-1) + 1, -1)
    row_of[users[order]] = order
    reserved[row_of[row_of >= 0]] = True
    return reserved


def _seen(codes: _Codes, rows: _Mask) -> _Mask:
    """(C,) bool: which codes occur in the given rows."""
    seen = np.zeros(codes.max(initial=-1) + 1, bool)
    seen[codes[rows]] = True
    return seen


def _latest(times: npt.NDArray[np.float64], count: int, rng: np.random.Generator) -> _Mask:
    """(N,) bool: the count latest rows, at random among those of equal time at the boundary."""
    if count == 0:
        return np.zeros(len(times), bool)
    boundary = np.partition(times, len(times) - count)[len(times) - count]
    late: _Mask = times > boundary
    ties = np.flatnonzero(times == boundary)
    late[rng.permutation(ties)[: count - late.sum()]] = True
    return late


def _split(
    rows: int,
    drawn: Mapping[str, _Rows],
    test_sets: Sequence[str],
    reserved: int,
    left_out: Mapping[str, dict[str, int]],
    is_train: _Mask | None = None,
) -> Split:
    """The Split, with the drawn rows under the names of the parts; train is what is not drawn."""
    if is_train is None:
        is_train = np.ones(rows, bool)
        for taken in drawn.values():
            is_train[taken] = False
    sources = ("valid", *test_sets)
    names = dict(zip(sources, part_names(test_sets)[1:], strict=True))
    parts = {"train": np.flatnonzero(is_train)}
    for source in sources:
        if source != "valid" and len(drawn[source]) == 0:
            raise ValueError(f"no row of {rows:,} is left for the {source} test set")
        parts[names[source]] = np.sort(drawn[source])
    return Split(parts, reserved, {names[s]: left_out[s] for s in sources if s in left_out})
