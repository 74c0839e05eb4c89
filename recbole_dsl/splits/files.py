"""A split as RecBole's atomic files, with a card that says how it was made."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from recbole_dsl.settings import UsageError, did_you_mean
from recbole_dsl.splits import options
from recbole_dsl.splits.measures import describe
from recbole_dsl.splits.rows import popularity_split, random_split, temporal_split
from recbole_dsl.splits.table import InterFile

NAMES = (*options.OWN, "RS")
_COPIED = ("user", "item", "kg", "link", "net")  # files beside the interactions


def write_split(
    dataset,
    split="PS",
    ratios=(0.7, 0.1, 0.2),
    *,
    split_seed=options.DEFAULT_SEED,
    split_shift=1.0,
    test_sets=None,
    output=None,
    data_path="dataset",
    user="user_id",
    item="item_id",
    timestamp="timestamp",
    overwrite=False,
):
    """Split ``<data_path>/<dataset>/<dataset>.inter`` into ``<output>.train.inter`` and so on.

    Every line is copied as it is, in the order of the source. Of the same rows, settings and seed,
    a run and this make the same PS or GT split; RS has the law of RecBole's RS, by user, with draws
    of its own.

    Args:
        dataset: name; "ml-100k" is the one that RecBole brings, as for a run.
        split, ratios, split_seed, split_shift, test_sets: as the settings of a run.
        output: name of the dataset to make in data_path; None: <dataset>-<split>.
        user, item, timestamp: columns; the last for GT only.
        overwrite: whether files of the same name are replaced.
    Returns:
        dict: the card (what ``<output>.split.json`` holds), and ``files`` written.
    Raises:
        UsageError: anything that cannot be done, in one line; nothing has been written.
    """
    options.check_name(split, NAMES)
    options.check_ratios(f"--ratios of {split}", ratios)
    options.check_seed(split_seed)
    options.check_shift(split_shift)
    sets = options.resolve_test_sets(split, test_sets)
    options.check_share(ratios, sets)
    source = _source(str(dataset), Path(data_path))
    table = InterFile(source)
    users, items, times = table.read(user, item, timestamp if split == "GT" else None)
    there = np.flatnonzero((users >= 0) & (items >= 0))
    users, items = users[there], items[there]
    settings = {"seed": split_seed}
    try:
        if split == "PS":
            settings.update(shift=split_shift, test_sets=sets)
            made = popularity_split(users, items, ratios, **settings)
        elif split == "GT":
            settings["test_sets"] = sets
            made = temporal_split(users, items, times[there], ratios, **settings)
        else:
            made = random_split(users, items, ratios, **settings)
    except ValueError as error:
        raise UsageError(f"{source}: split {split} cannot be made: {error}") from error
    missing = table.rows - len(there)
    left_out = {"the source": {"no user or item": missing}} if missing else {}
    left_out |= made.left_out
    card = {
        "source": f"{dataset}.inter",
        "source_rows": table.rows,
        "split": {split: list(ratios)},
        **settings,
        "reserved": made.reserved,
        "left_out": left_out,
        "popularity": describe(users, items, made.parts),
        "versions": {"numpy": np.__version__, "pandas": pd.__version__},
    }
    part = np.full(table.rows, -1, np.int8)
    for number, rows in enumerate(made.parts.values()):
        part[there[rows]] = number
    name = f"{dataset}-{split.lower()}" if output is None else str(output)
    folder = _folder(name, Path(data_path))
    targets = {folder / f"{name}.{key}.inter": None for key in made.parts}
    targets[folder / f"{name}.split.json"] = (json.dumps(card, indent=2) + "\n").encode()
    if folder.resolve() != source.parent.resolve():
        for suffix in _COPIED:
            if (path := source.with_suffix(f".{suffix}")).is_file():
                targets[folder / f"{name}.{suffix}"] = path
    _write(targets, lambda files: table.copy(part, files), overwrite)
    return {**card, "parts": list(made.parts), "files": [str(path) for path in targets]}


def _source(dataset, data_path):
    if dataset == "ml-100k":  # RecBole reads its own copy, always
        host = importlib.util.find_spec("recbole")
        if host is None:
            raise UsageError("ml-100k comes with RecBole, which is not installed")
        data_path = Path(host.origin).parent / "dataset_example"
    path = data_path / dataset / f"{dataset}.inter"
    if not path.is_file():
        known = [p.name for p in data_path.iterdir() if p.is_dir()] if data_path.is_dir() else []
        raise UsageError(f"there is no file {path}{did_you_mean(dataset, ['ml-100k', *known])}")
    return path


def _folder(name, data_path):
    if not re.fullmatch(r"[^./\\\s]([^/\\]*[^/\\\s])?", name):
        raise UsageError(f"--output must be the name of a folder, got {name!r}")
    if name == "ml-100k":
        raise UsageError("RecBole reads its own copy of ml-100k, always: choose another --output")
    return data_path / name


def _write(targets, copy_rows, overwrite):
    """Write path -> bytes, a file to copy, or None for ``copy_rows``' next file: all, or none."""
    folder = next(iter(targets)).parent
    there = [path.name for path in targets if path.exists()]
    if there and not overwrite:
        raise UsageError(f"{folder} already holds {', '.join(there)}; --overwrite replaces them")
    temporary = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in targets}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = [temporary[path] for path, content in targets.items() if content is None]
        _write_rows(rows, copy_rows)
        for path, content in targets.items():
            if isinstance(content, Path):
                shutil.copyfile(content, temporary[path])
            elif content is not None:
                temporary[path].write_bytes(content)
        for path in targets:
            os.replace(temporary[path], path)
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error}") from error
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _write_rows(paths, copy_rows):
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(path, "wb")) for path in paths]
        copy_rows(files)
        for file in files:
            file.flush()
            os.fsync(file.fileno())
