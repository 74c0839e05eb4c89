"""LightGCN: learned vectors smoothed over the user-item graph."""

import torch

from recbole_dsl.backbones.embeddings import Embeddings
from recbole_dsl.backbones.graph import normalized_bipartite, propagate
from recbole_dsl.backbones.mf import MF
from recbole_dsl.common.validation import check_integer


class LightGCN(MF):
    r"""LightGCN: the mean of the learned vectors and their first L propagations.

    .. math::
        E_U^{(l+1)} = R E_I^{(l)}, \quad E_I^{(l+1)} = R^\top E_U^{(l)}, \quad
        E = \frac{1}{L+1} \sum_{l=0}^{L} E^{(l)}

    Args:
        users, items: (E,) int64. Training interactions, the edges of the graph.
        n_users, n_items: U and I, the padding rows 0 included (they have no edge).
        embedding_size: D, >= 1.
        n_layers: L, >= 0; 0 is MF.
        initialization, init_std: how the tables start, as in
            :class:`recbole_dsl.backbones.MF`.
    Raises:
        ValueError: an option out of its range, or an edge out of range.
    Source: He, Deng, Wang, Li, Zhang, Wang, SIGIR 2020, Eqs. (7) and (8), layer weights 1/(L+1);
        layer 0 is included, as in the paper and in RecBole.
    """

    paper = "He et al., SIGIR 2020"
    row_wise = False
    graph: torch.Tensor
    graph_t: torch.Tensor

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        n_users: int,
        n_items: int,
        *,
        embedding_size: int,
        n_layers: int,
        initialization: str = "xavier_uniform",
        init_std: float = 0.1,
    ) -> None:
        super().__init__(
            users,
            items,
            n_users,
            n_items,
            embedding_size=embedding_size,
            initialization=initialization,
            init_std=init_std,
        )
        check_integer("n_layers", n_layers, 0)
        self.n_layers = n_layers
        graph, graph_t = normalized_bipartite(users, items, n_users, n_items)
        self.register_buffer("graph", graph, persistent=False)
        self.register_buffer("graph_t", graph_t, persistent=False)

    def embed(self) -> Embeddings:
        """Final embeddings of all users and items, (U, D) and (I, D)."""
        user, item = super().embed()
        user_sum, item_sum = user, item
        for _ in range(self.n_layers):
            user, item = propagate(self.graph, self.graph_t, user, item)
            user_sum, item_sum = user_sum + user, item_sum + item
        return user_sum / (self.n_layers + 1), item_sum / (self.n_layers + 1)
