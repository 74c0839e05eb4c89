"""A split as RecBole's atomic files, with a card that says how it was made."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from recbole_dsl.common import dataset_settings
from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.file_sets import updated_folder
from recbole_dsl.data.splitting import options
from recbole_dsl.data.splitting.inter_file import InterFile
from recbole_dsl.data.splitting.methods import (
    Split,
    popularity_split,
    random_split,
    temporal_split,
)
from recbole_dsl.data.splitting.source_settings import SourceSettings
from recbole_dsl.data.splitting.statistics import describe

NAMES = (*options.OWN, "RS")
_COPIED = ("user", "item", "kg", "link", "net")  # files beside the interactions


def write_split(
    dataset: str,
    split: str = "PS",
    ratios: Sequence[float] = (0.7, 0.1, 0.2),
    *,
    split_seed: int = options.DEFAULT_SEED,
    split_shift: float = 1.0,
    valid_shift: float = 0.0,
    test_sets: str | Sequence[str] | None = None,
    output: str | None = None,
    data_path: str | os.PathLike[str] = "dataset",
    user: str | None = None,
    item: str | None = None,
    timestamp: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Split ``<dataset>.inter`` into ``<output>.train.inter``, ..., and write ``<output>.yaml``.

    Every line is copied as it is, in the order of the source. Of the same rows, settings and seed,
    a run and this make the same PS or GT split; RS has the law of RecBole's RS, by user, with
    random numbers of its own.

    Args:
        dataset: name; "ml-100k" is the one that RecBole brings, as for a run.
        split, ratios, split_seed, split_shift, valid_shift, test_sets: as the settings of a run.
        output: name of the dataset to make in data_path; None: <dataset>-<split>.
        user, item, timestamp: columns, the last for GT only; None: what ``<dataset>.yaml`` says,
            else user_id, item_id, timestamp.
        overwrite: whether files of the same name are replaced; parts of another split then go, and
            settings that were changed by hand are kept under another name.
    Returns:
        dict: the card, ``<output>.split.json``; the ``settings`` of ``<output>.yaml``, ``files``
        written, ``removed``, and the sentences ``notes``.
    Raises:
        UsageError: anything that cannot be done; nothing has been written. WriteError: the disk's.
    """
    settings = _checked(split, ratios, split_seed, (split_shift, valid_shift), test_sets)
    table = InterFile(source := _source(str(dataset), Path(data_path)))
    own = SourceSettings(source)
    fields = own.id_fields(user, item, timestamp)
    users, items, times = table.read(*fields[:2], fields[2] if split == "GT" else None)
    usable = np.flatnonzero((users >= 0) & (items >= 0))
    users, items = users[usable], items[usable]
    times = None if times is None else times[usable]
    made = _split(source, split, users, items, times, ratios, settings)
    card = {
        "source": f"{dataset}.inter",
        "source_rows": table.rows,
        "split": {split: list(ratios)},
        **settings,
        **_outcome(made, users, items, missing=table.rows - len(usable)),
    }
    name, parts = f"{dataset}-{split.lower()}" if output is None else str(output), list(made.parts)
    folder, of_parts = _folder(name, Path(data_path)), own.of_parts(table.fields, fields, parts)
    others, notes = dataset_settings.files_of(folder, "split", of_parts)
    part = _part_of_rows(table.rows, [usable[rows] for rows in made.parts.values()])
    targets = _targets(source, folder, parts, card, others)
    written = _write(targets, lambda files: table.copy(part, files), overwrite)
    notes += own.notes()
    return {**card, "parts": parts, "settings": of_parts, "notes": notes, **written}


def _outcome(
    made: Split, users: npt.NDArray[np.int32], items: npt.NDArray[np.int32], *, missing: int
) -> dict[str, Any]:
    """What the card says of a split as it came out.

    Args:
        users, items: codes of the rows. missing: rows of the source without a user or an item.
    """
    of_source = {"the source": {"no user or item": missing}} if missing else {}
    return {
        "reserved": made.reserved,
        "left_out": of_source | made.left_out,
        "popularity": describe(users, items, made.parts),
        "versions": {"numpy": np.__version__, "pandas": pd.__version__},
    }


def _checked(
    split: str,
    ratios: Sequence[float],
    seed: int,
    shifts: tuple[float, float],
    test_sets: object,
) -> dict[str, Any]:
    """The options of a split's function, as they are on the card.

    Args:
        shifts: of the test rows and of the validation rows.
    Raises:
        UsageError: one of them is wrong, or does not go with another.
    """
    options.check_name(split, NAMES)
    options.check_ratios(f"--ratios of {split}", ratios)
    options.check_seed(seed)
    for name, shift in zip(("split_shift", "valid_shift"), shifts, strict=True):
        options.check_shift(name, shift)
    options.check_shifted_validation(shifts[1], split, ratios, None)
    sets = options.resolve_test_sets(split, test_sets)
    options.check_train_share(ratios, sets)
    settings: dict[str, Any] = {"seed": seed}
    if split == "PS":
        settings["shift"], settings["valid_shift"] = shifts
    if split in options.OWN:
        settings["test_sets"] = sets
    return settings


def _split(
    source: Path,
    name: str,
    users: npt.NDArray[np.int32],
    items: npt.NDArray[np.int32],
    times: npt.NDArray[np.float64] | None,
    ratios: Sequence[float],
    settings: dict[str, Any],
) -> Split:
    try:
        if name == "PS":
            return popularity_split(users, items, ratios, **settings)
        if times is not None:
            return temporal_split(users, items, times, ratios, **settings)
        return random_split(users, items, ratios, **settings)
    except ValueError as error:
        raise UsageError(f"{source}: split {name} cannot be made: {error}") from error


def _part_of_rows(n_rows: int, parts: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int8]:
    """(N,) number of the part of each row, -1 where it is in none."""
    part = np.full(n_rows, -1, np.int8)
    for number, rows in enumerate(parts):
        part[rows] = number
    return part


def _targets(
    source: Path,
    folder: Path,
    parts: Sequence[str],
    card: dict[str, Any],
    others: Mapping[str, bytes],
) -> dict[Path, bytes | Path | None]:
    """Path -> what goes there: bytes, a file to copy, or None for the rows of the next part.

    Args:
        others: name -> content of more files.
    """
    name = folder.name
    targets: dict[Path, bytes | Path | None] = {
        folder / f"{name}.{part}.inter": None for part in parts
    }
    targets[folder / f"{name}.split.json"] = (json.dumps(card, indent=2) + "\n").encode()
    targets |= {folder / other: content for other, content in others.items()}
    if folder.resolve() != source.parent.resolve():
        for suffix in _COPIED:
            if (path := source.with_suffix(f".{suffix}")).is_file():
                targets[folder / f"{name}.{suffix}"] = path
    return targets


def _source(dataset: str, data_path: Path) -> Path:
    """The file to split."""
    if dataset == "ml-100k":  # RecBole reads its own copy, always
        recbole = importlib.util.find_spec("recbole")
        if recbole is None or recbole.origin is None:
            raise UsageError("ml-100k comes with RecBole, which is not installed")
        data_path = Path(recbole.origin).parent / "dataset_example"
    path = data_path / dataset / f"{dataset}.inter"
    if not path.is_file():
        known = [p.name for p in data_path.iterdir() if p.is_dir()] if data_path.is_dir() else []
        raise UsageError(f"there is no file {path}{did_you_mean(dataset, ['ml-100k', *known])}")
    return path


def _folder(name: str, data_path: Path) -> Path:
    """Where the files of the dataset to make go."""
    if not re.fullmatch(r"[^./\\\s]([^/\\]*[^/\\\s])?", name):
        raise UsageError(f"--output must be the name of a folder, got {name!r}")
    if name == "ml-100k":
        raise UsageError("RecBole reads its own copy of ml-100k, always: choose another --output")
    return data_path / name


def _write(
    targets: Mapping[Path, bytes | Path | None],
    copy_rows: Callable[[Sequence[BinaryIO]], None],
    overwrite: bool,
) -> dict[str, list[str]]:
    """Write the files of :func:`_targets`, all or none; copy_rows writes those of the parts.

    Returns:
        ``files``, and ``removed``: names of parts of another split, which the folder has lost.
    """
    folder = next(iter(targets)).parent
    left_over = _left_over(targets)
    there = [path.name for path in targets if path.exists()] + left_over
    if there and not overwrite:
        raise UsageError(
            f"{folder} already holds {', '.join(there)}; --overwrite (overwrite=True) replaces them"
        )
    with updated_folder(folder, without=left_over) as made:
        _write_rows([made / p.name for p, content in targets.items() if content is None], copy_rows)
        for path, content in targets.items():
            if isinstance(content, Path):
                shutil.copyfile(content, made / path.name)
            elif content is not None:
                (made / path.name).write_bytes(content)
    return {"files": [str(path) for path in targets], "removed": left_over}


def _left_over(targets: Mapping[Path, object]) -> list[str]:
    """Parts of another split in the folder that this one has not: a run would mix the two."""
    folder = next(iter(targets)).parent
    parts = ["train", "valid", "test", *(f"test_{set_}" for set_ in ("iid", *options.OWN.values()))]
    names = [f"{folder.name}.{part}.inter" for part in parts]
    new = {path.name for path in targets}
    return [name for name in names if name not in new and (folder / name).exists()]


def _write_rows(paths: Sequence[Path], copy_rows: Callable[[Sequence[BinaryIO]], None]) -> None:
    with contextlib.ExitStack() as stack:
        copy_rows([stack.enter_context(open(path, "wb")) for path in paths])
