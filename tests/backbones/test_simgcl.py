import pytest
import torch

from recbole_dsl.backbones.contrastive import info_nce
from recbole_dsl.backbones.simgcl import SimGCL

OPTIONS = dict(embedding_size=4, n_layers=2, lambda_=0.5, eps=0.1, temperature=0.2)
USERS, ITEMS = torch.tensor([1, 3, 1, 5]), torch.tensor([2, 2, 4, 1])


def _model(toy, **changes):
    return SimGCL(*toy.data, **{**OPTIONS, **changes})


def test_shapes_and_state(toy):
    model = _model(toy)
    user, item = model.embed()
    assert user.shape == (6, 4) and item.shape == (7, 4)
    assert model.auxiliary_loss(USERS, ITEMS).shape == ()
    assert set(model.state_dict()) == {"user_embedding.weight", "item_embedding.weight"}
    assert model.paper


@pytest.mark.parametrize("training", [True, False])
def test_embeddings_are_the_clean_mean_of_layers_1_to_l(toy, training, check_gradients):
    model = toy.exact(_model(toy, n_layers=3)).train(training)
    check_gradients(model, lambda tables: sum(toy.layers(tables, 3)) / 3)
    assert torch.equal(torch.cat(model.embed()), torch.cat(model.embed()))


def test_nodes_without_an_edge_are_zero(toy):
    model = _model(toy)
    noisy = model.mean(model.layers(noisy=True))
    for embeddings in (torch.cat(model.embed()), torch.cat(noisy)):
        empty = torch.zeros(len(embeddings), dtype=torch.bool)
        empty[toy.without_edge] = True
        assert torch.equal(embeddings.any(dim=1), ~empty)


def test_each_layer_is_moved_by_noise_of_length_eps(toy):
    model = _model(toy, eps=0.3)
    (first, second), clean = model.layers(noisy=True), model.layers(noisy=False)
    linked = torch.ones(13, dtype=torch.bool)
    linked[toy.without_edge] = False
    propagated = (model.graph @ first[1], model.graph_t @ first[0])  # noise is passed on
    for noisy, before in ((first, clean[0]), (second, propagated)):
        length = (torch.cat(noisy) - torch.cat(before)).norm(dim=1)
        torch.testing.assert_close(length, 0.3 * linked.float())


def test_the_auxiliary_loss_contrasts_two_further_noisy_passes(toy):
    model = toy.exact(_model(toy))
    tables = (model.user_embedding.weight, model.item_embedding.weight)
    torch.manual_seed(3)
    actual = model.auxiliary_loss(USERS, ITEMS)
    torch.manual_seed(3)
    first, second = (sum(toy.layers(torch.cat(tables), 2, eps=0.1)) / 2 for _ in range(2))
    users, items = [1, 3, 5], [6 + 1, 6 + 2, 6 + 4]
    expected = 0.5 * sum(info_nce(first[n], second[n], temperature=0.2) for n in (users, items))
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)
    ours, theirs = (torch.autograd.grad(loss, tables) for loss in (actual, expected))
    for mine, other in zip(ours, theirs, strict=True):
        assert bool(mine.any())
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_the_auxiliary_loss_follows_lambda_and_the_seed(toy):
    losses = []
    for weight in (0.5, 1.0, 0.0):
        torch.manual_seed(0)
        model = _model(toy, lambda_=weight)
        losses.append(model.auxiliary_loss(USERS, ITEMS))
    torch.testing.assert_close(2 * losses[0], losses[1])
    assert losses[2] == 0 < losses[0]


def test_works_under_autocast(toy):
    model = _model(toy)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embeddings, loss = torch.cat(model.embed()), model.auxiliary_loss(USERS, ITEMS)
    assert torch.equal(embeddings, torch.cat(model.embed()))
    loss.backward()
    assert bool(torch.isfinite(model.user_embedding.weight.grad).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding_size": 0}, "embedding_size must be an integer >= 1, got 0"),
        ({"n_layers": 0}, "n_layers must be an integer >= 1, got 0"),
        ({"n_layers": 2.5}, "n_layers must be an integer >= 1, got 2.5"),
        ({"lambda_": -0.1}, "^lambda must be >= 0, got -0.1"),
        ({"lambda_": None}, "^lambda must be a finite number, got None"),
        ({"eps": -1}, "eps must be >= 0, got -1"),
        ({"eps": float("inf")}, "eps must be a finite number, got inf"),
        ({"temperature": 0}, "temperature must be > 0, got 0"),
    ],
)
def test_bad_options_are_refused(toy, change, message):
    with pytest.raises(ValueError, match=message):
        _model(toy, **change)
