"""What loading has left out or filled in of a dataset's files, counted."""

import functools
import math
from typing import Any

import numpy as np

# Left bracket, from, to, right bracket.
Interval = tuple[str, float, float, str]
# RecBole's filters, in its order, and why each leaves rows out.
_FILTERS = {
    "_filter_nan_user_or_item": "no user or item",
    "_remove_duplication": "rm_dup_inter",
    "_filter_by_field_value": "val_interval",
    "_filter_inter_by_user_or_item": "user or item not in the .user or .item file",
    "_filter_by_inter_num": "user_inter_num_interval or item_inter_num_interval",
}
_COUNTS = ("user_inter_num_interval", "item_inter_num_interval")


def data_notes(dataset: Any) -> dict[str, Any]:
    """The notes of a RecBole dataset, plain data that grows while it is loaded.

    Returns:
        ``removed``: reason -> rows, interactions where it names no other file; ``filled``:
        ``<file>.<field>`` -> values that were missing; ``labels``: ``{"field", "rows", "zeros"}``
        of the rows read, or None without any.
    """
    empty: dict[str, Any] = {"removed": {}, "filled": {}, "labels": None}
    notes: dict[str, Any] = vars(dataset).setdefault("data_notes", empty)
    return notes


def note_removed(dataset: Any, reason: str, rows: int) -> None:
    """Add rows that were left out to the notes."""
    if rows:
        removed = data_notes(dataset)["removed"]
        removed[reason] = removed.get(reason, 0) + rows


def counted_filters() -> None:
    """Symptom: the log does not say how many rows the filters remove.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. Can go once RecBole counts
    them.
    """
    from recbole.data.dataset import Dataset, KnowledgeBasedDataset

    link = KnowledgeBasedDataset._filter_link
    if hasattr(link, "__wrapped__"):  # changed already
        return

    def data_filtering(self: Any) -> None:
        for name in _COUNTS:
            try:
                self._parse_intervals_str(self.config[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        feats = {n: f for n in ("user", "item") if (f := getattr(self, f"{n}_feat")) is not None}
        for name, feat in feats.items():
            field = {"user": self.uid_field, "item": self.iid_field}[name]
            missing = int(feat[field].isna().sum())
            note_removed(self, f"rows of the .{name} file without {field}", missing)
        for step, reason in _FILTERS.items():
            before = len(self.inter_feat)
            getattr(self, step)()
            note_removed(self, reason, before - len(self.inter_feat))
        try:
            self._reset_index()
        except ValueError as error:
            removed = data_notes(self)["removed"]
            said = ", ".join(f"{rows:,} ({what})" for what, rows in removed.items())
            raise ValueError(f"{error} Rows left out: {said or 'none'}") from error

    @functools.wraps(link)
    def filter_link(self: Any) -> None:
        before = len(self.inter_feat)
        link(self)
        note_removed(self, "item not in the .link and .kg files", before - len(self.inter_feat))

    Dataset._data_filtering = data_filtering
    KnowledgeBasedDataset._filter_link = filter_link


def note_missing(dataset: Any) -> None:
    """Count the values that RecBole is about to fill: features by ``[PAD]`` or by their mean.

    Raises:
        ValueError: interactions without a user or an item, which only those of
            ``benchmark_filename`` can still have; infinite values that would spread.
    """
    from recbole.utils import FeatureType

    filled = data_notes(dataset)["filled"]
    for name in dataset.feat_name_list:
        feat = getattr(dataset, name)
        own = {"user_feat": dataset.uid_field, "item_feat": dataset.iid_field}.get(name)
        for field in feat:
            kind = dataset.field2type[field]
            if field == own or kind not in (FeatureType.TOKEN, FeatureType.FLOAT):
                continue
            missing = feat[field].isna().to_numpy()
            if kind == FeatureType.TOKEN:
                missing = missing | (feat[field] == 0).to_numpy()
            if own is not None:
                missing = missing[1:]  # row 0 is the padding user's or item's
            if name == "inter_feat" and field in (dataset.uid_field, dataset.iid_field):
                _refuse_missing_ids(dataset, field, missing)
            where = f"{name.removesuffix('_feat')}.{field}"
            if kind == FeatureType.FLOAT:
                _check_finite(dataset, feat[field], where, int(missing.sum()))
            if missing.any():
                filled[where] = int(missing.sum())


def _check_finite(dataset: Any, column: Any, where: str, missing: int) -> None:
    """Infinite values make a mean, by which RecBole fills, and a range, by which it normalises,
    that are none."""
    values = np.asarray(column, np.float64)
    infinite = int(np.isinf(values).sum())
    config, field = dataset.config, where.partition(".")[2]
    normalised = config["normalize_all"] or field in (config["normalize_field"] or ())
    if infinite and (missing or normalised):
        done = f"{missing:,} missing ones would be their mean" if missing else "they are normalised"
        raise ValueError(f"{where} has {infinite:,} infinite values, and {done}")


def _refuse_missing_ids(dataset: Any, field: str, missing: Any) -> None:
    if not missing.any():
        return
    where = "the .inter file"
    if dataset.benchmark_filename_list is not None:
        ends = np.cumsum(dataset.file_size_list)
        counts = [int(part.sum()) for part in np.split(missing, ends[:-1])]
        parts = zip(dataset.benchmark_filename_list, counts, strict=True)
        where = ", ".join(f"{name}.inter ({count:,})" for name, count in parts if count)
    raise ValueError(f"{missing.sum():,} rows have no {field}: {where}")


def strict_intervals() -> None:
    """Symptom: ``val_interval: {rating: '>=3'}`` removes one arbitrary row,
    ``user_inter_num_interval: 5`` none, and both runs go on; a field of tokens with one value in
    place of a list is a TypeError.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1. It warns of an interval that
    it cannot read and goes on without it. Can go once it raises.
    """
    from recbole.data.dataset.dataset import Dataset
    from recbole.utils import FeatureType

    original = Dataset._filter_by_field_value
    if hasattr(original, "__wrapped__"):  # changed already
        return

    def parse_intervals_str(
        self: Any, intervals_str: Any
    ) -> list[tuple[str, float, float, str]] | None:
        return None if intervals_str is None else parse_intervals(intervals_str)

    @functools.wraps(original)
    def filter_by_field_value(self: Any) -> None:
        intervals = self.config["val_interval"] or {}
        if not isinstance(intervals, dict):
            raise ValueError(f"val_interval must be a map of fields, got {intervals!r}")
        for field, wanted in intervals.items():
            kind = self.field2type.get(field)
            if kind == FeatureType.FLOAT:
                try:
                    parse_intervals(wanted)
                except ValueError as error:
                    raise ValueError(f"val_interval: {field}: {error}") from error
            elif kind == FeatureType.TOKEN:
                _check_tokens(field, wanted)
            elif kind is not None:
                raise ValueError(f"val_interval: {field} is a column of sequences ({kind.value})")
        original(self)

    Dataset._parse_intervals_str = parse_intervals_str
    Dataset._filter_by_field_value = filter_by_field_value


def parse_intervals(value: Any) -> list[Interval]:
    """RecBole's intervals, such as ``[3,inf)`` or ``(0,1];[3,4)``, taken
    apart; a list of two numbers is a closed one.

    Raises:
        ValueError: it is none.
    """
    found = []
    for text in str(value).split(";"):
        left, middle, right = text.strip()[:1], text.strip()[1:-1], text.strip()[-1:]
        try:
            low, high = (float(end) for end in middle.split(","))
        except ValueError:
            low = high = math.nan
        if left not in ("(", "[") or right not in (")", "]") or not low <= high:
            raise ValueError(
                f"an interval is written such as [3,inf), (0,5] or [1,2];[4,5], got {value!r}"
            )
        found.append((left, low, high, right))
    return found


def _check_tokens(field: str, wanted: Any) -> None:
    if not isinstance(wanted, (list, tuple, set)) or not wanted:
        raise ValueError(
            f"val_interval: {field} is a column of tokens and takes a list of those to keep, got "
            f"{wanted!r}"
        )
    for token in wanted:
        if not isinstance(token, str):
            raise ValueError(
                f"val_interval: {field}: tokens are text and are written in quotes, got {token!r}"
            )
