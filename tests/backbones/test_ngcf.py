import pytest
import torch
from torch.nn.functional import dropout, leaky_relu, normalize

from recbole_dsl.backbones import MF
from recbole_dsl.backbones.ngcf import NGCF

OPTIONS = dict(embedding_size=4, hidden_size_list=[5, 3], node_dropout=0.0, message_dropout=0.0)


def _model(toy, **changes):
    return NGCF(*toy.data, **{**OPTIONS, **changes})


def _dense(toy, model, graph, layer, drop=lambda side: side):
    """The docstring's equations over the full adjacency, in the paper's matrix form (7)."""
    found = [layer]
    for w1, w2 in zip(model.sum_weights, model.product_weights, strict=True):
        identity = torch.eye(len(graph), dtype=layer.dtype)
        summed = (graph + identity) @ layer @ w1.weight.T
        layer = leaky_relu(summed + ((graph @ layer) * layer) @ w2.weight.T, 0.2)
        layer = torch.cat([drop(side) for side in (layer[: toy.n_users], layer[toy.n_users :])])
        found.append(normalize(layer, dim=1))
    return torch.cat(found, dim=1)


def test_shapes_and_state(toy):
    model = _model(toy)
    user, item = model.embed()
    assert user.shape == (6, 4 + 5 + 3) and item.shape == (7, 4 + 5 + 3)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}
    assert len(model.state_dict()) == 2 + 2 * 2
    assert model.paper


def test_without_dropout_it_agrees_with_a_dense_pass(toy, check_gradients):
    model = toy.exact(_model(toy))
    check_gradients(model, lambda tables: _dense(toy, model, toy.normalized, tables))


def test_a_node_by_hand(toy):
    # User 4 has one neighbour, item 4, which has three: R = 1 / sqrt(3).
    model = _model(toy, hidden_size_list=[5])
    own, other = model.user_embedding.weight[4], model.item_embedding.weight[4]
    heard = other / 3**0.5
    (w1,), (w2,) = model.sum_weights, model.product_weights
    message = w1.weight @ (own + heard) + w2.weight @ (heard * own)
    message = torch.where(message > 0, message, 0.2 * message)
    expected = torch.cat([own, message / message.norm()])
    torch.testing.assert_close(model.embed()[0][4], expected)


def test_layers_are_of_unit_length_and_layer_0_is_the_table(toy):
    user, _ = (model := _model(toy)).embed()
    assert torch.equal(user[:, :4], model.user_embedding.weight)
    torch.testing.assert_close(user[:, 4:9].norm(dim=1), torch.ones(6))


def test_without_layers_it_is_mf(toy):
    model = _model(toy, hidden_size_list=[])
    assert isinstance(model, MF)
    assert torch.equal(model.embed()[0], model.user_embedding.weight)


def test_dropout_agrees_with_a_dense_pass_in_value_and_gradient(toy, check_gradients):
    model = toy.exact(_model(toy, node_dropout=0.4, message_dropout=0.3))
    embed, shape = model.embed, model.graph.shape
    users, items = model.graph.to_dense().nonzero().T

    def seeded():
        torch.manual_seed(5)
        return embed()

    def expected(tables):
        torch.manual_seed(5)
        kept = (torch.rand(len(users), dtype=torch.float64) >= 0.4).double() / 0.6
        mask = torch.zeros(shape, dtype=torch.float64).index_put((users, items), kept)
        graph = torch.zeros_like(toy.normalized)
        graph[:6, 6:], graph[6:, :6] = mask, mask.T
        return _dense(toy, model, graph * toy.normalized, tables, lambda side: dropout(side, 0.3))

    model.embed = seeded
    check_gradients(model, expected)


@pytest.mark.parametrize("rate", ["node_dropout", "message_dropout"])
def test_dropout_is_for_training_only(toy, rate):
    model, plain = _model(toy, **{rate: 0.5}), _model(toy)
    plain.load_state_dict(model.state_dict())
    assert not torch.equal(model.embed()[0], model.embed()[0])
    model.eval()
    assert torch.equal(torch.cat(model.embed()), torch.cat(plain.embed()))


def test_works_under_autocast(toy):
    model = _model(toy, node_dropout=0.2, message_dropout=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        user, item = model.embed()
    (user.sum() + item.sum()).backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding_size": 0}, "embedding_size must be an integer >= 1, got 0"),
        ({"hidden_size_list": 64}, "hidden_size_list must be a list of integers >= 1, got 64"),
        ({"hidden_size_list": [8, 0]}, r"hidden_size_list\[1\] must be an integer >= 1, got 0"),
        ({"hidden_size_list": ["x"]}, r"hidden_size_list\[0\] must be an integer >= 1, got 'x'"),
        ({"node_dropout": 1.0}, r"node_dropout must be in \[0, 1\), got 1.0"),
        ({"node_dropout": None}, "node_dropout must be a finite number, got None"),
        ({"message_dropout": -0.1}, r"message_dropout must be in \[0, 1\), got -0.1"),
    ],
)
def test_bad_options_are_refused(toy, change, message):
    with pytest.raises(ValueError, match=message):
        _model(toy, **change)
