"""What the contrastive backbones share: noise of a given length, and the contrast of two views."""

import math

import torch
from torch.nn.functional import embedding, normalize

from recbole_dsl.backbones.embeddings import Embeddings
from recbole_dsl.common import tensors
from recbole_dsl.common.validation import check_positive


def perturb(vectors: torch.Tensor, eps: float) -> torch.Tensor:
    r"""Vectors plus noise of length eps, which keeps each vector in its orthant.

    .. math::
        e' = e + \varepsilon \, \mathrm{sign}(e) \odot \frac{\delta}{\|\delta\|}, \quad
        \delta \sim \mathrm{Uniform}(0, 1)^D

    Args:
        vectors: (N, D) float. A vector of zeros, of a node without an edge, stays as it is.
        eps: length of the noise, >= 0.
    Returns:
        (N, D) float. The noise is a constant to the gradient; it comes from the global generator
        of the vectors' device.
    Source: Yu et al., "Are Graph Augmentations Necessary?" (SimGCL), SIGIR 2022.
    """
    with torch.no_grad():
        noise = eps * torch.sign(vectors) * normalize(torch.rand_like(vectors), dim=1)
    return vectors + noise


def info_nce(
    view_a: torch.Tensor,
    view_b: torch.Tensor,
    *,
    temperature: float,
    counted: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""InfoNCE between two views of the same nodes: a node's views should be each other's nearest.

    .. math::
        \frac1N \sum_n \Bigl(\log \sum_{m=1}^N \exp(\cos(a_n, b_m) / \tau)
        - \cos(a_n, b_n) / \tau \Bigr)

    Args:
        view_a: (N, D) float. First view :math:`a_n` of each node, of any length.
        view_b: (N, D) float. Second view :math:`b_n` of the same nodes, in the same order.
        temperature: :math:`\tau`, > 0, in units of the cosine.
        counted: (N,) bool, at least one True, or None for all. The nodes that take part; the
            others do not change the value and get no gradient.
    Returns:
        () float, in nats, >= 0; 0 for N = 1, where there is no other node.
    Raises:
        ValueError: temperature <= 0; shapes are not (N, D) twice with N >= 1.
    Source: van den Oord, Li, Vinyals 2018; as contrast of noisy views, Yu et al., SIGIR 2022.
    Differs from source: mean over nodes, as in the authors' code, where the paper's equation has a
        sum, so that its weight does not depend on how many nodes a batch holds. (RecBole-GNN sums
        in SimGCL and averages in XSimGCL.)
    Conventions: the positive is in the denominator; sum over the other nodes; not multiplied
        by tau; one tau.
    Limits: temperature -> infinity: log N. Not symmetric: the others are those of view_b.
    Example:
        >>> info_nce(torch.eye(2), torch.eye(2), temperature=0.01)
        tensor(0.)
    """
    check_positive("temperature", temperature)
    if view_a.dim() != 2 or view_a.shape != view_b.shape or len(view_a) == 0:
        raise ValueError(
            f"view_a and view_b must both be (N, D) with N >= 1, "
            f"got {tuple(view_a.shape)} and {tuple(view_b.shape)}"
        )
    # In half precision, over a small temperature, near nodes could not be told apart.
    with torch.autocast(device_type=view_a.device.type, enabled=False):
        view_a, view_b = (
            normalize(v.float() if v.dtype in (torch.float16, torch.bfloat16) else v, dim=1)
            for v in (view_a, view_b)
        )
        logits = view_a @ view_b.T / temperature  # (N, N)
        own = logits.diagonal()
        if counted is None:
            return (torch.logsumexp(logits, dim=1) - own).mean()
        among = torch.logsumexp(logits.masked_fill(~counted, -math.inf), dim=1)
        return ((among - own) * counted).sum() / counted.sum()


def first_of_each(ids: torch.Tensor) -> torch.Tensor:
    """Whether an id is the first of its value, (B,) -> (B,) bool; no shape depends on the ids."""
    found, order = torch.sort(ids, stable=True)
    first = torch.ones_like(found, dtype=torch.bool)
    first[1:] = found[1:] != found[:-1]
    return torch.empty_like(first).scatter_(0, order, first)


def batch_contrast(
    first: Embeddings,
    second: Embeddings,
    users: torch.Tensor,
    items: torch.Tensor,
    *,
    temperature: float,
) -> torch.Tensor:
    """:func:`info_nce` over a batch's distinct users plus that over its distinct items.

    Args:
        first, second: two views, each a pair of (U, D) and (I, D) float.
        users, items: (B,) int64. The batch's users and items; each counts once, however often it
            is there, since a node must not be its own negative.
        temperature: > 0.
    Returns:
        () float, in nats, >= 0.
    """
    contrasts = []
    for ids, view_a, view_b in zip((users, items), first, second, strict=True):
        counted = None
        if tensors.is_synchronous(ids.device):
            ids = torch.unique(ids)  # fewer to compare
        else:
            counted = first_of_each(ids)
        # embedding(ids, table), not table[ids]: its backward adds up rows in a fixed order.
        own_a, own_b = embedding(ids, view_a), embedding(ids, view_b)
        contrasts.append(info_nce(own_a, own_b, temperature=temperature, counted=counted))
    return contrasts[0] + contrasts[1]
