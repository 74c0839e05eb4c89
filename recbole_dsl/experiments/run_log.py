"""RecBole's log to the terminal and to log/<model>/, for one run."""

import contextlib
import logging
from collections.abc import Iterator

from recbole.utils import init_logger
from recbole.utils.logger import RemoveColorFilter

from recbole_dsl.common import distributed
from recbole_dsl.config.run_config import Config


@contextlib.contextmanager
def logged(config: Config) -> Iterator[None]:
    """Write RecBole's log while the block runs; in several processes, the main one writes it.

    RecBole's own call does nothing in a process whose root logger has a handler, so that a second
    run would write into the first one's file.
    """
    handlers = _handlers(config)
    try:
        yield
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()


def _handlers(config: Config) -> list[logging.Handler]:
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers = []
    if distributed.world().main:
        init_logger(config)
    else:
        logging.basicConfig(
            level=logging.WARNING, format=f"process {distributed.world().rank}: %(message)s"
        )
    handlers, root.handlers = root.handlers, root.handlers + before
    for handler in handlers:
        if type(handler) is logging.StreamHandler and not handler.stream.isatty():
            handler.addFilter(RemoveColorFilter())
    return handlers
