"""A small graph and its dense adjacency, built edge by edge without recbole_dsl."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import normalize

from recbole_dsl.backbones.graph import with_values

EDGES = [(1, 1), (1, 2), (1, 3), (2, 2), (2, 4), (3, 3), (3, 1), (3, 4), (4, 4), (5, 2), (5, 2)]
N_USERS, N_ITEMS = 6, 7  # the padding rows 0 included; items 5 and 6 have no edge


def _exact(normalized):
    """A function that puts a backbone into float64, its graph's weights no longer rounded."""
    forth = normalized[:N_USERS, N_USERS:]

    def exact(model):
        model.double()
        model.graph = with_values(model.graph, forth[forth > 0])
        model.graph_t = with_values(model.graph_t, forth.T[forth.T > 0])
        return model

    return exact


def _layers(normalized):
    """A function from (U + I, D) tables to layers 1 to L, the noise drawn for users, then items."""

    def layers(layer, n_layers, eps=0.0):
        found = []
        for _ in range(n_layers):
            layer = normalized @ layer
            if eps:
                noise = torch.cat(
                    [torch.rand_like(side) for side in layer.split([N_USERS, N_ITEMS])]
                )
                layer = layer + eps * layer.detach().sign() * normalize(noise, dim=1)
            found.append(layer)
        return found

    return layers


@pytest.fixture
def toy():
    """The data a backbone takes, ``data``, and the (U + I, U + I) adjacency in float64."""
    dense = torch.zeros(N_USERS + N_ITEMS, N_USERS + N_ITEMS, dtype=torch.float64)
    for user, item in EDGES:
        dense[user, N_USERS + item] = dense[N_USERS + item, user] = 1
    users, items = torch.tensor(EDGES).T
    degree = dense.sum(dim=1)
    scale = torch.tensor([d**-0.5 if d else 0.0 for d in degree.tolist()], dtype=torch.float64)
    normalized = scale.unsqueeze(1) * dense * scale
    return SimpleNamespace(
        data=(users, items, N_USERS, N_ITEMS),
        n_users=N_USERS,
        without_edge=[0, N_USERS, N_USERS + 5, N_USERS + 6],
        adjacency=dense,
        degree=degree,
        normalized=normalized,
        exact=_exact(normalized),
        layers=_layers(normalized),
    )


@pytest.fixture
def check_gradients():
    """Asserts that a backbone's embeddings and the gradients of its parameters are as expected.

    Called with a model from ``toy.exact`` and a function that computes the (U + I, D) embeddings
    anew from the model's stacked tables; both must reach the parameters of the model.
    """

    def check(model, expected):
        tables = (model.user_embedding.weight, model.item_embedding.weight)
        ours, theirs = torch.cat(model.embed()), expected(torch.cat(tables))
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
        parameters = list(model.parameters())
        weight = torch.randn_like(ours)
        ours = torch.autograd.grad((ours * weight).sum(), parameters)
        theirs = torch.autograd.grad((theirs * weight).sum(), parameters)
        for mine, other in zip(ours, theirs, strict=True):
            assert bool(mine.any())
            torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)

    return check
