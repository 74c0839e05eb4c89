"""SCE: scalable cross-entropy, a softmax over the catalogue within buckets of hard items."""

import math

import torch
from torch.nn.functional import embedding, softplus

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_count, check_flag, check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_like


def _check_options(tau: float, bucket_size_x: int, bucket_size_y: int) -> None:
    check_positive("tau", tau)
    check_count("bucket_size_x", bucket_size_x)
    check_count("bucket_size_y", bucket_size_y)


def _check_inputs(
    pos: torch.Tensor,
    user_vectors: torch.Tensor,
    items: torch.Tensor,
    item_table: torch.Tensor,
    directions: torch.Tensor,
) -> None:
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
def sce_directions(user_vectors: torch.Tensor, n_buckets: int, *, mix: bool) -> torch.Tensor:
    r"""One random direction per bucket, from the global generator of the device.

    .. math:: d_n = \sum_{b=1}^B \omega_{nb} x_b \text{ with mix, else } d_n = \omega_n,
        \qquad \omega \sim N(0, 1)

    Args:
        user_vectors: (B, D) float, the :math:`x_b`.
        n_buckets: N, >= 1.
        mix: whether directions are random sums of the users' vectors instead of random vectors.
            They then lie in the span of the users' vectors; where those are all much alike, so are
            the buckets.
    Returns:
        (N, D), same dtype and device, without gradient.
    Source: Mezentsev et al., RecSys 2024 (``mix`` is its Mix operation).
    """
    x = user_vectors
    width = len(x) if mix else x.shape[1]
    omega = torch.randn(n_buckets, width, dtype=x.dtype, device=x.device)
    return omega @ x if mix else omega


def sce_loss(
    pos: torch.Tensor,
    user_vectors: torch.Tensor,
    items: torch.Tensor,
    item_table: torch.Tensor,
    directions: torch.Tensor,
    *,
    tau: float,
    bucket_size_x: int,
    bucket_size_y: int,
) -> torch.Tensor:
    r"""SCE: cross-entropy over the catalogue, computed within buckets of near users and items.

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
    Conventions: the positive is in the denominator; sum over the items of a bucket, and the
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
    pos, x, y, directions = in_float32(pos, user_vectors, item_table, directions)
    with torch.no_grad():
        rows = _nearest(directions, x, bucket_size_x)  # (N, X)
        competitors = _nearest(directions, y[1:], bucket_size_y) + 1  # (N, Y)
    # embedding, as its backward adds up repeated rows in a fixed order
    gap = embedding(rows, x) @ embedding(competitors, y).mT - embedding(rows, pos.unsqueeze(1))
    own = items[rows].unsqueeze(2) == competitors.unsqueeze(1)  # (N, X, Y)
    total = torch.logsumexp((gap / tau).masked_fill(own, -math.inf), dim=2)
    return _largest_of_buckets(softplus(total), rows, len(pos))


def _largest_of_buckets(loss: torch.Tensor, rows: torch.Tensor, n_rows: int) -> torch.Tensor:
    """For each of B rows the largest loss over its buckets, scaled to the mean over covered rows.

    Args:
        loss, rows: (N, X), losses >= 0 and the rows of the batch that they are of.
        n_rows: B.
    Returns:
        (B,), 0 for a row in no bucket; its mean is the mean over the rows in any bucket.
    """
    rows = rows.flatten()
    largest = loss.new_zeros(n_rows).scatter_reduce(0, rows, loss.flatten(), "amax")
    covered = loss.new_zeros(n_rows).index_fill(0, rows, 1.0)
    return largest * (n_rows / covered.sum())


def _nearest(directions: torch.Tensor, vectors: torch.Tensor, size: int) -> torch.Tensor:
    """For each direction the rows with the largest inner products, (N, D), (V, D) -> (N, size)."""
    return (directions @ vectors.T).topk(min(size, len(vectors)), dim=1, sorted=False).indices


class SCELoss(RowLoss):
    """Mean of :func:`sce_loss` over the rows in any bucket, with new directions in every batch."""

    paper = "Mezentsev et al., RecSys 2024"
    inputs = ("pos", "user_vectors", "items", "item_table")

    def __init__(
        self,
        *,
        tau: float = 0.3,
        n_buckets: int = 90,
        bucket_size_x: int = 90,
        bucket_size_y: int = 256,
        mix: bool = False,
    ) -> None:
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

    def forward(
        self,
        pos: torch.Tensor,
        user_vectors: torch.Tensor,
        items: torch.Tensor,
        item_table: torch.Tensor,
    ) -> torch.Tensor:
        options = dict(self.options)
        directions = sce_directions(user_vectors, options.pop("n_buckets"), mix=options.pop("mix"))
        return sce_loss(pos, user_vectors, items, item_table, directions, **options).mean()
