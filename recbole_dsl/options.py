"""Checks of options: once, in a constructor, with name, value received and values allowed."""

import math


def check_finite(name, value):
    """Raise ValueError unless value is a finite number (bool is not a number here)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")


def check_positive(name, value):
    """Raise ValueError unless value is a finite number above 0."""
    check_finite(name, value)
    if value <= 0:
        raise ValueError(f"{name} must be > 0, got {value!r}")


def check_at_least(name, value, low):
    """Raise ValueError unless value is a finite number >= low."""
    check_finite(name, value)
    if value < low:
        raise ValueError(f"{name} must be >= {low}, got {value!r}")


def check_between(name, value, low, high):
    """Raise ValueError unless value is a finite number in [low, high]."""
    check_finite(name, value)
    if not low <= value <= high:
        raise ValueError(f"{name} must be in [{low}, {high}], got {value!r}")


def check_integer(name, value, low, high=math.inf):
    """Raise ValueError unless value is an integer in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        allowed = f">= {low}" if high == math.inf else f"in [{low}, {high}]"
        raise ValueError(f"{name} must be an integer {allowed}, got {value!r}")


def check_count(name, value):
    """Raise ValueError unless value is an integer >= 1."""
    check_integer(name, value, 1)


def check_rate(name, value):
    """Raise ValueError unless value is a dropout rate, in [0, 1)."""
    check_finite(name, value)
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value!r}")


def check_flag(name, value):
    """Raise ValueError unless value is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")


def check_choice(name, value, choices):
    """Raise ValueError unless value is one of the choices."""
    if value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
