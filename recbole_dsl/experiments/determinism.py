"""RecBole's setting ``reproducibility`` on the CPU, where RecBole forgets about threads."""

import contextlib
from collections.abc import Iterator

import torch

from recbole_dsl.compat.torch_switches import uninitialized_memory_not_filled
from recbole_dsl.config.run_config import Config


@contextlib.contextmanager
def deterministic(config: Config) -> Iterator[None]:
    """Make runs of one seed equal to the last digit where ``reproducibility`` asks for it.

    Several threads add up the gradient of ``table[ids]`` in any order, which RecBole's NGCF and
    LightGCN meet, so that two runs differ in the last digits. On a GPU torch would warn about
    sparse products, so there it stays as RecBole leaves it.
    """
    before = torch.are_deterministic_algorithms_enabled()
    with contextlib.ExitStack() as switched:
        if config["reproducibility"] and config["device"].type == "cpu":
            torch.use_deterministic_algorithms(True, warn_only=True)
            # Filling takes time, and nothing reads memory that it has not written.
            switched.enter_context(uninitialized_memory_not_filled())
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
