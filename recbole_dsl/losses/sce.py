"""SCE: scalable cross-entropy, a softmax over the catalogue within buckets of hard items."""

import math

import torch
from torch.nn.functional import embedding, softplus

from recbole_dsl.losses._base import RowLoss
from recbole_dsl.losses._checks import (
    check_count,
    check_flag,
    check_like,
    check_positive,
    in_float32,
)


def _check_options(tau, bucket_size_x, bucket_size_y):
    check_positive("tau", tau)
    check_count("bucket_size_x", bucket_size_x)
    check_count("bucket_size_y", bucket_size_y)


def _check_inputs(pos, user_vectors, items, item_table, directions):
    if user_vectors.dim() != 2 or user_vectors.shape[0] == 0:
        raise ValueError(
            f"user_vectors must be (B, D) with B >= 1, got {tuple(user_vectors.shape)}"
        )
    check_like("pos", pos, "user_vectors[:, 0]", user_vectors[:, 0])
    check_like("items", items, "pos", pos)
    width = user_vectors.shape[1]
    for name, table, least in (("item_table", item_table, 2), ("directions", directions, 1)):
        if table.dim() != 2 or table.shape[1] != width or table.shape[0] < least:
            raise ValueError(
                f"{name} must have at least {least} row(s) of D = {width}, got {tuple(table.shape)}"
            )


@torch.no_grad()
def sce_directions(user_vectors, n_buckets, *, mix):
    r"""One random direction a bucket, from the global generator of the device.

    .. math:: d_n = \sum_{b=1}^B \omega_{nb} x_b \text{ with mix, else } d_n = \omega_n,
        \qquad \omega \sim N(0, 1)

    Args:
        user_vectors: (B, D) float, the :math:`x_b`.
        n_buckets: N, >= 1.
        mix: whether directions are random sums of the users' vectors rather than of the axes. They
            then lie where the users are; users who all point much the same way make buckets that
            are much the same.
    Returns:
        (N, D), same dtype and device, without gradient.
    Source: Mezentsev et al., RecSys 2024 (``mix`` is its Mix operation).
    """
    x = user_vectors
    width = len(x) if mix else x.shape[1]
    omega = torch.randn(n_buckets, width, dtype=x.dtype, device=x.device)
    return omega @ x if mix else omega


def sce_loss(
    pos, user_vectors, items, item_table, directions, *, tau, bucket_size_x, bucket_size_y
):
    r"""SCE: cross-entropy over the catalogue, seen through buckets of near users and items.

    .. math::
        \ell_b = \frac{B}{|C|} \max_{n:\, b \in X_n} \log \Bigl(1 + \sum_{j \in Y_n,\, j \ne i_b}
            \exp\bigl((\langle x_b, y_j \rangle - f_b)/\tau\bigr)\Bigr)

    with :math:`X_n` and :math:`Y_n` the rows and the items with the largest inner products with
    direction n, and C the rows that are in any bucket; 0 for the other rows.

    Args:
        pos: (B,) float. Score :math:`f_b = \langle x_b, y_{i_b} \rangle` of each row's positive.
        user_vectors: (B, D) float. :math:`x_b`, as scored: of unit length under cosine.
        items: (B,) int64. :math:`i_b`, id of each row's positive.
        item_table: (I, D) float. :math:`y_j` of all items; row 0 is padding and is never a
            competitor.
        directions: (N, D) float, of :func:`sce_directions`.
        tau: temperature, > 0, in score units.
        bucket_size_x: rows in a bucket, >= 1; all B where there are fewer.
        bucket_size_y: items in a bucket, >= 1; the whole catalogue where there are fewer.
    Returns:
        (B,) float, in nats, >= 0; scaled so that its mean is the mean over the rows in any bucket.
    Raises:
        ValueError: an option out of its range; shapes that do not fit.
    Source: Mezentsev, Gusak, Oseledets, Frolov, "Scalable Cross-Entropy Loss for Sequential
        Recommendations with Large Item Catalogs", RecSys 2024, where :math:`x_b` is the state of a
        sequence model at one position.
    Differs from source: a row is a user and one of its items, not a position in a sequence. An
        optional tau. As there, only the row's own positive is kept out of its buckets: the user's
        other positives are competitors, as they are in cross-entropy over the catalogue.
    The four questions: the positive is in the denominator; sum over the items of a bucket, and the
        largest over buckets; not multiplied by tau; one tau.
    Limits: one bucket of all rows and all items is cross-entropy over the catalogue.
    Example:
        >>> x, table = torch.tensor([[1.0]]), torch.tensor([[9.0], [0.5], [0.5]])
        >>> pos, items = torch.tensor([0.5]), torch.tensor([1])
        >>> sce_loss(pos, x, items, table, x, tau=1.0, bucket_size_x=1, bucket_size_y=2)
        tensor([0.6931])
    """
    _check_options(tau, bucket_size_x, bucket_size_y)
    _check_inputs(pos, user_vectors, items, item_table, directions)
    pos, user_vectors, item_table, directions = in_float32(
        pos, user_vectors, item_table, directions
    )
    with torch.no_grad():
        rows = _nearest(directions, user_vectors, bucket_size_x)  # (N, X)
        competitors = _nearest(directions, item_table[1:], bucket_size_y) + 1  # (N, Y)

    # embedding, as its backward adds up repeated rows in a fixed order
    scores = embedding(rows, user_vectors) @ embedding(competitors, item_table).mT  # (N, X, Y)
    gap = (scores - embedding(rows, pos.unsqueeze(1))) / tau
    own = items[rows].unsqueeze(2) == competitors.unsqueeze(1)
    in_bucket = softplus(torch.logsumexp(gap.masked_fill(own, -math.inf), dim=2))  # (N, X)

    rows = rows.flatten()
    largest = torch.zeros_like(pos).scatter_reduce(0, rows, in_bucket.flatten(), "amax")
    covered = torch.zeros_like(pos).index_fill(0, rows, 1.0)
    return largest * (len(pos) / covered.sum())


def _nearest(directions, vectors, size):
    """For each direction the rows with the largest inner products, (N, D), (V, D) -> (N, size)."""
    return (directions @ vectors.T).topk(min(size, len(vectors)), dim=1, sorted=False).indices


class SCELoss(RowLoss):
    """Mean of :func:`sce_loss` over the rows in any bucket, with new directions in every batch."""

    paper = "Mezentsev et al., RecSys 2024"
    inputs = ("pos", "user_vectors", "items", "item_table")

    def __init__(self, *, tau, n_buckets, bucket_size_x, bucket_size_y, mix):
        _check_options(tau, bucket_size_x, bucket_size_y)
        check_count("n_buckets", n_buckets)
        check_flag("mix", mix)
        super().__init__(
            tau=tau,
            n_buckets=n_buckets,
            bucket_size_x=bucket_size_x,
            bucket_size_y=bucket_size_y,
            mix=mix,
        )

    def forward(self, pos, user_vectors, items, item_table):
        options = dict(self.options)
        directions = sce_directions(user_vectors, options.pop("n_buckets"), mix=options.pop("mix"))
        return sce_loss(pos, user_vectors, items, item_table, directions, **options).mean()
