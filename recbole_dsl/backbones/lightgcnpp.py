"""LightGCN++: LightGCN over unit vectors; degree powers and the weight of layer 0 are options."""

import torch
from torch.nn.functional import normalize

from recbole_dsl.backbones.embeddings import Embeddings
from recbole_dsl.backbones.graph import propagate
from recbole_dsl.backbones.lightgcn import LightGCN
from recbole_dsl.common.validation import check_between, check_finite, check_integer


class LightGCNpp(LightGCN):
    r"""LightGCN++: the learned vectors plus the mean of the propagations of unit vectors.

    .. math::
        e_u^{(l+1)} = \sum_{i \in N_u} \frac{1}{|N_u|^\alpha |N_i|^\beta}
        \frac{e_i^{(l)}}{\|e_i^{(l)}\|}, \quad
        e_u = \gamma e_u^{(0)} + \frac{1 - \gamma}{L} \sum_{l=1}^{L} e_u^{(l)}

    and likewise for items, with :math:`|N_i|^\alpha` and :math:`|N_u|^\beta`: alpha is the power of
    the degree of the node itself, beta that of the degrees of its neighbours.

    Args:
        users, items: (E,) int64. Training interactions, the edges of the graph.
        n_users, n_items: U and I, the padding rows 0 included (they have no edge).
        embedding_size: D, >= 1.
        n_layers: L, >= 1.
        norm_alpha: the paper's alpha, any number. The smaller, the longer the vectors of nodes with
            many edges.
        norm_beta: the paper's beta, any number. Below 0, neighbours with many edges weigh more.
        layer0_weight: the paper's gamma, in [0, 1].
        initialization, init_std: how the tables start, as in
            :class:`recbole_dsl.backbones.MF`; the random start
            that "spectral" is brought to the length of is "normal" here.
    Raises:
        ValueError: an option out of its range, or an edge out of range.
    Source: Lee, Kim, Shin, "Revisiting LightGCN: Unexpected Inflexibility, Inconsistency, and A
        Remedy Towards Improved Recommendation", RecSys 2024.
        :math:`e^{(0)}` enters the last sum at its own length; only what is propagated is brought to
        unit length.
        The default start, N(0, 0.1), is the authors' code's. With it a vector is about 0.8 long at
        D = 64, whatever the number of users and items; Xavier's are 0.25 long in a table of 2,000
        rows and 0.04 in one of 100,000, so that gamma would weigh layer 0 less and less.
    Limits: norm_alpha = norm_beta = 0.5 is LightGCN's graph, over unit vectors.
    """

    paper = "Lee et al., RecSys 2024"
    random_start = "normal"
    user_receive: torch.Tensor
    user_send: torch.Tensor
    item_receive: torch.Tensor
    item_send: torch.Tensor

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        n_users: int,
        n_items: int,
        *,
        embedding_size: int,
        n_layers: int,
        norm_alpha: float,
        norm_beta: float,
        layer0_weight: float,
        initialization: str = "normal",
        init_std: float = 0.1,
    ) -> None:
        check_integer("n_layers", n_layers, 1)
        check_finite("norm_alpha", norm_alpha)
        check_finite("norm_beta", norm_beta)
        check_between("layer0_weight", layer0_weight, 0, 1)
        super().__init__(
            users,
            items,
            n_users,
            n_items,
            embedding_size=embedding_size,
            n_layers=n_layers,
            initialization=initialization,
            init_std=init_std,
        )
        self.layer0_weight = layer0_weight
        for side, graph in (("user", self.graph), ("item", self.graph_t)):
            # Every degree is in the graph to the power 1/2 already. The rest is applied before and
            # after the product: with alpha != beta, R and its transpose would need four matrices.
            degree = graph.crow_indices().diff().clamp(min=1).double().unsqueeze(1)
            receive, send = degree.pow(0.5 - norm_alpha), degree.pow(0.5 - norm_beta)
            self.register_buffer(f"{side}_receive", receive.float(), persistent=False)
            self.register_buffer(f"{side}_send", send.float(), persistent=False)

    def embed(self) -> Embeddings:
        """Final embeddings of all users and items, (U, D) and (I, D)."""
        user, item = self.user_embedding.weight, self.item_embedding.weight
        user_sum, item_sum = torch.zeros_like(user), torch.zeros_like(item)
        for _ in range(self.n_layers):
            user, item = propagate(
                self.graph,
                self.graph_t,
                normalize(user, dim=1) * self.user_send,
                normalize(item, dim=1) * self.item_send,
            )
            user, item = user * self.user_receive, item * self.item_receive
            user_sum, item_sum = user_sum + user, item_sum + item
        rest = (1 - self.layer0_weight) / self.n_layers
        return (
            self.layer0_weight * self.user_embedding.weight + rest * user_sum,
            self.layer0_weight * self.item_embedding.weight + rest * item_sum,
        )
