import pytest
import torch

from recbole_dsl.backbones import normalized_bipartite, sparse_product

USERS = torch.tensor([1, 0, 0, 1, 2, 0])  # edge (0, 0) twice
ITEMS = torch.tensor([2, 0, 1, 0, 2, 0])


def test_rows_of_a_three_by_three_hand_case():
    # Degrees of users: 2, 2, 1; of items: 2, 1, 2.
    half, root = 0.5, 0.5**0.5
    expected = torch.tensor([[half, root, 0], [half, 0, half], [0, 0, root]])
    forth, back = normalized_bipartite(USERS, ITEMS, 3, 3)
    torch.testing.assert_close(forth.to_dense(), expected)
    torch.testing.assert_close(back.to_dense(), expected.T)
    assert forth.layout == back.layout == torch.sparse_csr


def test_padding_rows_are_empty():
    forth, back = normalized_bipartite(USERS + 1, ITEMS + 1, 4, 5)
    assert forth.shape == (4, 5) and back.shape == (5, 4)
    assert not bool(forth.to_dense()[0].any()) and not bool(forth.to_dense()[:, [0, 4]].any())


def test_ids_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"items must lie in \[0, 2\), got ids from 0 to 2"):
        normalized_bipartite(USERS, ITEMS, 3, 2)
    with pytest.raises(ValueError, match=r"must both be \(E,\)"):
        normalized_bipartite(USERS, ITEMS[:2], 3, 3)


def test_sparse_product_and_its_gradient_agree_with_a_dense_one():
    forth, back = normalized_bipartite(USERS, ITEMS, 3, 3)
    x = torch.randn(3, 4, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weight = torch.randn(3, 4)
    ours, theirs = sparse_product(forth, back, x), forth.to_dense() @ y
    torch.testing.assert_close(ours, theirs)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
