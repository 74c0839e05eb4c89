"""A look at one batch of a loss, for curves over the epochs."""

from typing import Any

import torch


class LossObserver:
    """Has a loss's :meth:`recbole_dsl.losses.RowLoss.statistics` of one batch.

    The inputs are those of the batch that is trained, so that nothing is drawn or scored again and
    no random number is used up. Steps that are not observed cost nothing.

    Args:
        loss: a :class:`recbole_dsl.losses.RowLoss`.
    """

    def __init__(self, loss: torch.nn.Module) -> None:
        self._loss = loss
        self._found: dict[str, torch.Tensor] = {}

    def observe(self) -> None:
        """Look at the next batch that the loss is called with."""
        self._hook = self._loss.register_forward_hook(self._look, with_kwargs=True)

    @torch.no_grad()
    def _look(self, loss: Any, args: Any, inputs: dict[str, torch.Tensor], output: Any) -> None:
        self._hook.remove()
        training = loss.training
        loss.eval()
        try:
            self._found = loss.statistics(**inputs)
        finally:
            loss.train(training)

    def values(self) -> dict[str, float]:
        """The scalars by name; on a GPU this waits for them."""
        return {name: float(value) for name, value in self._found.items()}
