"""SimGCL: LightGCN that contrasts two noisy passes over the graph."""

from collections.abc import Sequence

import torch

from recbole_dsl.backbones.contrastive import batch_contrast, perturb
from recbole_dsl.backbones.embeddings import Embeddings
from recbole_dsl.backbones.graph import propagate
from recbole_dsl.backbones.lightgcn import LightGCN
from recbole_dsl.common.validation import check_at_least, check_integer, check_positive


class SimGCL(LightGCN):
    r"""SimGCL: the mean of the L propagations, with a contrast of two noisy copies as second loss.

    .. math::
        E = \frac1L \sum_{l=1}^{L} E^{(l)}, \quad
        \mathrm{auxiliary} = \lambda \bigl(\mathrm{InfoNCE}(E'_U, E''_U)
        + \mathrm{InfoNCE}(E'_I, E''_I)\bigr)

    with :math:`E', E''` two further passes in which noise of length eps is added to every layer
    (:func:`recbole_dsl.backbones.contrastive.perturb`) and propagated by the next one. ``embed`` is
    without noise, in training too.

    Args:
        users, items: (E,) int64. Training interactions, the edges of the graph.
        n_users, n_items: U and I, the padding rows 0 included (they have no edge).
        embedding_size: D, >= 1.
        n_layers: L, >= 1.
        lambda_: weight of the contrast, >= 0; the setting is ``lambda``.
        eps: length of the noise, >= 0, whatever the length of the vector it moves.
        temperature: of the contrast, > 0, in units of the cosine.
        initialization, init_std: how the tables start, as in
            :class:`recbole_dsl.backbones.MF`.
    Raises:
        ValueError: an option out of its range, or an edge out of range.
    Source: Yu, Yin, Xia, Chen, Cui, Nguyen, "Are Graph Augmentations Necessary?", SIGIR 2022; layer
        0 is left out of the mean, as in the paper and in RecBole-GNN. A node without an edge is
        therefore 0.
    Differs from source: the contrast is a mean over the batch's distinct users and items, as in the
        authors' code; the paper's equation sums. RecBole-GNN sums over rows, repeated nodes
        included, so a lambda of its scale is smaller by about the batch size.
    """

    paper = "Yu et al., SIGIR 2022"

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
        initialization: str = "xavier_uniform",
        init_std: float = 0.1,
    ) -> None:
        check_integer("n_layers", n_layers, 1)
        check_at_least("lambda", lambda_, 0)
        check_at_least("eps", eps, 0)
        check_positive("temperature", temperature)
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
        self.lambda_, self.eps, self.temperature = lambda_, eps, temperature

    def layers(self, *, noisy: bool) -> list[Embeddings]:
        """Embeddings after each propagation, L pairs of (U, D) and (I, D)."""
        user, item = self.user_embedding.weight, self.item_embedding.weight
        found = []
        for _ in range(self.n_layers):
            user, item = propagate(self.graph, self.graph_t, user, item)
            if noisy:
                user, item = perturb(user, self.eps), perturb(item, self.eps)
            found.append((user, item))
        return found

    def mean(self, layers: Sequence[Embeddings]) -> Embeddings:
        """The mean of the layers' embeddings, (U, D) and (I, D)."""
        return tuple(sum(side) / self.n_layers for side in zip(*layers, strict=True))

    def embed(self) -> Embeddings:
        """Final embeddings of all users and items, (U, D) and (I, D)."""
        return self.mean(self.layers(noisy=False))

    def auxiliary_loss(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """The weighted contrast over a batch's users and items, both (B,) int64 -> ()."""
        first, second = (self.mean(self.layers(noisy=True)) for _ in range(2))
        contrast = batch_contrast(first, second, users, items, temperature=self.temperature)
        return self.lambda_ * contrast
