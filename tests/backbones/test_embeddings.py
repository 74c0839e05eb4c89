import torch

from recbole_dsl.backbones.embeddings import initialise


def test_weights_are_drawn_from_xaviers_uniform_distribution_one_layer_after_the_other():
    layers = torch.nn.Embedding(5, 3), torch.nn.Linear(3, 4, bias=False)
    torch.manual_seed(1)
    initialise(*layers)
    torch.manual_seed(1)
    for layer in layers:
        bound = (6 / sum(layer.weight.shape)) ** 0.5
        expected = torch.empty_like(layer.weight).uniform_(-bound, bound)
        torch.testing.assert_close(layer.weight.detach(), expected)
