import pytest
import torch

from recbole_dsl.backbones import LightGCN


def _model(toy, n_layers, embedding_size=4):
    return LightGCN(*toy.data, embedding_size=embedding_size, n_layers=n_layers)


def test_shapes_and_state(toy):
    model = _model(toy, 2)
    user, item = model.embed()
    assert user.shape == (6, 4) and item.shape == (7, 4)
    assert set(model.state_dict()) == {"user_embedding.weight", "item_embedding.weight"}
    assert model.paper


@pytest.mark.parametrize("n_layers", [1, 3])
def test_it_is_the_mean_of_powers_of_the_full_adjacency(toy, n_layers, check_gradients):
    def expected(tables):
        return (tables + sum(toy.layers(tables, n_layers))) / (n_layers + 1)

    check_gradients(toy.exact(_model(toy, n_layers)), expected)


def test_without_layers_it_is_mf(toy):
    model = _model(toy, 0)
    assert torch.equal(model.embed()[0], model.user_embedding.weight)
    assert torch.equal(model.embed()[1], model.item_embedding.weight)


@pytest.mark.parametrize(
    ("size", "layers", "message"),
    [
        (0, 2, "embedding_size must be an integer >= 1, got 0"),
        (4, -1, "n_layers must be an integer >= 0, got -1"),
    ],
)
def test_bad_options_are_refused(toy, size, layers, message):
    with pytest.raises(ValueError, match=message):
        _model(toy, layers, size)
