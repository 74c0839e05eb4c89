"""Interaction files in, RecBole's atomic files out."""

import os
import re
from pathlib import Path

from recbole_dsl.importer.atomic import write_atomic_files
from recbole_dsl.importer.interactions import AUTO, Ids, choose_columns, read_interactions
from recbole_dsl.importer.report import summarise
from recbole_dsl.importer.tables import open_table
from recbole_dsl.settings import UsageError


def import_interactions(
    source=None,
    *,
    dataset,
    train=None,
    valid=None,
    test=None,
    data_path="dataset",
    user=AUTO,
    item=AUTO,
    rating=AUTO,
    timestamp=AUTO,
    header=True,
    sep=None,
    encoding="utf-8",
    quotes=True,
    overwrite=False,
):
    """Write the atomic files of a dataset: all of them, or nothing where anything is wrong.

    Args:
        source: one file, for RecBole to split; or, instead,
        train, valid, test: a ready split; valid may be left out.
        dataset, data_path: the files go to ``<data_path>/<dataset>/``.
        user, item, rating, timestamp: columns, "auto" to recognise them, None to leave out the
            last two; numbers from 1 where header is False.
        header, sep, encoding, quotes: see :func:`recbole_dsl.importer.tables.open_table`.
        overwrite: whether files of the same name are replaced.
    Returns:
        A dict: ``files`` written, ``benchmark_filename`` (None without a split), ``columns`` of
        each file, ``parts`` (name -> counts, "all" for them together), and the sentences
        ``notes`` and ``warnings``.
    Raises:
        UsageError: anything that cannot be done, in one line.
    """
    sources = _sources(source, train=train, valid=valid, test=test)
    targets = _targets(sources, str(dataset), Path(data_path), overwrite)
    wanted = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    users, items, parts, columns = Ids(), Ids(), {}, {}
    tables = {name: open_table(p, sep, header, encoding, quotes) for name, p in sources.items()}
    for name, table in tables.items():
        columns[name] = choose_columns(table, **wanted)
    _same_fields(tables, columns)
    for name, table in tables.items():
        parts[name] = read_interactions(table, columns[name], users, items)
    result = {
        "files": [str(path) for path in targets.values()],
        "benchmark_filename": list(parts) if source is None else None,
        "columns": columns,
        **summarise(parts, users, items),
    }
    try:
        write_atomic_files(parts, targets, users.tokens, items.tokens)
    except OSError as error:
        raise UsageError(f"cannot write {Path(data_path) / dataset}: {error}") from error
    return result


def _sources(source, **split):
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


def _targets(sources, dataset, data_path, overwrite):
    if not re.fullmatch(r"[^./\\\s]([^/\\]*[^/\\\s])?", dataset):
        raise UsageError(f"--dataset must be the name of a folder, got {dataset!r}")
    if dataset == "ml-100k":
        raise UsageError("RecBole reads its own copy of ml-100k, always: choose another --dataset")
    folder = data_path / dataset
    names = {part: "" if part == "all" else f".{part}" for part in sources}
    targets = {part: folder / f"{dataset}{name}.inter" for part, name in names.items()}
    there = [path.name for path in targets.values() if os.path.exists(path)]
    if there and not overwrite:
        raise UsageError(f"{folder} already holds {', '.join(there)}; --overwrite replaces them")
    return targets


def _same_fields(tables, columns):
    """RecBole joins the parts of a split, so all have a rating, or none; so for timestamps."""
    for role in ("rating", "timestamp"):
        with_it = [name for name in columns if role in columns[name]]
        without = [name for name in columns if role not in columns[name]]
        if with_it and without:
            raise UsageError(
                f"{tables[with_it[0]].path} has a {role} ({columns[with_it[0]][role]}) and "
                f"{tables[without[0]].path} has none: name it, or leave it out with --{role}=None"
            )
