"""What surrounds a run: its log, and determinism on the CPU; both end with it."""

import contextlib
import logging

import torch
from recbole.utils import init_logger
from recbole.utils.logger import RemoveColorFilter

from recbole_dsl import distributed


@contextlib.contextmanager
def logged(config):
    """RecBole's log to the terminal and to log/<model>/, for this run and its main process alone.

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


def _handlers(config):
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


@contextlib.contextmanager
def deterministic(config):
    """Keep RecBole's promise of ``reproducibility`` on the CPU, where it forgets about threads.

    Several threads add up the gradient of ``table[ids]`` in any order, which RecBole's NGCF and
    LightGCN meet, so that two runs differ in the last digits. On a GPU the switch would warn about
    sparse products, so there it stays as RecBole leaves it.
    """
    before = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    if config["reproducibility"] and config["device"].type == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, decides nothing
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = fill
