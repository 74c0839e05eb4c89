"""The user-item graph as two CSR matrices, and the sparse product that uses both."""

import warnings
from typing import Any

import torch
from torch.nn.functional import embedding_bag


def _csr(
    rows: torch.Tensor, cols: torch.Tensor, values: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    order = torch.argsort(rows * shape[1] + cols)
    indptr = torch.zeros(shape[0] + 1, dtype=torch.int64)
    indptr[1:] = torch.bincount(rows, minlength=shape[0]).cumsum(0)
    with warnings.catch_warnings():
        # torch announces once that its CSR layout is in beta; products with it are not.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            indptr, cols[order], values[order], size=shape, check_invariants=True
        )


def normalized_edges(
    users: torch.Tensor, items: torch.Tensor, n_users: int, n_items: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The distinct edges, by user and then by item, and their weights.

    Args and raises: those of :func:`normalized_bipartite`.

    Returns:
        (users, items, weights): (E',) int64, int64 and float32.
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
    return users, items, (degree_u[users] * degree_i[items]).rsqrt().float()


def normalized_bipartite(
    users: torch.Tensor, items: torch.Tensor, n_users: int, n_items: int
) -> tuple[torch.Tensor, torch.Tensor]:
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
    users, items, values = normalized_edges(users, items, n_users, n_items)
    return (
        _csr(users, items, values, (n_users, n_items)),
        _csr(items, users, values, (n_items, n_users)),
    )


def _multiply(matrix: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    """matrix @ dense, (N, K) CSR times (K, D) -> (N, D)."""
    if dense.device.type != "cpu":
        return matrix @ dense
    # The same sums in the same order, vectorised over D: 0.4 times as long as the CSR product.
    return embedding_bag(
        matrix.col_indices(),
        dense.contiguous(),
        matrix.crow_indices(),
        mode="sum",
        per_sample_weights=matrix.values(),
        include_last_offset=True,
    )


class _SparseProduct(torch.autograd.Function):
    """matrix @ dense whose backward multiplies by a given transpose instead of building one."""

    @staticmethod
    def forward(
        ctx: Any, matrix: torch.Tensor, transposed: torch.Tensor, dense: torch.Tensor
    ) -> torch.Tensor:
        ctx.transposed = transposed
        return _multiply(matrix, dense)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[None, None, torch.Tensor]:
        return None, None, _multiply(ctx.transposed, grad)


def sparse_product(
    matrix: torch.Tensor, transposed: torch.Tensor, dense: torch.Tensor
) -> torch.Tensor:
    """matrix @ dense, (N, K) CSR times (K, D) -> (N, D); transposed is the (K, N) CSR transpose."""
    product: torch.Tensor = _SparseProduct.apply(matrix, transposed, dense)  # type: ignore[no-untyped-call]  # torch has no types here
    return product


def propagate(
    matrix: torch.Tensor, transposed: torch.Tensor, user: torch.Tensor, item: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step over the graph in both directions at once, in the graph's own precision.

    Args:
        matrix, transposed: the graph and its transpose, CSR of shapes (U, I) and (I, U).
        user, item: (U, D) and (I, D) float. Vectors before the step.
    Returns:
        (U, D) and (I, D): matrix @ item and transposed @ user; 0 for a node without an edge.
    """
    # Without autocast: not every device has a half-precision CSR kernel.
    with torch.autocast(device_type=user.device.type, enabled=False):
        return (
            sparse_product(matrix, transposed, item.to(matrix.dtype)),
            sparse_product(transposed, matrix, user.to(matrix.dtype)),
        )


def transposed_order(matrix: torch.Tensor) -> torch.Tensor:
    """Positions in a CSR matrix's values of the values of its transpose, (E,) int64.

    So that ``transposed.values() == matrix.values()[order]``.
    """
    return torch.argsort(matrix.col_indices(), stable=True)


def with_values(matrix: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """A CSR matrix with the edges of another, whose index tensors it shares, and values (E,)."""
    return torch.sparse_csr_tensor(
        matrix.crow_indices(),
        matrix.col_indices(),
        values,
        size=matrix.shape,
        check_invariants=False,  # they held for matrix; checking would stall a GPU in every step
    )


def drop_edges(
    matrix: torch.Tensor, transposed: torch.Tensor, order: torch.Tensor, rate: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The graph without a random share of its edges, the others scaled by 1 / (1 - rate).

    An edge is dropped in both directions or in neither, so the two results stay each other's
    transpose. The noise comes from the global generator of the graph's device.

    Args:
        matrix, transposed: the graph and its transpose, CSR.
        order: (E,) int64, from :func:`transposed_order`.
        rate: probability that an edge is dropped, in [0, 1).
    Returns:
        (matrix, transposed), CSR with a value of 0 for each edge dropped.
    """
    values = matrix.values()
    kept = torch.rand_like(values) >= rate
    values = values * kept / (1 - rate)
    return with_values(matrix, values), with_values(transposed, values[order])
