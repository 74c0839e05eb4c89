"""RecBole's log to the terminal and to log/<model>/, for one run."""

import contextlib
import logging
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from recbole.utils import init_logger
from recbole.utils.logger import RemoveColorFilter

from recbole_dsl.common import distributed
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import system_words
from recbole_dsl.config.run_config import Config


@contextlib.contextmanager
def logged(config: Config) -> Iterator[None]:
    """Write RecBole's log while the block runs; in several processes, the main one writes it.

    RecBole's own call does nothing in a process whose root logger has a handler, so that a second
    run would write into the first one's file. After a mistake of the user's, the file is removed,
    with what RecBole's trainer has made by then: TensorBoard's folder, which is named after the
    log, and an empty checkpoint_dir.

    Raises:
        OSError: there can be no such file.
    """
    folders = [Path("log") / config["model"], Path("log"), Path("log_tensorboard")]
    checkpoints = Path(config["checkpoint_dir"])
    folders += [checkpoints, *checkpoints.parents]
    missing = [path for path in folders if not path.exists()]
    handlers = _handlers(config)
    for handler in handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handleError = _end_of(handler)  # type: ignore[method-assign, assignment]
    kept = True
    try:
        yield
    except UsageError:
        kept = False
        raise
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
            with contextlib.suppress(OSError):  # a full disk, which has been said
                handler.close()
            if isinstance(handler, logging.FileHandler) and not kept:
                log = Path(handler.baseFilename)
                log.unlink(missing_ok=True)
                shutil.rmtree(Path("log_tensorboard") / log.stem, ignore_errors=True)
        for path in () if kept else missing:
            with contextlib.suppress(OSError):
                path.rmdir()


def _end_of(handler: logging.FileHandler) -> Callable[[logging.LogRecord], None]:
    """Says once that a log cannot be written to any more; the run goes on without it."""

    def said(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            logging.Handler.handleError(handler, record)
            return
        logging.getLogger().removeHandler(handler)
        name = os.path.relpath(handler.baseFilename)
        logging.getLogger().warning(f"{name}: {system_words(error)}: the log ends here")

    return said


class _NamedApart:
    """What RecBole's logger reads of a Config. The file's name holds a digest of all settings, and
    one more here, so that runs of one second and equal settings have files of their own."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.final_config_dict = {**config.final_config_dict, "run": uuid.uuid4().hex}

    def __getitem__(self, key: str) -> Any:
        return self._config[key]


def _handlers(config: Config) -> list[logging.Handler]:
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers = []
    if distributed.world().main:
        init_logger(_NamedApart(config))
    else:
        logging.basicConfig(
            level=logging.WARNING, format=f"process {distributed.world().rank}: %(message)s"
        )
    handlers, root.handlers = root.handlers, root.handlers + before
    for handler in handlers:
        if type(handler) is logging.StreamHandler and not handler.stream.isatty():
            handler.addFilter(RemoveColorFilter())
    return handlers
