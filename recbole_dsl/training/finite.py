"""Whether the weights of a model, and its metrics, are numbers."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from recbole_dsl.common.errors import NonFiniteLossError


def first_non_finite(model: torch.nn.Module) -> str | None:
    """Name of the first parameter that holds nan or an infinite value; None where none does."""
    return _first_wrong(model.named_parameters(), torch.isfinite)


def first_nan(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """Name of the first dense tensor that holds nan; None where none does."""
    return _first_wrong(tensors.items(), lambda tensor: ~torch.isnan(tensor))


def check_weights(model: torch.nn.Module, config: Any, epoch: int) -> None:
    """Check what an epoch has left; the loss of a step is computed before the weights change.

    Raises:
        NonFiniteLossError: weights that are no finite numbers.
    """
    wrong = first_non_finite(model)
    if wrong is not None:
        raise NonFiniteLossError(
            f"the weights {wrong} of {config['model']} are not finite after epoch {epoch}, "
            f"learning_rate = {config['learning_rate']}: lower the learning rate"
        )


def check_metrics_are_numbers(metrics: Mapping[str, float], part: str) -> None:
    """Check what a part was measured by; no epoch is the best one by nan, and JSON has none.

    Raises:
        NonFiniteLossError: a metric is no finite number.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"{name} of {part} is {value}: the rows, or the scores, allow no such metric"
            )


@torch.no_grad()
def _first_wrong(
    named: Iterable[tuple[str, torch.Tensor]], right: Callable[[torch.Tensor], torch.Tensor]
) -> str | None:
    kept = [
        (name, tensor)
        for name, tensor in named
        if tensor.is_floating_point() and tensor.layout is torch.strided
    ]
    if not kept:
        return None
    # One answer for all, so that a GPU is waited for once
    every = torch.stack([right(tensor).all() for _, tensor in kept])
    if bool(every.all()):
        return None
    return kept[int((~every).nonzero()[0])][0]
