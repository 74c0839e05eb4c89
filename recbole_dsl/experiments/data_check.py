"""Whether the data of many runs can be used at all, found out before the first of them."""

import logging
from collections.abc import Callable, Iterable

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data import pipeline


def check_data(configs: Iterable[Callable[[], Config]]) -> None:
    """Read and split a dataset as the first of some models that can do it.

    Args:
        configs: each makes the settings of a model; the first that is right ends the check.
    Raises:
        UsageError: the data can be used by none of them; what it says for the first.
    """
    first: UsageError | None = None
    for make in configs:
        try:
            _read(make())
            return
        except UsageError as error:
            first = first or error
    if first is not None:
        raise first


def _read(config: Config) -> None:
    """Without the notes on the data that each run's own log has."""
    silent = logging.NullHandler()  # a logger without any handler prints warnings
    logging.getLogger().addHandler(silent)
    try:
        pipeline.split_dataset(config, pipeline.load_dataset(config))
    finally:
        logging.getLogger().removeHandler(silent)
