"""The settings of the dataset that is split, and those that its parts need."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recbole_dsl.common import dataset_settings
from recbole_dsl.common.property_files import read_yaml

# The usual name of a column -> the setting that has another one.
_FIELDS = {"user_id": "USER_ID_FIELD", "item_id": "ITEM_ID_FIELD", "timestamp": "TIME_FIELD"}
_PARTS = "benchmark_filename"
# Settings that say which rows a dataset has and how they are divided. Lines are copied as they are,
# and the parts that are made are taken as they are.
_OF_ROWS = {
    _PARTS, "benchmark_valid", "drop_zero_labels", "eval_args", "filter_inter_by_user_or_item",
    "item_inter_num_interval", "rm_dup_inter", "split_seed", "split_shift", "test_sets",
    "user_inter_num_interval", "val_interval", "valid_shift",
}  # fmt: skip


class SourceSettings:
    """What ``<dataset>.yaml`` says of the dataset to split; nothing where it is not there.

    Args:
        source: the dataset's .inter file.
    Raises:
        UsageError: the settings cannot be read.
    """

    def __init__(self, source: Path) -> None:
        self._path = dataset_settings.path_in(source.parent)
        self._values = read_yaml(self._path) if self._path.is_file() else {}

    def id_fields(self, *given: str | None) -> tuple[str, str, str]:
        """The columns of users, items and times: as given, else as set, else as they are usually
        called."""
        user, item, timestamp = (
            str(self._values.get(setting, usual)) if name is None else name
            for (usual, setting), name in zip(_FIELDS.items(), given, strict=True)
        )
        return user, item, timestamp

    def of_parts(
        self, columns: Sequence[str], fields: Sequence[str], parts: Sequence[str]
    ) -> dict[str, Any]:
        """The settings of the dataset that is made.

        Args:
            columns: of the .inter file. fields: of :meth:`id_fields`. parts: their names.
        """
        usual = {*fields, self._values.get("RATING_FIELD", "rating")}
        names = zip(_FIELDS.items(), fields, strict=True)
        return {
            "load_col": {"inter": [name for name in columns if name in usual]},
            **{key: value for key, value in self._values.items() if key not in _OF_ROWS},
            **{setting: field for (name, setting), field in names if field != name},
            _PARTS: list(parts),
        }

    def notes(self) -> list[str]:
        """A sentence on settings that the split does not apply, if there are any."""
        left = sorted(self._values.keys() & _OF_ROWS - {_PARTS})
        return [f"not applied, of {self._path}: {', '.join(left)}"] if left else []
