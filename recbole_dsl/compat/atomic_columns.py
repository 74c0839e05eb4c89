"""The columns of atomic files against the settings that name them."""

import functools
import os
from collections.abc import Collection
from typing import Any

import numpy as np

from recbole_dsl.common.errors import did_you_mean
from recbole_dsl.compat.atomic_rows import read_header, undecodable
from recbole_dsl.compat.data_notes import note_removed


def checked_columns() -> None:
    """Symptom: ``not enough values to unpack`` for a header that is none, ``KeyError`` for a file
    without the id columns, and nothing at all for a column in ``load_col`` that no file has, one
    that ready parts give two types, or one that is in two files.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. Can go once RecBole checks
    headers.
    """
    from recbole.data.dataset import KnowledgeBasedDataset, SequentialDataset
    from recbole.data.dataset.dataset import Dataset

    load, load_inter = Dataset._load_feat, Dataset._load_inter_feat
    if hasattr(load, "__wrapped__"):  # changed already
        return

    @functools.wraps(load)
    def load_feat(self: Any, filepath: str, source: Any) -> Any:
        chosen = self._get_load_and_unload_col(source)
        encoding = self.config["encoding"]
        if chosen[0] != set():
            header = read_header(filepath, self.config["field_separator"], encoding)
            _check_named(filepath, header, chosen)
            if source == "link":
                _check_link(self, filepath, header, chosen)
            _check_has_rows(filepath, source)
        before = dict(self.field2source), dict(self.field2type)
        try:
            frame = load(self, filepath, source)
        except UnicodeDecodeError as error:
            raise undecodable(filepath, encoding, error) from error
        except ValueError as error:
            if "convert string to float" not in str(error):
                raise
            raise ValueError(f"{filepath}, a column float_seq: {error}") from error
        _check_numbers_of_sequences(self, frame, filepath)
        _check_same_type(self, frame, filepath, source, *before)
        _note_repeated(self, frame, filepath, getattr(source, "value", source))
        return frame

    @functools.wraps(load_inter)
    def load_inter_feat(self: Any, token: str, dataset_path: str) -> None:
        load_inter(self, token, dataset_path)
        _check_ids(self)
        if isinstance(self, SequentialDataset):
            _check_sequences(self)
        read = ("inter", "user", "item", *(self.config["additional_feat_suffix"] or ()))
        graph = isinstance(self, KnowledgeBasedDataset)
        for setting in ("load_col", "unload_col"):
            for suffix in self.config[setting] or ():
                path = os.path.join(dataset_path, f"{token}.{suffix}")
                if suffix not in read and not (graph and suffix in ("kg", "link")):
                    self.logger.warning(
                        f"{setting}: {suffix}: {self.config['model']} reads no .{suffix} file; "
                        "ignored"
                    )
                elif suffix != "inter" and not os.path.isfile(path):
                    self.logger.warning(f"{setting}: {suffix}: there is no file {path}; ignored")

    Dataset._load_feat, Dataset._load_inter_feat = load_feat, load_inter_feat


def one_entity_of_an_item() -> None:
    """Symptom: ``KeyError`` of an entity, or wrong ids, where a .link file gives two items one
    entity or an item two.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. It keeps the last of each
    and then counts on as many items as entities. Can go once RecBole checks the links.
    """
    from recbole.data.dataset import KnowledgeBasedDataset

    load = KnowledgeBasedDataset._load_link
    if hasattr(load, "__wrapped__"):  # changed already
        return

    @functools.wraps(load)
    def load_link(self: Any, token: str, dataset_path: str) -> Any:
        entities, items = load(self, token, dataset_path)
        if not all(isinstance(name, str) for name in [*entities, *items]):
            raise ValueError(f"{token}.link has rows without an item or an entity")
        for item, entity in entities.items():
            if items[entity] != item:
                raise ValueError(
                    f"{token}.link links the items {item} and {items[entity]} to one entity, "
                    f"{entity}: RecBole takes one item for each"
                )
        for entity, item in items.items():
            if entities[item] != entity:
                raise ValueError(
                    f"{token}.link links the item {item} to {entity} and {entities[item]}: RecBole "
                    "takes one entity for each"
                )
        return entities, items

    KnowledgeBasedDataset._load_link = load_link


def _check_numbers_of_sequences(dataset: Any, frame: Any, path: str) -> None:
    """No number of a float_seq is nan, which RecBole fills in columns of single numbers alone."""
    for field in () if frame is None else frame:
        if dataset.field2type[field].value != "float_seq":
            continue
        for row, values in enumerate(frame[field], 1):
            if np.isnan(values).any():
                raise ValueError(f"{path}, row {row}, column {field}: nan in a float_seq")


def _check_same_type(
    dataset: Any, frame: Any, path: str, source: Any, sources: Any, types: Any
) -> None:
    """A column is of one file, or of one type in all parts of a ready split; RecBole keeps what the
    last file says of a name."""
    ids = {dataset.config["USER_ID_FIELD"]: "user", dataset.config["ITEM_ID_FIELD"]: "item"}
    name, suffix = os.path.basename(path), getattr(source, "value", source)
    for field in () if frame is None or source == "link" else frame:
        kind = dataset.field2type[field].value
        if field in (dataset.config["numerical_features"] or ()) and "float" not in kind:
            raise ValueError(f"numerical_features: {field}:{kind} is no column of numbers")
        if field in ids:
            if kind != "token":
                raise ValueError(f"{name}: the column {field}:{kind} must be {field}:token")
            if suffix not in ("inter", ids[field]):
                raise ValueError(
                    f"{name}: the column {field!r} is of .inter and .{ids[field]} alone"
                )
        elif field in sources and sources[field] != source:
            first = getattr(sources[field], "value", sources[field])
            raise ValueError(
                f"{name}: the column {field!r} is in the .{first} file too, and RecBole keeps one "
                "of them: rename it, or leave it out by load_col"
            )
        elif field in types and types[field].value != kind:
            raise ValueError(
                f"{name}: the column {field}:{kind} is {field}:{types[field].value} in another part"
            )


def _note_repeated(dataset: Any, frame: Any, path: str, source: str) -> None:
    """Of rows of one user or item in their files RecBole keeps the first."""
    setting = {"user": "USER_ID_FIELD", "item": "ITEM_ID_FIELD"}.get(source)
    if frame is None or setting is None:
        return
    field = dataset.config[setting]
    if field not in frame:
        raise ValueError(
            f"{setting}: {os.path.basename(path)} has no column {field!r}, or load_col leaves it "
            f"out (loaded: {', '.join(frame)}){did_you_mean(field, list(frame))}"
        )
    rows = int(frame[field].duplicated().sum())
    note_removed(dataset, f"rows of the .{source} file that repeat {field}", rows)


def _check_has_rows(path: str, source: Any) -> None:
    """RecBole cuts the last letter off a header without a line end, and takes no sequences from no
    rows. A part of a ready split may be empty."""
    with open(path, "rb") as file:
        ended = file.readline().endswith(b"\n")
        rows = any(line.strip() for line in file)
    if not ended or not (rows or getattr(source, "value", source) == "inter"):
        raise ValueError(f"{path} has no rows")


def _check_ids(dataset: Any) -> None:
    """The interactions have the columns of users and items, of tokens."""
    loaded = [] if dataset.inter_feat is None else list(dataset.inter_feat)
    for setting in ("USER_ID_FIELD", "ITEM_ID_FIELD"):
        field = dataset.config[setting]
        if field is None:
            continue
        if field not in loaded:
            raise ValueError(
                f"{setting}: the .inter file has no column {field!r}, or load_col leaves it out "
                f"(loaded: {', '.join(loaded) or 'none'}){did_you_mean(field, loaded)}"
            )
        kind = dataset.field2type[field].value
        if kind != "token":
            raise ValueError(f"{setting}: the column {field}:{kind} must be {field}:token")
        _check_one_line(dataset.inter_feat[field].unique(), field)


def _check_sequences(dataset: Any) -> None:
    """The columns that RecBole makes of sequences are not there yet, or, in ready parts, are."""
    config, loaded = dataset.config, list(dataset.inter_feat)
    suffix, length = config["LIST_SUFFIX"], config["ITEM_LIST_LENGTH_FIELD"]
    items = f"{dataset.iid_field}{suffix}"
    if dataset.benchmark_filename_list is not None:
        if items not in loaded:
            raise ValueError(
                f"benchmark_filename: for {config['model']} the parts have sequences, in the "
                f"column {items}:token_seq (ITEM_ID_FIELD and LIST_SUFFIX), loaded (load_col)"
            )
        return
    for made in (length, *(f"{field}{suffix}" for field in loaded)):
        if made in loaded:
            raise ValueError(
                f"the column {made!r} is what {config['model']} names a column of its own by "
                f"ITEM_LIST_LENGTH_FIELD {length!r} or LIST_SUFFIX {suffix!r}: choose other names"
            )


def _check_named(path: str, header: Collection[str], chosen: Any) -> None:
    """The columns that load_col and unload_col name are in the file."""
    for setting, names in zip(("load_col", "unload_col"), chosen, strict=True):
        for name in sorted(names or ()):
            if name not in header:
                raise ValueError(
                    f"{setting}: {os.path.basename(path)} has no column {name!r} "
                    f"(columns: {', '.join(header)}){did_you_mean(name, header)}"
                )


def _check_link(dataset: Any, path: str, header: Collection[str], chosen: Any) -> None:
    """A .link file has one column of items and one of entities; RecBole knows no type of others."""
    load, unload = chosen
    loaded = [name for name in header if name in (header if load is None else load)]
    loaded = [name for name in loaded if name not in (unload or ())]
    names = [dataset.config[setting] for setting in ("ITEM_ID_FIELD", "ENTITY_ID_FIELD")]
    if sorted(loaded) != sorted(names):
        raise ValueError(
            f"{os.path.basename(path)}: the columns {' and '.join(names)} (ITEM_ID_FIELD, "
            f"ENTITY_ID_FIELD) are to be loaded, and no others: {', '.join(loaded) or 'none'}"
        )


def _check_one_line(tokens: Any, field: str) -> None:
    """No id goes on in the next line; one that does has swallowed rows after a stray quote."""
    for token in tokens:
        if isinstance(token, str) and ("\n" in token or "\r" in token):
            shown = token if len(token) <= 40 else f"{token[:40]}..."
            raise ValueError(
                f"{field} {shown!r} goes on in the next line: a double quote opens it, and rows "
                "are part of it"
            )
