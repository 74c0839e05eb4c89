"""Settings that name columns of the atomic files, against load_col and headers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recbole.utils import ModelType

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.config.host_checks import draws_none
from recbole_dsl.config.value_formats import interval

# Suffixes of RecBole's atomic files; additional_feat_suffix names more.
_ALIASES = ("alias_of_user_id", "alias_of_item_id")
_SOURCES = ("inter", "user", "item", "kg", "link", "net")


def check_columns(
    values: Mapping[str, Any], model_type: ModelType, given: Mapping[str, str]
) -> None:
    """Check the settings that name columns against load_col, before any file is read.

    Args:
        values: all settings. model_type: RecBole's kind of the model.
        given: the settings that the user gave -> where.
    Raises:
        UsageError: a file or a column is not loaded, or one that is needed is dropped.
    """
    users, items = values["USER_ID_FIELD"], values["ITEM_ID_FIELD"]
    if users == items:
        raise UsageError(f"USER_ID_FIELD and ITEM_ID_FIELD name the same column, {users!r}")
    if values["LABEL_FIELD"] in (users, items):
        raise UsageError(f"LABEL_FIELD names a column of ids, {values['LABEL_FIELD']!r}")
    _check_ids(values, (users, items))
    _check_sources(values)
    threshold = values["threshold"]
    if threshold is not None and len(threshold) != 1:
        raise UsageError(
            f"threshold must have one column, such as {{rating: 4}}, got {threshold!r}"
        )
    loaded = _loaded(values, _SOURCES)
    for name in ("threshold", "val_interval", "normalize_field", "numerical_features", *_ALIASES):
        if name in given and loaded is not None:
            for field in values[name] or ():
                _check_loaded(name, field, loaded)
    for field, how in (values["discretization"] or {}).items():
        if "method" not in how or (how["method"] == "ED" and "bucket" not in how):
            raise UsageError(
                f"discretization of {field} must be {{method: LD}} or {{method: ED, bucket: N}}, "
                f"got {how!r}"
            )
        if field not in values["numerical_features"]:
            raise UsageError(f"discretization: {field!r} is not among numerical_features")
    _check_labels(values, model_type)


def _check_ids(values: Mapping[str, Any], ids: Iterable[str]) -> None:
    """The columns of users and items are loaded, and kept."""
    loaded = _loaded(values, ("inter",))
    dropped = (values["unused_col"] or {}).get("inter", [])
    for setting, field in zip(("USER_ID_FIELD", "ITEM_ID_FIELD"), ids, strict=True):
        if loaded is not None and field not in loaded:
            raise UsageError(
                f"{setting} {field!r} is not among the columns of .inter that load_col loads: "
                f"{', '.join(loaded) or 'none'}{did_you_mean(field, loaded)}"
            )
        if field in dropped:
            raise UsageError(f"unused_col drops {field!r}, the {setting}")


def _check_sources(values: Mapping[str, Any]) -> None:
    """The files that load_col and its like name are files that are loaded."""
    more = values["additional_feat_suffix"] or []
    known = [*_SOURCES, *([more] if isinstance(more, str) else more)]
    for setting in ("load_col", "unload_col", "unused_col"):
        for source in values[setting] or ():
            if source not in known:
                raise UsageError(
                    f"{setting} has no file {source!r} (known: {', '.join(known)})"
                    f"{did_you_mean(source, known)}"
                )
    chosen = values["load_col"]
    for source in values["unused_col"] or ():
        if chosen is not None and not chosen.get(source):
            raise UsageError(f"unused_col names {source!r}, of which load_col loads nothing")
    for source in values["unload_col"] or ():
        if chosen is not None and chosen.get(source) not in (None, "*"):
            raise UsageError(
                f"load_col and unload_col both name columns of {source!r}: leave one of them out "
                "(load_col: None loads all)"
            )


def _loaded(values: Mapping[str, Any], sources: Iterable[str]) -> list[str] | None:
    """The columns that load_col loads of these files; None where it does not name them."""
    chosen = values["load_col"]
    if chosen is None or "*" in chosen.values():
        return None
    more = values["additional_feat_suffix"] or []
    names = [*sources, *([more] if isinstance(more, str) else more)]
    return [field for source in names for field in chosen.get(source) or ()]


def _check_loaded(setting: str, field: str, loaded: Iterable[str]) -> None:
    if field not in loaded:
        raise UsageError(
            f"{setting}: the column {field!r} is not loaded: load_col must have it beside "
            f"{', '.join(loaded)}{did_you_mean(field, list(loaded))}"
        )


def _check_labels(values: Mapping[str, Any], model_type: ModelType) -> None:
    """What is learned from labels, or evaluated by them, has labels."""
    arguments, mode = values["train_neg_sample_args"], values["eval_args"].get("mode")
    loaded, label = _loaded(values, ("inter",)), values["LABEL_FIELD"]
    if loaded is None or label in loaded or values["threshold"] is not None:
        return
    why = None
    if "labeled" in (mode.values() if isinstance(mode, dict) else [mode]):
        why = "eval_args: mode labeled"
    elif model_type == ModelType.CONTEXT and draws_none(arguments):
        why = "a model that predicts clicks"
    if why:
        raise UsageError(
            f"{why} needs labels: load_col must have the column {label!r} (LABEL_FIELD) of 0 and "
            "1, or threshold make it of another, such as {rating: 4}"
        )


def check_intervals(values: Mapping[str, Any], dataset: str) -> None:
    """``val_interval`` has an interval for a column of numbers, and a list for one of tokens.

    Args:
        values: settings, ``data_path`` with the dataset's own folder in it.
        dataset: its name. Of its files the first lines are read.
    Raises:
        UsageError: a column is in no file, or its values are of the other kind.
    """
    wanted = values["val_interval"]
    if not wanted:
        return
    kinds = _kinds(values, dataset)
    for field, allowed in wanted.items():
        if field not in kinds:
            raise UsageError(
                f"val_interval: no file of {dataset!r} has a column {field!r}"
                f"{did_you_mean(field, kinds)}"
            )
        numbers = kinds[field].startswith("float")
        if numbers != _is_interval(allowed, numbers):
            wants = 'an interval such as "[3,inf)"' if numbers else "a list of the tokens to keep"
            raise UsageError(
                f"{field} of val_interval must be {wants}, as the column is {field}:{kinds[field]},"
                f" got {allowed!r}"
            )


def _is_interval(allowed: Any, numbers: bool) -> bool:
    """Whether a value is one; a list of two is one for a column of numbers alone."""
    if isinstance(allowed, str):
        return True
    try:
        return numbers and bool(interval(allowed))
    except ValueError:
        return False


def _kinds(values: Mapping[str, Any], dataset: str) -> dict[str, str]:
    """The columns of all files of a dataset: name -> type."""
    suffixes = [f".{name}" for name in (*_SOURCES, *(values["additional_feat_suffix"] or ()))]
    found: dict[str, str] = {}
    for path in sorted(Path(values["data_path"]).glob(f"{dataset}.*")):
        if path.suffix not in suffixes:
            continue
        with open(path, encoding=values.get("encoding"), errors="replace") as file:
            header = file.readline(1 << 20).rstrip("\r\n").lstrip("\ufeff")
        for column in header.split(values["field_separator"]):
            name, _, kind = column.partition(":")
            found[name] = kind
    return found
