"""What was imported, in numbers, and as text for a terminal."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recbole_dsl.common import dataset_settings
from recbole_dsl.data.importer.atomic import Interactions
from recbole_dsl.data.importer.interactions import Ids


def _counts(parts: Sequence[Interactions]) -> dict[str, float]:
    """Rows, users, items and so on of the given Interactions together."""
    user, item = (np.concatenate([getattr(p, role) for p in parts]) for role in ("user", "item"))
    per_user = np.bincount(user)
    per_user = per_user[per_user > 0]
    n_items = int(np.count_nonzero(np.bincount(item)))
    counts: dict[str, float] = {
        "rows": len(user),
        "users": len(per_user),
        "items": n_items,
        "density": 100 * len(user) / (len(per_user) * n_items),
        "min": int(per_user.min()),
        "median": float(np.median(per_user)),
        "max": int(per_user.max()),
    }
    times = [part.timestamp for part in parts if part.timestamp is not None]
    if times:  # all parts have them, or none
        counts["first"] = float(min(time.min() for time in times))
        counts["last"] = float(max(time.max() for time in times))
    return counts


def _distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """As np.unique, which hashes since NumPy 2.3 and is several times slower for millions."""
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]


def summarise(parts: Mapping[str, Interactions], users: Ids, items: Ids) -> dict[str, Any]:
    """``parts``, ``notes`` and ``warnings`` of the result of ``import_interactions``."""
    counts = {name: _counts([part]) for name, part in parts.items()}
    if len(parts) > 1:
        counts["all"] = _counts(list(parts.values()))
    pairs = {
        name: _distinct(part.user.astype(np.int64) * len(items.tokens) + part.item)
        for name, part in parts.items()
    }
    for name, part in parts.items():
        counts[name]["repeated"] = len(part.user) - len(pairs[name])
    repeated = [f"{counts[n]['repeated']:,}" + f" in {n}" * (len(parts) > 1) for n in parts]
    notes = [f"rows that repeat a (user, item) pair, kept: {', '.join(repeated)}"]
    warnings = []
    for role, ids in (("user", users), ("item", items)):
        if ids.trimmed:
            notes.append(f"{ids.trimmed:,} {role} ids had blanks around them, which are removed")
    names = list(parts)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            both = len(np.intersect1d(pairs[first], pairs[second], assume_unique=True))
            if both:
                warnings.append(f"{both:,} (user, item) pairs are in both {first} and {second}")
    for name in names[1:]:
        for role in ("user", "item"):
            known, present = (_distinct(getattr(parts[n], role)) for n in (names[0], name))
            new = len(np.setdiff1d(present, known, assume_unique=True))
            if new:
                warnings.append(f"{new:,} {role}s of {name} never occur in {names[0]}")
    return {"parts": counts, "notes": notes, "warnings": warnings}


def _moment(value: float) -> str:
    """A timestamp as it is, with its day where it looks like seconds or milliseconds."""
    seconds = value / 1000 if value >= 1e11 else value
    text = f"{value:.15g}"
    if 1e8 <= seconds < 1e10:
        day = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        text += f" ({day:%Y-%m-%d})"
    return text


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of text as lines, the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells])


def report(result: Mapping[str, Any]) -> str:
    """What :func:`import_interactions` returned, as text for a terminal."""
    head = ["part", "rows", "users", "items", "density %", "rows/user: min", "median", "max"]
    times = "first" in next(iter(result["parts"].values()))
    rows = [head + ["first timestamp", "last timestamp"] * times]
    for name, c in result["parts"].items():
        row = [name, f"{c['rows']:,}", f"{c['users']:,}", f"{c['items']:,}"]
        row += [f"{c['density']:.4g}", f"{c['min']:,}", f"{c['median']:,g}", f"{c['max']:,}"]
        rows.append(row + [_moment(c[key]) for key in ("first", "last") if times])
    lines = [_columns_line(result), *_table(rows), *result["notes"]]
    lines += [f"warning: {warning}" for warning in result["warnings"]]
    lines += [f"wrote {path}" for path in result["files"]]
    folder = Path(result["files"][0]).parent
    return "\n".join([*lines, dataset_settings.read_line(folder.name, result["settings"])])


def _columns_line(result: Mapping[str, Any]) -> str:
    """Which columns were taken, and which of them because of their names."""
    columns, recognised = next(iter(result["columns"].values())), result["recognised"]
    line = "columns: " + ", ".join(f"{role} = {name}" for role, name in columns.items())
    if not recognised:
        return line
    which = "" if len(recognised) == len(columns) else f": {', '.join(recognised)}"
    return f"{line} (recognised by name{which})"
