"""Checks of the tensors a loss is given. Its options: :mod:`recbole_dsl.common.validation`."""

import torch


def check_scores(pos: torch.Tensor, neg: torch.Tensor) -> None:
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


def check_like(
    name: str, value: torch.Tensor, reference_name: str, reference: torch.Tensor
) -> None:
    """Raise ValueError unless value has the shape of reference (no broadcasting anywhere)."""
    if value.shape != reference.shape:
        raise ValueError(
            f"{name} must have the shape of {reference_name}, {tuple(reference.shape)}, "
            f"got {tuple(value.shape)}"
        )
