"""Checks shared by every loss: once, at the boundary, with name, value and values allowed."""

import math

import torch


def check_scores(pos, neg):
    """Raise ValueError unless pos is (B,) and neg is (B, M), M >= 1, same dtype and device."""
    if pos.dim() != 1 or neg.dim() != 2 or pos.shape[0] != neg.shape[0]:
        raise ValueError(
            f"pos must be (B,) and neg (B, M) with the same B, "
            f"got {tuple(pos.shape)} and {tuple(neg.shape)}"
        )
    if neg.shape[1] == 0:
        raise ValueError("neg must have at least one column (M >= 1), got M = 0")
    if pos.dtype != neg.dtype or pos.device != neg.device:
        raise ValueError(
            f"pos and neg must share dtype and device, got {pos.dtype} on {pos.device} "
            f"and {neg.dtype} on {neg.device}"
        )


def check_like(name, value, reference_name, reference):
    """Raise ValueError unless value has the shape of reference (no broadcasting anywhere)."""
    if value.shape != reference.shape:
        raise ValueError(
            f"{name} must have the shape of {reference_name}, {tuple(reference.shape)}, "
            f"got {tuple(value.shape)}"
        )


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


def check_count(name, value):
    """Raise ValueError unless value is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {value!r}")


def in_float32(*tensors):
    """Tensors no narrower than float32: scores over a small tau need its range and digits."""
    return [t.float() if t.dtype in (torch.float16, torch.bfloat16) else t for t in tensors]
