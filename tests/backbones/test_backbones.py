import pytest
import torch

from recbole_dsl.backbones import MF, LightGCN

USERS, ITEMS = torch.tensor([1, 1, 2, 3]), torch.tensor([1, 2, 2, 3])


def _lightgcn(n_layers, embedding_size=4):
    return LightGCN(USERS, ITEMS, 4, 5, embedding_size=embedding_size, n_layers=n_layers)


@pytest.mark.parametrize("model", [MF(USERS, ITEMS, 4, 5, embedding_size=6), _lightgcn(2, 6)])
def test_shapes(model):
    user, item = model.embed()
    assert user.shape == (4, 6) and item.shape == (5, 6)


def test_lightgcn_is_the_mean_of_powers_of_the_full_adjacency():
    model = _lightgcn(3)
    dense = torch.zeros(9, 9)
    edges = model.graph.to_dense()
    dense[:4, 4:], dense[4:, :4] = edges, edges.T
    layer = torch.cat([model.user_embedding.weight, model.item_embedding.weight])
    total = layer
    for _ in range(3):
        layer = dense @ layer
        total = total + layer
    torch.testing.assert_close(torch.cat(model.embed()), total / 4)


def test_lightgcn_without_layers_is_mf():
    model = _lightgcn(0)
    assert torch.equal(model.embed()[0], model.user_embedding.weight)
    assert torch.equal(model.embed()[1], model.item_embedding.weight)


def test_the_graph_is_no_parameter_and_not_in_the_checkpoint():
    model = _lightgcn(2)
    assert set(model.state_dict()) == {"user_embedding.weight", "item_embedding.weight"}


@pytest.mark.parametrize(("size", "layers", "message"), [(0, 2, "embedding"), (4, -1, "n_lay")])
def test_bad_options_are_refused(size, layers, message):
    with pytest.raises(ValueError, match=f"{message}.* must be an integer >= "):
        _lightgcn(layers, size)
