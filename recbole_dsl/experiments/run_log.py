"""The log of one run: all of it in log/<model>/, in short on the terminal."""

import contextlib
import logging
import os
import re
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import colorlog
from recbole.utils import get_local_time

from recbole_dsl.common import distributed, terminal
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.files import system_words
from recbole_dsl.config.run_config import Config

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@contextlib.contextmanager
def logged(config: Config) -> Iterator[None]:
    """Write the log while the block runs; in several processes, the main one writes it.

    The setting ``state`` is the level of both, as in RecBole. The terminal shows warnings and what
    :func:`recbole_dsl.common.terminal.say` says, or, where ``verbose`` is True, all of it. After a
    mistake of the user's, the file is removed, with what RecBole's trainer has made by then:
    TensorBoard's folder, which is named after the log, and an empty checkpoint_dir.

    Raises:
        OSError: there can be no such file.
    """
    folders = [Path("log") / config["model"], Path("log"), Path("log_tensorboard")]
    checkpoints = Path(config["checkpoint_dir"])
    folders += [checkpoints, *checkpoints.parents]
    missing = [path for path in folders if not path.exists()]
    level, handlers = logging.getLogger().level, _handlers(config)
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
        logging.getLogger().setLevel(level)
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


def _handlers(config: Config) -> list[logging.Handler]:
    """The handlers of this process, put on the root logger; the main process has a file."""
    level = getattr(logging, config["state"])
    handlers: list[logging.Handler]
    if distributed.world().main:
        handlers = [_terminal(verbose=config["verbose"]), _file(config)]
    else:
        handlers = [logging.StreamHandler()]
        form = f"process {distributed.world().rank}: %(message)s"
        handlers[0].setFormatter(logging.Formatter(form))
        level = logging.WARNING
    root = logging.getLogger()
    root.setLevel(level)
    root.handlers = handlers + root.handlers  # RecBole names TensorBoard's folder by the first file
    return handlers


def _file(config: Config) -> logging.Handler:
    """The file, in RecBole's place and form. Its name holds a random number, since runs of one
    second would share it."""
    model = config["model"]
    name = f"{model}-{config['dataset']}-{get_local_time()}-{uuid.uuid4().hex[:6]}.log"
    path = Path("log") / model / name
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    form = "%(asctime)-15s %(levelname)s  %(message)s"
    handler.setFormatter(_Uncoloured(form, "%a %d %b %Y %H:%M:%S"))
    return handler


def _terminal(*, verbose: bool) -> logging.Handler:
    """What the user sees: warnings and what is for the terminal, or, if verbose, everything."""
    handler = logging.StreamHandler(_stream())
    colours = handler.stream.isatty()
    if verbose:
        form = "%(asctime)-15s %(levelname)s  %(message)s"
        kind = colorlog.ColoredFormatter if colours else _Uncoloured
        handler.setFormatter(kind(f"%(log_color)s{form}" if colours else form, "%d %b %H:%M"))
        return handler
    handler.addFilter(
        lambda record: record.name == terminal.LOGGER or record.levelno >= logging.WARNING
    )
    handler.setFormatter(_Brief(colours=colours))
    return handler


def _stream() -> Any:
    """Standard error; in a notebook, which shows that in red, standard output."""
    notebook = type(sys.stdout).__module__.startswith("ipykernel")
    return sys.stdout if notebook else sys.stderr


class _Uncoloured(logging.Formatter):
    """Without the colours that RecBole's messages hold."""

    def format(self, record: logging.LogRecord) -> str:
        return _COLOUR.sub("", super().format(record))


class _Brief(logging.Formatter):
    """Messages alone, and ``warning:`` before those that are one.

    Args:
        colours: whether a warning is shown in one.
    """

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        text = _COLOUR.sub("", super().format(record))
        if record.levelno < logging.WARNING:
            return text
        word = "error" if record.levelno > logging.WARNING else "warning"
        text = f"{word}: {text}"
        return f"\033[33m{text}\033[0m" if self._colours else text
