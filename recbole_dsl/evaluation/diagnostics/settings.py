"""Checks of the settings of diagnostics."""

from typing import Any

from recbole_dsl.common.errors import UsageError


def check_rows(name: str, value: Any) -> None:
    """Raise UsageError unless a number of training rows is an integer >= 1.

    Args:
        name: of the setting or flag, for the message.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(
            f"{name} must be an integer >= 1, a number of training rows, got {value!r}"
        )
