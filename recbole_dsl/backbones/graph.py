"""The user-item graph as two CSR matrices, and the sparse product that uses both."""

import warnings

import torch


def _csr(rows, cols, values, shape):
    order = torch.argsort(rows * shape[1] + cols)
    indptr = torch.zeros(shape[0] + 1, dtype=torch.int64)
    indptr[1:] = torch.bincount(rows, minlength=shape[0]).cumsum(0)
    with warnings.catch_warnings():
        # torch announces once that its CSR layout is in beta; products with it are not.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            indptr, cols[order], values[order], size=shape, check_invariants=True
        )


def normalized_bipartite(users, items, n_users, n_items):
    r"""Symmetrically normalised user-item adjacency, in both directions.

    .. math:: R_{ui} = 1 / \sqrt{\deg(u)\,\deg(i)} \quad\text{for every distinct edge } (u, i)

    Args:
        users: (E,) int64. User of each training interaction.
        items: (E,) int64. Item of each training interaction. Repeated pairs count once.
        n_users: U, number of rows, the padding user included.
        n_items: I, number of columns, the padding item included.
    Returns:
        (R, R transposed): sparse CSR float32 of shapes (U, I) and (I, U).
    Raises:
        ValueError: users and items differ in length, or an id lies outside its range.
    Source: He et al., LightGCN, SIGIR 2020, Eq. (7) with its normalisation from Eq. (3).
    """
    if users.shape != items.shape or users.dim() != 1:
        raise ValueError(
            f"users and items must both be (E,), got {tuple(users.shape)} and {tuple(items.shape)}"
        )
    for name, ids, size in (("users", users, n_users), ("items", items, n_items)):
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < size:
            low, high = int(ids.min()), int(ids.max())
            raise ValueError(f"{name} must lie in [0, {size}), got ids from {low} to {high}")
    edges = torch.unique(users * n_items + items)
    users, items = edges // n_items, edges % n_items
    degree_u = torch.bincount(users, minlength=n_users).double()
    degree_i = torch.bincount(items, minlength=n_items).double()
    values = (degree_u[users] * degree_i[items]).rsqrt().float()
    return (
        _csr(users, items, values, (n_users, n_items)),
        _csr(items, users, values, (n_items, n_users)),
    )


class _SparseProduct(torch.autograd.Function):
    """matrix @ dense whose backward multiplies by the transpose at hand instead of building one."""

    @staticmethod
    def forward(ctx, matrix, transposed, dense):
        ctx.transposed = transposed
        return matrix @ dense

    @staticmethod
    def backward(ctx, grad):
        return None, None, ctx.transposed @ grad


def sparse_product(matrix, transposed, dense):
    """matrix @ dense, (N, K) CSR times (K, D) -> (N, D); transposed is the (K, N) CSR transpose."""
    return _SparseProduct.apply(matrix, transposed, dense)
