"""What every backbone returns, and how its learned weights are initialised."""

from typing import TypeAlias

import torch

# Vectors of all users and of all items, (U, D) and (I, D), the padding rows 0 included.
Embeddings: TypeAlias = tuple[torch.Tensor, torch.Tensor]


def initialise(*layers: torch.nn.Embedding | torch.nn.Linear) -> None:
    """Draw the weights of layers anew, one layer after the other: Xavier's uniform distribution.

    Source: Glorot and Bengio, AISTATS 2010.
    """
    for layer in layers:
        torch.nn.init.xavier_uniform_(layer.weight)
