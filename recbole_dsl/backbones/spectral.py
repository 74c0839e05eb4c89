"""The spectral start: vectors from a truncated SVD of the training interactions."""

import numpy as np
import scipy.sparse
import torch
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch.nn.functional import pad

from recbole_dsl.backbones.embeddings import Embeddings
from recbole_dsl.backbones.graph import normalized_edges

# Dimensions beyond those asked for, and passes over the matrix there and back, that bring the
# randomised SVD close to the exact one; scikit-learn's own choice for D far below U and I.
_OVERSAMPLES, _PASSES = 10, 7
# Singular values lie in [0, 1] here; this much in float32 is rounding.
_ROUNDING = 1e-6
# How much of the random start is added, so that seeds differ and no two users start alike.
RANDOM_SHARE = 0.1


def spectral_vectors(
    users: torch.Tensor, items: torch.Tensor, n_users: int, n_items: int, size: int
) -> Embeddings:
    r"""Truncated SVD of the normalised interactions, half of the singular values on each side.

    .. math::
        D_U^{-1/2} A\, D_I^{-1/2} \approx P \Sigma Q^\top, \quad
        E_U = P \Sigma^{1/2}, \quad E_I = Q \Sigma^{1/2}

    with A the 0/1 matrix of interactions and D the degrees, so that the inner products of the
    vectors are the best approximation of rank D of the matrix that LightGCN propagates with.

    Args:
        users, items: (E,) int64. Training interactions; repeated pairs count once.
        n_users, n_items: U and I, the padding rows 0 included.
        size: D, >= 1.
    Returns:
        (U, D) and (I, D) float32 on the CPU. A row without interactions is 0 up to rounding; so are
        the dimensions that the matrix does not have: those from min(U, I) on, and those of a
        singular value of 0.
    Raises:
        ValueError: an edge out of range.
    Source: Halko, Martinsson, Tropp, SIAM Review 2011, by scikit-learn's randomized_svd with 7
        power iterations.
    Conventions: the same interactions give the same vectors in every run, whatever the seed and the
        number of threads: the SVD's own random numbers are fixed, and its linear algebra runs in
        one thread. Each dimension's sign is scikit-learn's, the largest entry is positive.
    Limits: where singular values are equal, as for parts of the graph without a path between them,
        any rotation of their dimensions is as good, and the libraries' versions decide.
    """
    users, items, values = normalized_edges(users, items, n_users, n_items)
    matrix = scipy.sparse.csr_matrix(
        (values.numpy(), (users.numpy(), items.numpy())), shape=(n_users, n_items)
    )
    rank = min(size, n_users, n_items)
    # The sparse products, which take most of the time, have one thread in any case.
    with threadpool_limits(1, "blas"):
        left, sigma, right = randomized_svd(
            matrix, rank, n_oversamples=_OVERSAMPLES, n_iter=_PASSES, random_state=0
        )
    weight = np.sqrt(np.where(sigma > _ROUNDING, sigma, 0))
    user, item = (torch.from_numpy(side * weight) for side in (left, right.T))
    return pad(user, (0, size - rank)), pad(item, (0, size - rank))


@torch.no_grad()
def start_from(table: torch.Tensor, vectors: torch.Tensor, length: float) -> None:
    """Turn a table's random start into the spectral one, in place.

    Args:
        table: (N, D) float on any device. The random start.
        vectors: (N, D), of :func:`spectral_vectors`. Each row is brought to ``length``, and a tenth
            of the random start is added. A row of zeros leaves its row of the table as it is.
        length: the usual length of a row of the random start.
    """
    norms = vectors.norm(dim=1, keepdim=True)
    found = norms > _ROUNDING
    vectors = (vectors * (length / norms)).to(table)
    table.copy_(torch.where(found.to(table.device), vectors + RANDOM_SHARE * table, table))
