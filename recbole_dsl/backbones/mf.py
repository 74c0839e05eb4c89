"""MF: matrix factorisation, one learned vector per user and item."""

from typing import Any

import torch

from recbole_dsl.backbones import spectral
from recbole_dsl.backbones.embeddings import INITIALIZATIONS, Embeddings, draw_tables, row_length
from recbole_dsl.common.validation import check_choice, check_integer, check_positive


class MF(torch.nn.Module):
    """Matrix factorisation: the embeddings are the tables themselves.

    Args:
        users, items: (E,) int64. Training interactions; only the spectral start uses them.
        n_users, n_items: U and I, the padding rows 0 included.
        embedding_size: D, >= 1.
        initialization: how the tables start. "xavier_uniform": Xavier's uniform distribution.
            "normal": the normal distribution of mean 0 and deviation ``init_std``. "spectral":
            vectors of a truncated SVD of the interactions
            (:func:`recbole_dsl.backbones.spectral.spectral_vectors`), each row brought to the usual
            length of a row of the random start, plus a tenth of the random start. Users and items
            without interactions keep the random start alone; so does, in that tenth, each dimension
            that the SVD does not have (``embedding_size`` above the rank of the interactions). The
            random start is that of :attr:`random_start`.
        init_std: deviation of "normal", > 0; the others do not use it.
    Raises:
        ValueError: an option out of its range; an edge out of range (spectral start).
    Source: Koren, Bell, Volinsky, Computer 2009 (without biases).
    Differs from source: what is compared with published numbers should start as they did.
        IR-Benchmark (the PSL and SL@K papers) starts MF and LightGCN from N(0, 1): ``normal`` with
        ``init_std: 1.0``. The spectral start is ours.

    Attributes:
        random_start: the random start that "spectral" is brought to the length of.
    """

    paper: str = "Koren et al., Computer 2009"
    row_wise: bool = True  # an embedding depends on its own row of the tables alone
    random_start: str = "xavier_uniform"

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        n_users: int,
        n_items: int,
        *,
        embedding_size: int,
        initialization: str = "xavier_uniform",
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        check_integer("embedding_size", embedding_size, 1)
        check_choice("initialization", initialization, INITIALIZATIONS)
        check_positive("init_std", init_std)
        self.user_embedding = torch.nn.Embedding(n_users, embedding_size)
        self.item_embedding = torch.nn.Embedding(n_items, embedding_size)
        start = self.random_start if initialization == "spectral" else initialization
        draw_tables(self.user_embedding, self.item_embedding, start=start, std=init_std)
        self._init_std = init_std
        # What the spectral start needs, until it is made or not needed any more.
        self._interactions = (users, items) if initialization == "spectral" else None
        self.register_load_state_dict_post_hook(_keep_loaded_weights)  # type: ignore[no-untyped-call]  # torch has no types here

    def initialise(self) -> bool:
        """Make the spectral start; do nothing where another one is set.

        Training begins with this. It is not part of the constructor, because it takes time that a
        model need not spend whose weights are loaded; what it makes does not depend on when it is
        called. The second call, and one after weights were loaded, do nothing.

        Returns:
            Whether it changed the tables.
        """
        if self._interactions is None:
            return False
        users, items = self._interactions
        self._interactions = None
        tables = self.user_embedding.weight, self.item_embedding.weight
        (n_users, size), (n_items, _) = (table.shape for table in tables)
        found = spectral.spectral_vectors(users, items, n_users, n_items, size)
        for table, vectors in zip(tables, found, strict=True):
            length = row_length(table.shape, start=self.random_start, std=self._init_std)
            spectral.start_from(table, vectors, length)
        return True

    def embed(self) -> Embeddings:
        """Final embeddings of all users and items, (U, D) and (I, D)."""
        return self.user_embedding.weight, self.item_embedding.weight


def _keep_loaded_weights(model: MF, _: Any) -> None:
    model._interactions = None
