import pytest
import torch

from recbole_dsl.backbones import LightGCN
from recbole_dsl.backbones.contrastive import info_nce
from recbole_dsl.backbones.xsimgcl import XSimGCL

OPTIONS = dict(embedding_size=4, n_layers=3, lambda_=0.2, eps=0.1, temperature=0.1, layer_cl=2)
USERS, ITEMS = torch.tensor([1, 3, 1, 5]), torch.tensor([2, 2, 4, 1])


def _model(toy, **changes):
    return XSimGCL(*toy.data, **{**OPTIONS, **changes})


def test_shapes_and_state(toy):
    model = _model(toy)
    user, item = model.embed()
    assert user.shape == (6, 4) and item.shape == (7, 4)
    assert model.auxiliary_loss(USERS, ITEMS).shape == ()
    assert set(model.state_dict()) == {"user_embedding.weight", "item_embedding.weight"}
    assert model.paper


@pytest.mark.parametrize("training", [True, False])
def test_without_noise_it_is_lightgcn_without_layer_0(toy, training):
    model = _model(toy, eps=0.0, lambda_=0.0).train(training)
    lightgcn = LightGCN(*toy.data, embedding_size=4, n_layers=3)
    lightgcn.load_state_dict(model.state_dict())
    zero = torch.cat([model.user_embedding.weight, model.item_embedding.weight])
    expected = (4 * torch.cat(lightgcn.embed()) - zero) / 3
    torch.testing.assert_close(torch.cat(model.embed()), expected)
    if training:
        assert model.auxiliary_loss(USERS, ITEMS) == 0


def test_evaluation_is_clean_and_deterministic(toy, check_gradients):
    model = toy.exact(_model(toy)).eval()
    assert torch.equal(torch.cat(model.embed()), torch.cat(model.embed()))
    check_gradients(model, lambda tables: sum(toy.layers(tables, 3)) / 3)


def test_training_moves_every_node_with_an_edge_by_eps_towards_its_signs(toy):
    model = _model(toy, n_layers=1, layer_cl=1, eps=0.3)
    noisy, clean = torch.cat(model.embed()), torch.cat(model.eval().embed())
    linked = torch.ones(13, dtype=torch.bool)
    linked[toy.without_edge] = False
    torch.testing.assert_close((noisy - clean).norm(dim=1), 0.3 * linked.float())
    assert bool(((noisy - clean) * clean.sign() >= 0).all())
    assert not torch.equal(noisy, torch.cat(model.train().embed()))


def test_training_embeddings_and_gradients_agree_with_a_dense_pass(toy, check_gradients):
    model = toy.exact(_model(toy))
    embed = model.embed

    def seeded():
        torch.manual_seed(5)
        return embed()

    def expected(tables):
        torch.manual_seed(5)
        return sum(toy.layers(tables, 3, eps=0.1)) / 3

    model.embed = seeded
    check_gradients(model, expected)


@pytest.mark.parametrize("layer_cl", [1, 2, 3])
def test_the_contrast_is_between_the_final_embeddings_and_one_layer(toy, layer_cl):
    model = toy.exact(_model(toy, layer_cl=layer_cl))
    tables = (model.user_embedding.weight, model.item_embedding.weight)
    torch.manual_seed(5)
    model.embed()
    actual = model.auxiliary_loss(USERS, ITEMS)
    torch.manual_seed(5)
    layers = toy.layers(torch.cat(tables), 3, eps=0.1)
    final = sum(layers) / 3
    users, items = [1, 3, 5], [6 + 1, 6 + 2, 6 + 4]
    expected = 0.2 * sum(
        info_nce(final[n], layers[layer_cl - 1][n], temperature=0.1) for n in (users, items)
    )
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)
    ours, theirs = (torch.autograd.grad(loss, tables) for loss in (actual, expected))
    for mine, other in zip(ours, theirs, strict=True):
        assert bool(mine.any())
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_the_contrast_needs_the_embeddings_of_its_own_step(toy):
    model = _model(toy)
    for prepare in (lambda: None, lambda: model.eval().embed()):
        prepare()
        with pytest.raises(RuntimeError, match="call embed\\(\\) in training mode first"):
            model.auxiliary_loss(USERS, ITEMS)
    model.train().embed()
    model.auxiliary_loss(USERS, ITEMS)
    with pytest.raises(RuntimeError, match="once for each call"):
        model.auxiliary_loss(USERS, ITEMS)


def test_works_under_autocast(toy):
    model = _model(toy)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embeddings, loss = torch.cat(model.embed()), model.auxiliary_loss(USERS, ITEMS)
    assert embeddings.dtype == torch.float32
    loss.backward()
    assert bool(torch.isfinite(model.user_embedding.weight.grad).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_layers": 0, "layer_cl": 1}, "n_layers must be an integer >= 1, got 0"),
        ({"n_layers": True}, "n_layers must be an integer >= 1, got True"),
        ({"lambda_": -0.1}, "^lambda must be >= 0, got -0.1"),
        ({"eps": "x"}, "eps must be a finite number, got 'x'"),
        ({"temperature": -0.2}, "temperature must be > 0, got -0.2"),
        ({"layer_cl": 0}, r"layer_cl must be an integer in \[1, 3\], got 0"),
        ({"layer_cl": 4}, r"layer_cl must be an integer in \[1, 3\], got 4"),
    ],
)
def test_bad_options_are_refused(toy, change, message):
    with pytest.raises(ValueError, match=message):
        _model(toy, **change)
