import math

import pytest
import torch

from recbole_dsl.backbones import LightGCN
from recbole_dsl.backbones.lightgcnpp import LightGCNpp

OPTIONS = dict(embedding_size=4, n_layers=2, norm_alpha=0.6, norm_beta=-0.1, layer0_weight=0.2)


def _model(toy, **changes):
    return LightGCNpp(*toy.data, **{**OPTIONS, **changes})


def _dense(toy, layer, n_layers, norm_alpha, norm_beta, layer0_weight):
    """The docstring's equations over the full adjacency: rows receive, columns are heard."""
    degree = toy.degree.clamp(min=1)
    graph = degree.pow(-norm_alpha).unsqueeze(1) * toy.adjacency * degree.pow(-norm_beta)
    zero, total = layer, 0
    for _ in range(n_layers):
        layer = graph @ (layer / layer.norm(dim=1, keepdim=True).clamp(min=1e-12))
        total = total + layer
    return layer0_weight * zero + (1 - layer0_weight) * total / n_layers


def test_shapes_and_state(toy):
    model = _model(toy)
    user, item = model.embed()
    assert user.shape == (6, 4) and item.shape == (7, 4)
    assert set(model.state_dict()) == {"user_embedding.weight", "item_embedding.weight"}
    assert model.paper


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"n_layers": 3, "norm_alpha": 0.5, "norm_beta": 0.5, "layer0_weight": 0.0},
        {"n_layers": 1, "norm_alpha": 0.0, "norm_beta": 1.0, "layer0_weight": 0.7},
        {"norm_alpha": 1, "norm_beta": 0},
    ],
)
def test_agrees_with_a_dense_pass_in_value_and_gradient(toy, change, check_gradients):
    options = {**OPTIONS, **change}
    model = toy.exact(_model(toy, **options))
    del options["embedding_size"]
    check_gradients(model, lambda tables: _dense(toy, tables, **options))


def test_agrees_with_a_plain_loop_over_one_layer(toy):
    model = toy.exact(_model(toy, n_layers=1, layer0_weight=0.0))
    users, items = (t.tolist() for t in (model.user_embedding.weight, model.item_embedding.weight))
    edges = sorted(set(zip(*(t.tolist() for t in toy.data[:2]), strict=True)))
    expected = torch.zeros(7, 4, dtype=torch.float64)
    for user, item in edges:
        degree_u = sum(u == user for u, _ in edges)
        degree_i = sum(i == item for _, i in edges)
        length = math.sqrt(sum(x * x for x in users[user]))
        for d in range(4):
            expected[item, d] += users[user][d] / length / degree_i**0.6 / degree_u**-0.1
    torch.testing.assert_close(model.embed()[1], expected, rtol=1e-6, atol=1e-6)
    assert items != expected.tolist()


def test_one_layer_at_one_half_is_lightgcn_over_unit_vectors(toy):
    model = _model(toy, n_layers=1, norm_alpha=0.5, norm_beta=0.5, layer0_weight=0.5)
    lightgcn = LightGCN(*toy.data, embedding_size=4, n_layers=1)
    with torch.no_grad():
        for table in model.parameters():
            table /= table.norm(dim=1, keepdim=True)
    lightgcn.load_state_dict(model.state_dict())
    torch.testing.assert_close(torch.cat(model.embed()), torch.cat(lightgcn.embed()))


def test_the_free_vectors_keep_their_length_at_layer_0(toy):
    model = _model(toy)
    with torch.no_grad():
        model.user_embedding.weight.mul_(10)
    embeddings = torch.cat(model.embed())
    tables = torch.cat([model.user_embedding.weight, model.item_embedding.weight])
    torch.testing.assert_close(embeddings[toy.without_edge], 0.2 * tables[toy.without_edge])


def test_scaling_the_tables_changes_nothing_without_layer_0(toy):
    model = _model(toy, layer0_weight=0.0)
    before = torch.cat(model.embed())
    with torch.no_grad():
        for table in model.parameters():
            table *= torch.rand(len(table), 1) + 0.5
    torch.testing.assert_close(torch.cat(model.embed()), before)


def test_a_zero_vector_has_a_finite_gradient(toy):
    model = _model(toy, n_layers=3, layer0_weight=0.0)
    torch.cat(model.embed()).sum().backward()
    for table in model.parameters():
        assert bool(torch.isfinite(table.grad).all()) and bool(table.grad.any())


def test_training_and_evaluation_agree_and_repeat(toy):
    model = _model(toy)
    training = torch.cat(model.train().embed())
    assert torch.equal(training, torch.cat(model.eval().embed()))


def test_works_under_autocast(toy):
    model = _model(toy)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = torch.cat(model.embed())
    torch.testing.assert_close(inside, torch.cat(model.embed()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding_size": 0}, "embedding_size must be an integer >= 1, got 0"),
        ({"n_layers": 0}, "n_layers must be an integer >= 1, got 0"),
        ({"norm_alpha": float("nan")}, "norm_alpha must be a finite number, got nan"),
        ({"norm_beta": "x"}, "norm_beta must be a finite number, got 'x'"),
        ({"layer0_weight": 1.5}, r"layer0_weight must be in \[0, 1\], got 1.5"),
        ({"layer0_weight": -0.1}, r"layer0_weight must be in \[0, 1\], got -0.1"),
    ],
)
def test_bad_options_are_refused(toy, change, message):
    with pytest.raises(ValueError, match=message):
        _model(toy, **change)
