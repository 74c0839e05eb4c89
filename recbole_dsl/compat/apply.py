"""All changes to RecBole and to the libraries under it, in one call.

Each function applied here says its symptom, where it was reported, which versions show it, and when
it can go. They help RecBole's own models too: call :func:`apply` at the top of a script.
"""

import importlib.metadata

from recbole_dsl.compat.atomic_columns import checked_columns, one_entity_of_an_item
from recbole_dsl.compat.data_notes import counted_filters, strict_intervals
from recbole_dsl.compat.dependency_fixes import (
    harmless_warnings,
    numpy_aliases,
    pandas_agg,
    pandas_fillna,
    scipy_dok_update,
)
from recbole_dsl.compat.exact_time import exact_time_order, splits_by_time, stable_duplicates
from recbole_dsl.compat.labels import zero_labels
from recbole_dsl.compat.recbole_fixes import (
    bars_that_go,
    coverage_metrics,
    download_barrier,
    folders_made_twice,
    missing_ids,
    tensorboard_of_each_process,
)

_TESTED = ("1.2.1",)


def apply() -> None:
    """Apply every change; calling it again changes nothing more.

    Raises:
        ImportError: RecBole is missing, or of a version these changes were not written for.
    """
    try:
        version = importlib.metadata.version("recbole")
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(
            "RecBole is not installed: pip install --no-deps recbole==1.2.1 (see README.md)"
        ) from None
    if version not in _TESTED:
        raise ImportError(f"recbole_dsl works with recbole {', '.join(_TESTED)}, found {version}")
    for change in (
        numpy_aliases,
        scipy_dok_update,
        pandas_fillna,
        pandas_agg,
        missing_ids,
        coverage_metrics,
        download_barrier,
        folders_made_twice,
        tensorboard_of_each_process,
        bars_that_go,
        checked_columns,
        one_entity_of_an_item,
        zero_labels,
        strict_intervals,
        counted_filters,
        stable_duplicates,
        exact_time_order,
        splits_by_time,
        harmless_warnings,
    ):
        change()
