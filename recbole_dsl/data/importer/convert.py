"""Interaction files in, RecBole's atomic files out."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recbole_dsl.common import dataset_settings
from recbole_dsl.common.errors import UsageError
from recbole_dsl.data.importer.atomic import FIELDS, Interactions, write_atomic_files
from recbole_dsl.data.importer.interactions import (
    AUTO,
    Ids,
    choose_columns,
    read_interactions,
    unused_columns,
)
from recbole_dsl.data.importer.summary import summarise
from recbole_dsl.data.importer.tables import Table, open_table
from recbole_dsl.data.importer.times import Times

_Path = str | os.PathLike[str]


def import_interactions(
    source: _Path | None = None,
    *,
    dataset: str,
    train: _Path | None = None,
    valid: _Path | None = None,
    test: _Path | None = None,
    data_path: _Path = "dataset",
    user: str = AUTO,
    item: str = AUTO,
    rating: str | None = AUTO,
    timestamp: str | None = AUTO,
    header: bool = True,
    sep: str | None = None,
    encoding: str = "utf-8",
    quotes: bool = True,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write the atomic files of a dataset: all of them, or nothing where anything is wrong.

    With them goes ``<dataset>.yaml``, the settings that a run of the dataset needs and reads.

    Args:
        source: one file, for RecBole to split; or, instead,
        train, valid, test: a ready split; valid may be left out.
        dataset, data_path: the files go to ``<data_path>/<dataset>/``.
        user, item, rating, timestamp: columns, "auto" to recognise them, None to leave out the
            last two; numbers from 1 where header is False.
        header, sep, encoding, quotes: see :func:`recbole_dsl.data.importer.tables.open_table`.
        overwrite: whether files of the same name are replaced; settings that were written or
            changed by hand are kept under another name.
    Returns:
        A dict: ``files`` written, ``settings`` in the last of them, ``columns`` of each file,
        ``recognised``, those of them that were found by their names, ``parts`` (name -> counts,
        "all" for them together), and the sentences ``notes`` and ``warnings``.
    Raises:
        UsageError: anything that cannot be done. WriteError: the system refuses to write the files.
    """
    sources = _sources(source, train=train, valid=valid, test=test)
    targets = _targets(sources, str(dataset), Path(data_path), overwrite)
    wanted = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    tables = {name: open_table(p, sep, header, encoding, quotes) for name, p in sources.items()}
    columns = {name: choose_columns(table, **wanted) for name, table in tables.items()}
    _check_same_fields(tables, columns)
    users, items, times = Ids(), Ids(), Times()
    parts = {
        name: read_interactions(table, columns[name], users, items, times)
        for name, table in tables.items()
    }
    summary = summarise(parts, users, items)
    summary["notes"] += _not_used(tables, columns) + times.notes()
    recognised = [role for role in _of_first(columns) if header and wanted[role] == AUTO]
    of_columns = {"columns": columns, "recognised": recognised}
    written = _write(parts, targets, users, items, _settings(columns, sources))
    summary["notes"] += written.pop("notes")
    return {**written, **of_columns, **summary}


def _write(
    parts: Mapping[str, Interactions],
    targets: Mapping[str, Path],
    users: Ids,
    items: Ids,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Write the files; ``files``, ``settings`` and ``notes`` of the result."""
    left_over, folder = _left_over(targets), next(iter(targets.values())).parent
    others, notes = dataset_settings.files_of(folder, "import", settings)
    ids = users.tokens, items.tokens
    write_atomic_files(parts, targets, *ids, others=others, without=left_over)
    notes += [f"{name} of the split that was there is removed" for name in left_over]
    files = [str(path) for path in (*targets.values(), dataset_settings.path_in(folder))]
    return {"files": files, "settings": settings, "notes": notes}


def _of_first(columns: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """The columns of the first file; the others have the same roles."""
    return next(iter(columns.values()))


def _settings(
    columns: Mapping[str, Mapping[str, str]], sources: Mapping[str, _Path]
) -> dict[str, Any]:
    """What a run must know of the files that are written."""
    fields = [FIELDS[role].split(":")[0] for role in _of_first(columns)]
    settings: dict[str, Any] = {"load_col": {"inter": fields}}
    if "all" not in sources:
        settings["benchmark_filename"] = list(sources)
    return settings


def _sources(source: _Path | None, **split: _Path | None) -> dict[str, _Path]:
    given = {name: path for name, path in split.items() if path is not None}
    if source is not None and given:
        raise UsageError(f"give either one file or --train and --test, not {source} and both")
    if source is not None:
        return {"all": source}
    if not given:
        raise UsageError("no file is given: FILE, or --train=FILE --test=FILE (see --help)")
    for name in ("train", "test"):
        if name not in given:
            raise UsageError(
                f"--{name}=FILE is missing beside {', '.join(f'--{n}' for n in given)}"
            )
    return given


def _targets(
    parts: Iterable[str], dataset: str, data_path: Path, overwrite: bool
) -> dict[str, Path]:
    if not re.fullmatch(r"[^./\\\s]([^/\\]*[^/\\\s])?", dataset):
        raise UsageError(f"--dataset must be the name of a folder, got {dataset!r}")
    if dataset == "ml-100k":
        raise UsageError("RecBole reads its own copy of ml-100k, always: choose another --dataset")
    folder = data_path / dataset
    names = {part: "" if part == "all" else f".{part}" for part in parts}
    targets = {part: folder / f"{dataset}{name}.inter" for part, name in names.items()}
    paths = [*targets.values(), dataset_settings.path_in(folder)]
    there = [path.name for path in paths if path.exists()] + _left_over(targets)
    if there and not overwrite:
        raise UsageError(
            f"{folder} already holds {', '.join(there)}; --overwrite (overwrite=True) replaces them"
        )
    return targets


def _not_used(tables: dict[str, Table], columns: dict[str, dict[str, str]]) -> list[str]:
    """A sentence for each file that has columns which are not read."""
    unused = {name: unused_columns(table, columns[name]) for name, table in tables.items()}
    return [
        "columns not used"
        + (f" of {name}" if len(tables) > 1 else "")
        + f": {', '.join(names[:20])}"
        + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")
        for name, names in unused.items()
        if names
    ]


def _check_same_fields(tables: dict[str, Table], columns: dict[str, dict[str, str]]) -> None:
    """RecBole joins the parts of a split, so all have a rating or none, and so for timestamps."""
    for role in ("rating", "timestamp"):
        with_it = [name for name in columns if role in columns[name]]
        without = [name for name in columns if role not in columns[name]]
        if with_it and without:
            raise UsageError(
                f"{tables[with_it[0]].path} has a {role} ({columns[with_it[0]][role]}) and "
                f"{tables[without[0]].path} has none: name it, or leave it out with --{role}=None"
            )


def _left_over(targets: Mapping[str, Path]) -> list[str]:
    """Files of a split in the folder that this one does not replace: a run would mix the two."""
    if "all" in targets:
        return []
    folder = next(iter(targets.values())).parent
    others = [part for part in ("train", "valid", "test") if part not in targets]
    names = [f"{folder.name}.{part}.inter" for part in others]
    return [name for name in names if (folder / name).exists()]
