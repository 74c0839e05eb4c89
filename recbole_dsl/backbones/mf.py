"""MF: matrix factorisation, one free vector per user and item."""

import torch

from recbole_dsl.options import check_integer


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

    paper = "Koren et al., Computer 2009"
    row_wise = True  # an embedding depends on its own row of the tables alone

    def __init__(self, users, items, n_users, n_items, *, embedding_size):
        super().__init__()
        check_integer("embedding_size", embedding_size, 1)
        self.user_embedding = torch.nn.Embedding(n_users, embedding_size)
        self.item_embedding = torch.nn.Embedding(n_items, embedding_size)
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)

    def embed(self):
        """Final embeddings of all users and items, (U, D) and (I, D)."""
        return self.user_embedding.weight, self.item_embedding.weight
