"""A field of the .user file, read apart from the dataset so that training is the same without it.

RecBole's own loading of a .user file (``load_col``) adds its users to the ids, drops rows of users
it lacks, and hands the field to the models that use features.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from recbole.utils import FeatureType

from recbole_dsl.loading import reading
from recbole_dsl.settings import UsageError, did_you_mean

# Users without a row or a value of the field.
MISSING = "(none)"
# Fields with more values than this are names or numbers, not groups.
_MOST = 100


def check(values, dataset):
    """Raise UsageError unless the .user file of a dataset has the field, with tokens.

    Args:
        values: settings, ``data_path`` with the dataset's own folder in it.
    Returns:
        (path, user column, field column): the file and two names in its header.
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


def of_users(config, dataset):
    """The field's token of every user of a dataset: (U,) str, index 0 the padding user's.

    Raises:
        UsageError: as :func:`check`, or the field has too many values to be groups.
    """
    path, user, field = check(config.final_config_dict, config["dataset"])
    frame = reading.read_csv(
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
    if distinct > _MOST:
        raise UsageError(
            f"group_metrics: user_field {config['group_metrics']['user_field']!r} has {distinct:,} "
            f"values, at most {_MOST} make groups"
        )
    return tokens
