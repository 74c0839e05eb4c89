"""XSimGCL: SimGCL in one pass, which contrasts the final embeddings with those of one layer."""

import torch

from recbole_dsl.backbones.contrastive import batch_contrast
from recbole_dsl.backbones.embeddings import Embeddings
from recbole_dsl.backbones.simgcl import SimGCL
from recbole_dsl.common.validation import check_integer


class XSimGCL(SimGCL):
    r"""XSimGCL: the mean of L noisy propagations, contrasted with one of them.

    .. math::
        E = \frac1L \sum_{l=1}^{L} E^{(l)}, \quad
        \mathrm{auxiliary} = \lambda \bigl(\mathrm{InfoNCE}(E_U, E_U^{(l^*)})
        + \mathrm{InfoNCE}(E_I, E_I^{(l^*)})\bigr)

    In training, noise of length eps is added to every layer
    (:func:`recbole_dsl.backbones.contrastive.perturb`) and propagated by the next one, and the main
    loss is of the same noisy E as the contrast; in evaluation there is no noise.

    Args:
        users, items: (E,) int64. Training interactions, the edges of the graph.
        n_users, n_items: U and I, the padding rows 0 included (they have no edge).
        embedding_size: D, >= 1.
        n_layers: L, >= 1.
        lambda_: weight of the contrast, >= 0; the setting is ``lambda``.
        eps: length of the noise, >= 0, whatever the length of the vector it moves.
        temperature: of the contrast, > 0, in units of the cosine.
        layer_cl: :math:`l^*`, the layer to contrast with, counted from 1, the first propagation, to
            L.
        initialization, init_std: how the tables start, as in
            :class:`recbole_dsl.backbones.MF`.
    Raises:
        ValueError: an option out of its range, or an edge out of range.
    Source: Yu, Xia, Chen, Cui, Hung, Yin, "XSimGCL: Towards Extremely Simple Graph Contrastive
        Learning for Recommendation", TKDE 2024; layer 0 is left out of the mean, as in the paper
        and in RecBole-GNN. A node without an edge is therefore 0.
    Differs from source: the contrast is a mean over the batch's distinct users and items, as in the
        authors' code and in RecBole-GNN; the paper's equation sums.
    Limits: eps = lambda = 0 is LightGCN without layer 0. At n_layers = 1 the two views are one, and
        the contrast only spreads the nodes.
    """

    paper = "Yu et al., TKDE 2024"

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        n_users: int,
        n_items: int,
        *,
        embedding_size: int,
        n_layers: int,
        lambda_: float,
        eps: float,
        temperature: float,
        layer_cl: int,
        initialization: str = "xavier_uniform",
        init_std: float = 0.1,
    ) -> None:
        super().__init__(
            users,
            items,
            n_users,
            n_items,
            embedding_size=embedding_size,
            n_layers=n_layers,
            lambda_=lambda_,
            eps=eps,
            temperature=temperature,
            initialization=initialization,
            init_std=init_std,
        )
        check_integer("layer_cl", layer_cl, 1, n_layers)
        self.layer_cl = layer_cl
        self._views: tuple[Embeddings, Embeddings] | None = None

    def embed(self) -> Embeddings:
        """Final embeddings of all users and items, (U, D) and (I, D)."""
        layers = self.layers(noisy=self.training)
        final = self.mean(layers)
        self._views = (final, layers[self.layer_cl - 1]) if self.training else None
        return final

    def auxiliary_loss(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """The weighted contrast over a batch's users and items, both (B,) int64 -> ().

        Raises:
            RuntimeError: embed() was not called in training mode since the last call.
        """
        if self._views is None:
            raise RuntimeError(
                "auxiliary_loss contrasts the views of the training step's own embed(): "
                "call embed() in training mode first, once for each call"
            )
        # Not kept: autograd's graph of this step must not live on into the next one.
        views, self._views = self._views, None
        return self.lambda_ * batch_contrast(*views, users, items, temperature=self.temperature)
