"""The setting ``initialization`` of every backbone."""

import inspect

import pytest
import torch

from recbole_dsl.backbones import spectral
from recbole_dsl.common import property_files
from recbole_dsl.models.registry import BACKBONES

OF_GRAPH = dict(n_layers=2)
OF_CONTRAST = dict(n_layers=2, lambda_=0.5, eps=0.1, temperature=0.2)
OPTIONS = {
    "MF": {},
    "LightGCN": OF_GRAPH,
    "LightGCN++": dict(n_layers=2, norm_alpha=0.6, norm_beta=-0.1, layer0_weight=0.2),
    "SimGCL": OF_CONTRAST,
    "XSimGCL": {**OF_CONTRAST, "layer_cl": 1},
    "NGCF": dict(hidden_size_list=[5], node_dropout=0.0, message_dropout=0.0),
}
every_backbone = pytest.mark.parametrize("name", BACKBONES)


def _model(name, toy, **changes):
    torch.manual_seed(7)
    return BACKBONES[name](*toy.data, **{"embedding_size": 4, **OPTIONS[name], **changes})


def _tables(model):
    return model.user_embedding.weight.detach(), model.item_embedding.weight.detach()


def _drawn(draw):
    """What torch's own initialiser draws, users first, after torch.nn.Embedding's own draws."""
    torch.manual_seed(7)
    layers = torch.nn.Embedding(6, 4), torch.nn.Embedding(7, 4)
    for layer in layers:
        draw(layer.weight)
    return tuple(layer.weight.detach() for layer in layers)


def _normal(std):
    return _drawn(lambda weight: torch.nn.init.normal_(weight, std=std))


def _assert_equal(tables, expected):
    assert torch.equal(tables[0], expected[0]) and torch.equal(tables[1], expected[1])


@every_backbone
def test_xavier_uniform_is_what_torch_draws_users_first(name, toy):
    model = _model(name, toy, initialization="xavier_uniform")
    _assert_equal(_tables(model), _drawn(torch.nn.init.xavier_uniform_))
    assert not model.initialise()


def test_xavier_uniform_as_it_was_recorded(toy):
    """The first rows of MF's tables before there was a choice."""
    user, item = _tables(_model("MF", toy))
    recorded = (
        [-0.3187255561351776, -0.19171364605426788, 0.48005881905555725, 0.4250165820121765],
        [-0.4271600842475891, 0.34115028381347656, -0.1989929974079132, 0.47083503007888794],
    )
    for row, values in zip((user[0], item[0]), recorded, strict=True):
        assert row.tolist() == values


@pytest.mark.parametrize("std", [0.1, 1.0])
@every_backbone
def test_normal_is_what_torch_draws_with_the_deviation_of_the_setting(name, std, toy):
    model = _model(name, toy, initialization="normal", init_std=std)
    _assert_equal(_tables(model), _normal(std))


@every_backbone
def test_the_defaults_are_those_of_the_property_file(name, toy):
    path = property_files.properties_dir() / "backbone" / f"{name}.yaml"
    values = property_files.read_yaml(path)
    parameters = inspect.signature(BACKBONES[name]).parameters
    for option in ("initialization", "init_std"):
        assert parameters[option].default == values[option]
    own = _normal(0.1) if name == "LightGCN++" else _drawn(torch.nn.init.xavier_uniform_)
    _assert_equal(_tables(_model(name, toy)), own)


@every_backbone
def test_the_spectral_start_is_the_svds_vectors_and_a_tenth_of_the_random_start(name, toy):
    model = _model(name, toy, initialization="spectral", init_std=0.3)
    xavier = name != "LightGCN++"
    random = _drawn(torch.nn.init.xavier_uniform_) if xavier else _normal(0.3)
    _assert_equal(_tables(model), random)
    assert model.initialise()
    found = spectral.spectral_vectors(*toy.data, 4)
    empty = {0: [0], 1: [0, 5, 6]}  # users and items without an edge
    for side, (table, drawn) in enumerate(zip(_tables(model), random, strict=True)):
        deviation = (2 / (len(table) + 4)) ** 0.5 if xavier else 0.3
        for row, vector in enumerate(found[side]):
            expected = drawn[row]
            if row not in empty[side]:
                expected = vector / vector.norm() * deviation * 4**0.5 + 0.1 * drawn[row]
            torch.testing.assert_close(table[row], expected)
    user, item = model.embed()
    assert bool(torch.isfinite(user).all()) and bool(torch.isfinite(item).all())


@every_backbone
def test_the_usual_length_is_the_root_mean_square_of_the_random_start(name, toy):
    """In tables large enough to show it."""
    users, items = torch.randint(1, 400, (9000,)), torch.randint(1, 300, (9000,))
    options = {**OPTIONS[name], "embedding_size": 32, "initialization": "spectral"}
    model = BACKBONES[name](users, items, 400, 300, **options)
    random = [table.square().sum(dim=1).mean().sqrt() for table in map(torch.clone, _tables(model))]
    model.initialise()
    for table, length in zip(_tables(model), random, strict=True):
        spectral_length = table[1:].square().sum(dim=1).mean().sqrt()
        torch.testing.assert_close(spectral_length, length * 1.01**0.5, rtol=0.03, atol=0)


def test_more_dimensions_than_the_interactions_have_hold_a_tenth_of_the_random_start(toy):
    model = _model("MF", toy, embedding_size=20, initialization="spectral")
    random = [table.clone() for table in _tables(model)]
    model.initialise()
    linked = {0: range(1, 6), 1: range(1, 5)}
    for side, (table, drawn) in enumerate(zip(_tables(model), random, strict=True)):
        for row in linked[side]:  # four items have an edge, so four dimensions at most
            torch.testing.assert_close(table[row, 4:], 0.1 * drawn[row, 4:])
            assert float(table[row, :4].norm()) > float(table[row, 4:].norm())


def test_the_spectral_start_does_not_depend_on_when_it_is_made(toy):
    at_once = _model("LightGCN", toy, initialization="spectral")
    at_once.initialise()
    later = _model("LightGCN", toy, initialization="spectral")
    drawn = torch.rand(3)
    later.initialise()
    _assert_equal(_tables(later), _tables(at_once))
    torch.manual_seed(7)
    _model("LightGCN", toy, initialization="xavier_uniform")
    assert torch.equal(torch.rand(3), drawn)  # what follows in a run is what follows without it


def test_seeds_differ_by_the_tenth_of_the_random_start(toy):
    first = _model("MF", toy, initialization="spectral")
    torch.manual_seed(8)
    second = BACKBONES["MF"](*toy.data, embedding_size=4, initialization="spectral")
    random = [[table.clone() for table in _tables(model)] for model in (first, second)]
    first.initialise(), second.initialise()
    difference = first.user_embedding.weight[1:] - second.user_embedding.weight[1:]
    torch.testing.assert_close(difference.detach(), 0.1 * (random[0][0] - random[1][0])[1:])


def test_it_is_made_once_and_never_over_loaded_weights(toy, monkeypatch):
    model = _model("LightGCN", toy, initialization="spectral")
    loaded, inside = (_model("LightGCN", toy, initialization="spectral") for _ in range(2))
    assert model.initialise() and not model.initialise()
    monkeypatch.setattr(spectral, "spectral_vectors", None)  # nothing is computed below
    loaded.load_state_dict(model.state_dict())
    assert not loaded.initialise()
    outer = torch.nn.ModuleDict({"backbone": inside})
    outer.load_state_dict({f"backbone.{key}": value for key, value in model.state_dict().items()})
    assert not inside.initialise()
    for other in (loaded, inside):
        _assert_equal(_tables(other), _tables(model))


def test_it_keeps_the_precision_of_the_tables(toy):
    model = _model("MF", toy, initialization="spectral").double()
    assert model.initialise() and model.user_embedding.weight.dtype == torch.float64


def test_ngcfs_weights_start_from_xavier_in_any_case(toy):
    weights = [
        list(_model("NGCF", toy, initialization=start).parameters())[2:]
        for start in ("xavier_uniform", "spectral")
    ]
    assert len(weights[0]) == 2
    for one, other in zip(*weights, strict=True):
        bound = (6 / sum(one.shape)) ** 0.5
        assert torch.equal(one, other) and float(one.detach().abs().max()) <= bound


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"initialization": "xavier"},
            "initialization must be one of 'xavier_uniform', 'normal', 'spectral', got 'xavier'",
        ),
        ({"initialization": None}, "initialization must be one of .*, got None"),
        ({"initialization": ["normal"]}, r"initialization must be one of .*, got \['normal'\]"),
        ({"init_std": 0}, "init_std must be > 0, got 0"),
        ({"init_std": -0.1, "initialization": "normal"}, "init_std must be > 0, got -0.1"),
        ({"init_std": None}, "init_std must be a finite number, got None"),
        ({"init_std": True}, "init_std must be a finite number, got True"),
        ({"init_std": float("inf")}, "init_std must be a finite number, got inf"),
    ],
)
@every_backbone
def test_bad_options_are_refused(name, change, message, toy):
    with pytest.raises(ValueError, match=message):
        _model(name, toy, **change)
