"""torch's own switches that are attributes of a module, with no function that sets them."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def uninitialized_memory_not_filled() -> Iterator[None]:
    """Let ``torch.empty`` leave memory as it is where deterministic algorithms are in use.

    Symptom: under ``torch.use_deterministic_algorithms`` every new tensor is filled first, which
    takes time and changes no number that is computed. Delete this when torch has a function for it.
    """
    switches = torch.utils.deterministic
    before = switches.fill_uninitialized_memory  # type: ignore[attr-defined]  # set by a property
    switches.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        switches.fill_uninitialized_memory = before  # type: ignore[attr-defined]
