"""MF: matrix factorisation, one learned vector per user and item."""

import torch

from recbole_dsl.backbones.embeddings import Embeddings, initialise
from recbole_dsl.common.validation import check_integer


class MF(torch.nn.Module):
    """Matrix factorisation: the embeddings are the tables themselves.

    Args:
        users, items: (E,) int64. Training interactions; MF does not use them.
        n_users, n_items: U and I, the padding rows 0 included.
        embedding_size: D, >= 1.
    Raises:
        ValueError: embedding_size < 1.
    Source: Koren, Bell, Volinsky, Computer 2009 (without biases).
    """

    paper: str = "Koren et al., Computer 2009"
    row_wise: bool = True  # an embedding depends on its own row of the tables alone

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        n_users: int,
        n_items: int,
        *,
        embedding_size: int,
    ) -> None:
        super().__init__()
        check_integer("embedding_size", embedding_size, 1)
        self.user_embedding = torch.nn.Embedding(n_users, embedding_size)
        self.item_embedding = torch.nn.Embedding(n_items, embedding_size)
        initialise(self.user_embedding, self.item_embedding)

    def embed(self) -> Embeddings:
        """Final embeddings of all users and items, (U, D) and (I, D)."""
        return self.user_embedding.weight, self.item_embedding.weight
