"""Checks of a loss's tensors, beside those of its options: at the boundary, never in a loop."""

import torch

from recbole_dsl.options import (
    check_at_least,
    check_between,
    check_choice,
    check_count,
    check_finite,
    check_flag,
    check_positive,
)

__all__ = [
    "check_at_least",
    "check_between",
    "check_choice",
    "check_count",
    "check_finite",
    "check_flag",
    "check_like",
    "check_positive",
    "check_scores",
    "in_float32",
]


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


def in_float32(*tensors):
    """Tensors no narrower than float32: scores over a small tau need its range and digits."""
    return [t.float() if t.dtype in (torch.float16, torch.bfloat16) else t for t in tensors]
