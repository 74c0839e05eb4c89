import pytest
import torch

from recbole_dsl.backbones import normalized_bipartite, sparse_product
from recbole_dsl.backbones.graph import drop_edges, propagate, transposed_order, with_values

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


def test_the_cpus_product_is_the_csr_product_for_any_layout_of_the_dense_side():
    users, items = torch.randint(1, 50, (400,)), torch.randint(1, 30, (400,))
    forth, back = normalized_bipartite(users, items, 52, 30)
    for dense in (torch.randn(30, 6), torch.randn(6, 30).T, torch.ones(30, 1).expand(30, 6)):
        torch.testing.assert_close(sparse_product(forth, back, dense), forth @ dense.contiguous())


def test_a_step_goes_both_ways_and_keeps_the_graphs_precision():
    forth, back = normalized_bipartite(USERS + 1, ITEMS + 1, 4, 5)
    user, item = torch.randn(4, 3), torch.randn(5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        to_user, to_item = propagate(forth, back, user.bfloat16(), item)
    torch.testing.assert_close(to_user, forth.to_dense() @ item)
    torch.testing.assert_close(to_item, back.to_dense() @ user.bfloat16().float())
    assert not bool(to_user[0].any()) and not bool(to_item[[0, 4]].any())


def test_the_order_turns_values_into_those_of_the_transpose():
    users, items = torch.randint(0, 9, (40,)), torch.randint(0, 7, (40,))
    forth, back = normalized_bipartite(users, items, 9, 7)
    order = transposed_order(forth)
    labels = torch.arange(1.0, len(order) + 1)
    renamed = with_values(forth, labels), with_values(back, labels[order])
    assert torch.equal(renamed[0].to_dense().T, renamed[1].to_dense())
    assert torch.equal(back.values(), forth.values()[order])
    assert renamed[0].col_indices().data_ptr() == forth.col_indices().data_ptr()


def test_dropped_edges_go_in_both_directions_and_the_rest_makes_up_for_them():
    users, items = torch.randint(0, 60, (4000,)), torch.randint(0, 70, (4000,))
    forth, back = normalized_bipartite(users, items, 60, 70)
    dense = forth.to_dense()
    dropped, dropped_t = drop_edges(forth, back, transposed_order(forth), 0.25)
    assert torch.equal(dropped.to_dense(), dropped_t.to_dense().T)
    ratio = dropped.values() / forth.values()
    kept = ratio > 0
    torch.testing.assert_close(ratio[kept], torch.full_like(ratio[kept], 1 / 0.75))
    assert abs(kept.float().mean() - 0.75) < 0.04
    assert torch.equal(forth.to_dense(), dense)  # the graph itself is left alone
    again, _ = drop_edges(forth, back, transposed_order(forth), 0.25)
    assert not torch.equal(again.values(), dropped.values())
