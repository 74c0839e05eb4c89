"""What every backbone returns, and how its learned weights are drawn at random."""

from typing import TypeAlias

import torch

# Vectors of all users and of all items, (U, D) and (I, D), the padding rows 0 included.
Embeddings: TypeAlias = tuple[torch.Tensor, torch.Tensor]

# The values of the setting; spectral is in recbole_dsl.backbones.spectral.
INITIALIZATIONS = ("xavier_uniform", "normal", "spectral")


def initialise(*layers: torch.nn.Embedding | torch.nn.Linear) -> None:
    """Draw the weights of layers anew, one layer after the other: Xavier's uniform distribution.

    Source: Glorot and Bengio, AISTATS 2010.
    """
    for layer in layers:
        torch.nn.init.xavier_uniform_(layer.weight)


def draw_tables(*tables: torch.nn.Embedding, start: str, std: float) -> None:
    """Draw the tables of a backbone anew, one after the other.

    Args:
        start: "xavier_uniform", or "normal" for the normal distribution of mean 0.
        std: standard deviation of "normal".
    """
    if start == "xavier_uniform":
        initialise(*tables)
    else:
        for table in tables:
            torch.nn.init.normal_(table.weight, std=std)


def row_length(shape: torch.Size, *, start: str, std: float) -> float:
    r"""Root mean square length of the rows of a table that :func:`draw_tables` draws.

    .. math:: \sqrt{D}\,\sigma, \quad \sigma = \sqrt{2 / (N + D)} \text{ for xavier\_uniform}

    Args:
        shape: (N, D) of the table. start, std: as there.
    """
    rows, size = shape
    deviation = (2 / (rows + size)) ** 0.5 if start == "xavier_uniform" else std
    return float(size**0.5 * deviation)
