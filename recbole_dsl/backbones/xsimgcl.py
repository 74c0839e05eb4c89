"""XSimGCL: SimGCL in one pass, which contrasts the final embeddings with those of one layer."""

from recbole_dsl.backbones.contrast import batch_contrast
from recbole_dsl.backbones.simgcl import SimGCL
from recbole_dsl.options import check_integer


class XSimGCL(SimGCL):
    r"""XSimGCL: the mean of L noisy propagations, contrasted with one of them.

    .. math::
        E = \frac1L \sum_{l=1}^{L} E^{(l)}, \quad
        \mathrm{auxiliary} = \lambda \bigl(\mathrm{InfoNCE}(E_U, E_U^{(l^*)})
        + \mathrm{InfoNCE}(E_I, E_I^{(l^*)})\bigr)

    In training every layer is moved by noise of length eps
    (:func:`recbole_dsl.backbones.contrast.perturb`), which the next layer propagates, and the main
    loss sees the same noisy E as the contrast; in evaluation there is no noise.

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
        users,
        items,
        n_users,
        n_items,
        *,
        embedding_size,
        n_layers,
        lambda_,
        eps,
        temperature,
        layer_cl,
    ):
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
        )
        check_integer("layer_cl", layer_cl, 1, n_layers)
        self.layer_cl = layer_cl
        self._views = None

    def embed(self):
        """Final embeddings of all users and items, (U, D) and (I, D)."""
        layers = self.layers(noisy=self.training)
        final = self.mean(layers)
        self._views = (final, layers[self.layer_cl - 1]) if self.training else None
        return final

    def auxiliary_loss(self, users, items):
        """The weighted contrast over a batch's users and items, both (B,) int64 -> ().

        Raises:
            RuntimeError: embed() was not called in training mode since the last call.
        """
        if self._views is None:
            raise RuntimeError(
                "auxiliary_loss contrasts the views of the training step's own embed(): "
                "call embed() in training mode first, once for each call"
            )
        # Let go of them: the next step must not meet the graph of this one.
        views, self._views = self._views, None
        return self.lambda_ * batch_contrast(*views, users, items, temperature=self.temperature)
