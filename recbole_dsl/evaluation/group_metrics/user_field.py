"""A field of the .user file, read apart from the dataset so that training is the same without it.

RecBole's own loading of a .user file (``load_col``) adds its users to the ids, drops rows of users
it lacks, and hands the field to the models that use features.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from recbole.utils import FeatureType

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.compat import atomic_reader

# Users without a row or a value of the field.
MISSING = "(none)"
# Fields with more values than this are names or numbers, not groups.
_MOST_GROUPS = 100


def check_user_field(values: Mapping[str, Any], dataset: str) -> tuple[Path, str, str]:
    """Check that the .user file of a dataset has the field, with tokens.

    Args:
        values: settings, ``data_path`` with the dataset's own folder in it.
        dataset: its name.
    Returns:
        (path, user column, field column): the file and two names in its header.
    Raises:
        UsageError: there is no such file, or no such field of tokens in it.
    """
    field = values["group_metrics"]["user_field"]
    path = Path(values["data_path"]) / f"{dataset}.user"
    if not path.is_file():
        raise UsageError(f"group_metrics: user_field {field!r}: there is no file {path}")
    with open(path, encoding=values.get("encoding")) as file:
        header = file.readline().rstrip("\r\n").split(values["field_separator"])
    columns = {column.partition(":")[0]: column for column in header}
    user = values["USER_ID_FIELD"]
    fields = {
        name: column
        for name, column in columns.items()
        if name != user and column.endswith(f":{FeatureType.TOKEN.value}")
    }
    if user not in columns:
        raise UsageError(f"group_metrics: user_field: {path} has no column {user!r}")
    if field not in fields:
        raise UsageError(
            f"group_metrics: user_field {field!r} is not among the token fields of {path}: "
            f"{', '.join(fields) or 'there are none'}{did_you_mean(field, fields)}"
        )
    return path, columns[user], fields[field]


def read_user_field(config: Any, dataset: Any) -> np.ndarray:
    """The field's token of every user of a RecBole Dataset: (U,) str, index 0 the padding user's.

    Raises:
        UsageError: as :func:`check_user_field`, or the field has too many values to be groups.
    """
    path, user, field = check_user_field(config.final_config_dict, config["dataset"])
    frame = atomic_reader.read_csv(
        path,
        delimiter=config["field_separator"],
        usecols=[user, field],
        dtype={user: str, field: str},
        encoding=config["encoding"],
        engine="python",
    )
    table = pd.Series(frame[field].to_numpy(object), index=frame[user].to_numpy(object))
    table = table[~table.index.duplicated()]
    users = np.asarray(dataset.field2id_token[dataset.uid_field]).astype(str).astype(object)
    tokens = table.reindex(users).fillna(MISSING).to_numpy(object).astype(str)
    distinct = len(np.unique(tokens[1:]))
    if distinct > _MOST_GROUPS:
        raise UsageError(
            f"group_metrics: user_field {config['group_metrics']['user_field']!r} has {distinct:,} "
            f"values, at most {_MOST_GROUPS} make groups"
        )
    return tokens
