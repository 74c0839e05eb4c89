"""NGCF: graph convolution with weights, a nonlinearity and products of neighbours."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch.nn.functional import dropout, leaky_relu, normalize

from recbole_dsl.backbones.embeddings import Embeddings, initialise
from recbole_dsl.backbones.graph import (
    drop_edges,
    normalized_bipartite,
    propagate,
    transposed_order,
)
from recbole_dsl.backbones.mf import MF
from recbole_dsl.common.validation import check_integer, check_rate


class NGCF(MF):
    r"""NGCF: the learned vectors and L layers of messages over the graph, concatenated.

    .. math::
        n_u = \sum_i R_{ui} e_i, \quad
        e'_u = \mathrm{LeakyReLU}\bigl(W_1 (e_u + n_u) + W_2 (n_u \odot e_u)\bigr), \quad
        E = \Bigl[E^{(0)} \,\Big\|\, \frac{E^{(1)}}{\|E^{(1)}\|} \,\Big\|\, \dots \Bigr]

    and likewise for items, with the same weights; the slope of LeakyReLU is 0.2. The embeddings are
    D plus the sum of hidden_size_list wide.

    Args:
        users, items: (E,) int64. Training interactions, the edges of the graph.
        n_users, n_items: U and I, the padding rows 0 included (they have no edge).
        embedding_size: D, >= 1.
        hidden_size_list: width of each layer, integers >= 1; [] is MF.
        node_dropout: probability, in [0, 1), that an edge is left out of a training step, in both
            directions and all layers.
        message_dropout: dropout rate, in [0, 1), of the entries of each layer.
        initialization, init_std: how the tables start, as in
            :class:`recbole_dsl.backbones.MF`. The weights W start
            from Xavier's uniform distribution in any case.
    Raises:
        ValueError: an option out of its range, or an edge out of range.
    Source: Wang, He, Wang, Feng, Chua, SIGIR 2019, Eqs. (7) to (9). As in the authors' code, though
        not in the paper: a layer is brought to unit length for the concatenation, not for the next
        layer; "node" dropout drops edges.
    Differs from source: an edge is dropped in both directions or in neither; there, and in RecBole,
        each direction is dropped on its own.
    Differs from RecBole: there the next layer reads the vectors of unit length, and W has biases,
        which the paper's equations do not have.
    """

    paper = "Wang et al., SIGIR 2019"
    row_wise = False
    graph: torch.Tensor
    graph_t: torch.Tensor
    order: torch.Tensor

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        n_users: int,
        n_items: int,
        *,
        embedding_size: int,
        hidden_size_list: Sequence[int],
        node_dropout: float,
        message_dropout: float,
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
        if not isinstance(hidden_size_list, (list, tuple)):
            raise ValueError(
                f"hidden_size_list must be a list of integers >= 1, got {hidden_size_list!r}"
            )
        for layer, size in enumerate(hidden_size_list):
            check_integer(f"hidden_size_list[{layer}]", size, 1)
        check_rate("node_dropout", node_dropout)
        check_rate("message_dropout", message_dropout)
        self.node_dropout, self.message_dropout = node_dropout, message_dropout

        sizes = [embedding_size, *hidden_size_list]
        self.sum_weights = self._weights(sizes)
        self.product_weights = self._weights(sizes)
        graph, graph_t = normalized_bipartite(users, items, n_users, n_items)
        self.register_buffer("graph", graph, persistent=False)
        self.register_buffer("graph_t", graph_t, persistent=False)
        self.register_buffer("order", transposed_order(graph), persistent=False)

    @staticmethod
    def _weights(sizes: Sequence[int]) -> torch.nn.ModuleList:
        layers = [torch.nn.Linear(width, height, bias=False) for width, height in pairwise(sizes)]
        initialise(*layers)
        return torch.nn.ModuleList(layers)

    def embed(self) -> Embeddings:
        """Final embeddings of all users and items, (U, D + hidden) and (I, D + hidden)."""
        graph, graph_t = self.graph, self.graph_t
        if self.training and self.node_dropout:
            graph, graph_t = drop_edges(graph, graph_t, self.order, self.node_dropout)
        user, item = super().embed()
        users, items = [user], [item]
        for layer in range(len(self.sum_weights)):
            from_items, from_users = propagate(graph, graph_t, user, item)
            user = self._message(layer, user, from_items)
            item = self._message(layer, item, from_users)
            users.append(normalize(user, dim=1))
            items.append(normalize(item, dim=1))
        return torch.cat(users, dim=1), torch.cat(items, dim=1)

    def _message(self, layer: int, own: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
        """The next layer's vectors of one side of the graph, (N, width) twice -> (N, height)."""
        summed = self.sum_weights[layer](own + neighbours)
        message = leaky_relu(summed + self.product_weights[layer](own * neighbours), 0.2)
        return dropout(message, self.message_dropout, self.training)
