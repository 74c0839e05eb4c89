import inspect

import pytest
from configs import config_of

from recbole_dsl.common import property_files
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config import property_layers
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES, PropertyLayers
from recbole_dsl.models.registry import BACKBONES, LOSSES
from recbole_dsl.models.resolve import host_models, resolve_model

# Losses over cosines whose authors rank test items by inner products.
RANKED_BY_INNER_PRODUCT = {"DirectAU", "BC"}


def test_search_ranges_are_no_settings():
    assert "search" not in config_of("MF_SL")
    with pytest.raises(UsageError, match="unknown setting 'search'"):
        config_of("MF_SL", "search={}")


def test_no_loss_and_no_backbone_share_an_option():
    """They live in one flat space of settings: a shared name would mean two things."""
    names = {
        folder: {
            key
            for path in (property_files.properties_dir() / folder).glob("*.yaml")
            for key in property_files.read_yaml(path)
        }
        for folder in ("backbone", "loss")
    }
    assert names["backbone"] & names["loss"] == {property_files.SEARCH}


@pytest.mark.parametrize(
    ("folder", "table"), [("backbone", BACKBONES), ("loss", LOSSES)], ids=["backbone", "loss"]
)
def test_property_files_are_complete_and_have_no_unused_key(folder, table):
    files = {path.stem: path for path in (property_files.properties_dir() / folder).glob("*.yaml")}
    assert set(files) == set(table)
    shared = {
        "backbone": {"reg_weight", "learning_rate", "train_batch_size"},
        "loss": {"score", "train_neg_sample_args"},
    }
    for name, cls in table.items():
        values = property_files.read_yaml(files[name])
        search = values.pop(property_files.SEARCH)
        options = {
            key.rstrip("_")
            for key, parameter in inspect.signature(cls).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        draws = folder == "backbone" or {"neg", "negatives"} & set(cls.inputs)
        unused = set() if draws else {"train_neg_sample_args"}
        if name in RANKED_BY_INNER_PRODUCT:
            options.add("test_score")
        assert set(values) == options | shared[folder] - unused
        assert search and set(search) <= {*values, "weight_decay"}  # RecBole's, of every model
        assert all(isinstance(choices, list) and choices for choices in search.values())
        assert files[name].read_text().startswith(f"# {name}: ")


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_loss_says_how_its_authors_rank_over_the_setting_of_every_pair(loss):
    config = config_of(f"LightGCN_{loss}")
    expected = "dot" if loss in RANKED_BY_INNER_PRODUCT else None
    assert config["test_score"] == expected
    if expected:
        assert config["score"] == "cosine"
        assert config_of(f"MF_{loss}", "test_score=cosine")["test_score"] == "cosine"


def _files(config):
    """Names of the property files of a Config, lowest layer first."""
    roots = {"RecBole ": RECBOLE_PROPERTIES, "": property_files.properties_dir()}
    return [
        next(
            f"{prefix}{path.relative_to(root)}"
            for prefix, root in roots.items()
            if path.is_relative_to(root)
        )
        for path in config.property_paths
    ]


def test_property_files_win_in_the_documented_order():
    everywhere = ["RecBole overall.yaml", "overall.yaml"]
    data = ["RecBole dataset/sample.yaml", "RecBole dataset/ml-100k.yaml"]
    pair = ["pair.yaml", "backbone/LightGCN.yaml", "loss/DSL.yaml"]
    assert _files(config_of("LightGCN_DSL")) == [*everywhere, *data, *pair]
    assert _files(config_of("LightGCN")) == [*everywhere, "RecBole model/LightGCN.yaml", *data]
    sequential = _files(config_of("SASRec", train_neg_sample_args={"distribution": "uniform"},
                                  loss_type="BPR"))  # fmt: skip
    assert sequential[-1] == "RecBole quick_start_config/sequential.yaml"


def test_our_files_of_a_model_and_a_dataset_win_over_recboles(tmp_path, monkeypatch):
    for name, value in (("model/BPR", 1), ("dataset/ml-100k", 2), ("overall", 3)):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"embedding_size: {value}\nsearch: {{seed: [{value}]}}\n")
    monkeypatch.setattr(property_layers, "properties_dir", lambda: tmp_path)
    layers = PropertyLayers()
    for name in ("overall", "model/BPR", "dataset/ml-100k"):
        layers.add_recboles(RECBOLE_PROPERTIES / f"{name}.yaml")
    layers.add_ours(resolve_model("BPR"), "ml-100k")
    values, labels = layers.resolve()
    assert values["embedding_size"] == 2 and "search" not in values
    assert labels["embedding_size"] == "properties/dataset/ml-100k.yaml"
    assert labels["USER_ID_FIELD"] == "RecBole dataset/ml-100k.yaml"
    assert layers.search == {"seed": [2]}


def test_recbole_models_keep_recboles_defaults():
    config = config_of("LightGCN")
    assert config["learning_rate"] == 0.001 and config["reg_weight"] == 1e-5
    assert config["train_neg_sample_args"]["sample_num"] == 1
    assert config.model_class is host_models()["LightGCN"]
