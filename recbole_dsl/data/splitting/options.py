"""Checks of a split's settings, the same for a run and for the command. Knows no RecBole."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from recbole_dsl.common.errors import UsageError, did_you_mean

# Our own splits: name -> the test set that it makes; "iid" may be asked for beside it.
OWN = {"PS": "popularity", "GT": "temporal"}
DEFAULT_SEED = 2020


def check_name(name: object, known: Collection[str]) -> None:
    """The split must be known."""
    if name not in known:
        hint = did_you_mean(name.upper(), known) if isinstance(name, str) else ""
        raise UsageError(f"unknown split {name!r} (known: {', '.join(known)}){hint}")


def check_ratios(name: str, ratios: Any) -> None:
    """Three shares, train, valid and test; they need not sum to 1, as for RecBole's RS."""
    numbers = isinstance(ratios, (list, tuple)) and all(
        isinstance(r, (int, float)) and not isinstance(r, bool) and 0 <= r < float("inf")
        for r in ratios
    )
    if not numbers or len(ratios) != 3 or ratios[0] == 0 or ratios[2] == 0:
        raise UsageError(
            f"{name} takes the shares [train, valid, test], such as [0.7, 0.1, 0.2], train and "
            f"test above 0, got {ratios!r}"
        )


def shares_line(ratios: Sequence[float]) -> str:
    """What a user should know of shares that are fractions and do not add up to 1, 10 or 100; empty
    where they do, or are whole numbers, as 8, 1, 1 are."""
    total = sum(ratios)
    whole = all(ratio == int(ratio) for ratio in ratios)
    if whole or any(abs(total - right) < 1e-6 for right in (1, 10, 100)):
        return ""
    parts = ", ".join(f"{ratio / total:.4f}" for ratio in ratios)
    return f"the shares {list(ratios)} add up to {total:.6g}; they are taken as {parts}"


def check_seed(value: Any) -> None:
    """An integer from 0 to 2**32 - 1, or None."""
    number = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and (not number or not 0 <= value < 2**32):
        raise UsageError(f"split_seed must be an integer from 0 to 2**32 - 1, got {value!r}")


def check_shift(name: str, value: Any) -> None:
    """A number from 0 to 1, for the setting name: split_shift or valid_shift."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise UsageError(
            f"{name} must be from 0 (the data's popularity) to 1 (uniform over items), got "
            f"{value!r}"
        )


def check_shifted_validation(shift: float, split: str, ratios: Any, held_out: float | None) -> None:
    """A valid_shift above 0 needs validation rows that it can draw.

    Args:
        shift: valid_shift, in [0, 1]. split, ratios: of the split; ratios are read for PS alone.
        held_out: the share ``benchmark_valid``, where it draws validation; None where it does not.
    """
    if shift == 0 or held_out or (held_out is None and split == "PS" and ratios[1] > 0):
        return
    if held_out is not None:
        why = "benchmark_valid is 0"
    elif split == "PS":
        why = f"the shares {list(ratios)} have none"
    else:
        why = f"the split is {split}"
    raise UsageError(
        f"valid_shift {shift!r} is for validation rows of split PS or of benchmark_valid, and "
        f"{why} (valid_shift: 0 takes any split)"
    )


def resolve_test_sets(name: str, value: object) -> list[str]:
    """The test sets of split name as a list, from None (its own), a list or "iid, popularity".

    Raises:
        UsageError: a test set that the split does not make, one twice, or none.
    """
    if name not in OWN:
        if value is not None:
            raise UsageError(
                f"test_sets {value!r} needs the split PS or GT; {name} has one test set"
            )
        return ["iid"]
    known = ["iid", OWN[name]]
    given = known[1:] if value is None else value
    if isinstance(given, str):
        given = [word.strip() for word in given.split(",")]
    if not isinstance(given, list) or not given:
        raise UsageError(f"test_sets of {name} must be one or both of {known}, got {value!r}")
    for test_set in given:
        if test_set not in known:
            raise UsageError(
                f"test_sets: {name} has no test set {test_set!r} (known: {', '.join(known)})"
                f"{did_you_mean(test_set, known)}"
            )
    if len(set(given)) < len(given):
        raise UsageError(f"test_sets names one twice: {given}")
    return given


def check_train_share(ratios: Sequence[float], test_sets: Sequence[str]) -> None:
    """Every test set has the stated share, and something must be left to train on."""
    train = 1 - (ratios[1] + len(test_sets) * ratios[2]) / sum(ratios)
    if train < 1e-9:
        raise UsageError(
            f"ratios {list(ratios)}: {len(test_sets)} test sets of that share each leave nothing "
            "to train on"
        )


def left_out_lines(reserved: int, left_out: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Phrases on rows reserved for train and on rows that are in no part.

    Args:
        reserved, left_out: as in :class:`recbole_dsl.data.splitting.Split`.
    """
    lines = []
    if reserved:
        lines.append(f"{reserved:,} rows reserved for train, one of every user and item")
    for part, reasons in left_out.items():
        lines += [f"{n:,} rows of {part} left out ({why})" for why, n in reasons.items() if n]
    return lines
