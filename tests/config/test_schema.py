"""The schema of all settings: complete, true of every default, and the same for checks and help."""

import re

import pytest
from configs import config_of

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.property_files import SEARCH, properties_dir, read_yaml
from recbole_dsl.config.comments import comments_of
from recbole_dsl.config.known_settings import REPLACED, models_by_setting
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES, PropertyLayers
from recbole_dsl.config.schema import Schema
from recbole_dsl.config.value_types import ValueType
from recbole_dsl.models.registry import BACKBONES, LOSSES
from recbole_dsl.models.resolve import host_models, resolve_model

PAIRS = [*(f"{name}_DSL" for name in BACKBONES), *(f"MF_{name}" for name in LOSSES)]
TYPES = properties_dir() / "types.yaml"
# RecBole's file has these in the comment of another line, or none.
WITHOUT_TYPE = {"backbone", "loss"}


def _schema(model):
    """The schema of a model and its defaults, without RecBole's Config."""
    layers, spec = PropertyLayers(), resolve_model(model)
    for name in ("overall", f"model/{spec.name}", "dataset/sample"):
        if (RECBOLE_PROPERTIES / f"{name}.yaml").is_file():
            layers.add_recboles(RECBOLE_PROPERTIES / f"{name}.yaml")
    layers.add_ours(spec, "toy")
    defaults, _ = layers.resolve()
    return Schema(layers.paths, defaults), defaults


@pytest.mark.parametrize("model", [*PAIRS, *host_models()])
def test_every_default_is_of_its_type(model):
    schema, defaults = _schema(model)
    for key, value in defaults.items():
        assert schema.read(key, value) == value or value is None, key


@pytest.mark.parametrize("model", ["MF_SL", "LightGCN_DSL", "BPR", "SASRec"])
def test_every_setting_has_a_type(model):
    schema, defaults = _schema(model)
    assert defaults.keys() - {place[0] for place in schema.types} == (
        WITHOUT_TYPE & defaults.keys()
    )


def test_the_types_of_our_files_are_types():
    for path in {*properties_dir().rglob("*.yaml")} - {TYPES}:
        for place, comment in comments_of(path).items():
            if place[0] != SEARCH:
                ValueType(comment.type)


def test_types_are_of_settings_that_there_are():
    known = {key.split(".")[0] for key in read_yaml(TYPES)}
    models = models_by_setting()
    listed = set()
    for path in ("overall", "dataset/sample"):
        listed |= set(read_yaml(RECBOLE_PROPERTIES / f"{path}.yaml"))
    unlisted = {"model", "dataset", "encoding", "tail_ratio", "group_metrics"}
    assert known - listed - set(models) == unlisted


def test_what_is_replaced_is_no_setting():
    known = set(models_by_setting()) | set(config_of("BPR").layered)
    assert not REPLACED.keys() & known


@pytest.mark.parametrize(
    ("key", "use"),
    [
        ("eval_setting", "eval_args, such as"),
        ("split_ratio", "eval_args: {split: {RS"),
        ("group_by_user", "group_by: user"),
        ("drop_filter_field", "always dropped"),
        ("config_file_list", "--config_files"),
        ("config_file", "--config_files"),
        ("max_evals", "recbole_dsl tune --trials"),
        ("training_neg_sample_num", "sample_num: N"),
    ],
)
def test_old_settings_are_told_what_replaced_them(key, use):
    with pytest.raises(UsageError, match=f"unknown setting '{key}' .*; use .*{use}"):
        config_of("MF_SL", f"{key}=1")


@pytest.mark.parametrize(
    ("model", "key", "text", "value"),
    [
        ("MF_SL", "user_inter_num_interval", "[5,29]", "[5,29]"),
        ("MF_SL", "user_inter_num_interval", "[5,inf)", "[5,inf)"),
        ("MF_SL", "item_inter_num_interval", "(0,10];[20,inf)", "(0,10];[20,inf)"),
        ("MF_SL", "user_inter_num_interval", "None", None),
        ("MF_SL", "seq_separator", " ", " "),
        ("MF_SL", "field_separator", "\\t", "\t"),
        ("MF_SL", "wandb_project", "2018", "2018"),
        ("MF_SL", "wandb_project", "1e3", "1e3"),
        ("MF_SL", "gpu_id", "", ""),
        ("MF_SL", "result_file", "", None),
        ("MF_SL", "state", "warning", "WARNING"),
        ("MF_SL", "normalize_all", "None", None),
        ("MF_SL", "val_interval", "{rating: '[3,inf)'}", {"rating": "[3,inf)"}),
        ("DCN", "reg_weight", "0.5", 0.5),
    ],
)
def test_values_are_written_as_recbole_documents_them(model, key, text, value):
    assert config_of(model, f"{key}={text}")[key] == value


def test_none_in_a_file_is_empty(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("train_neg_sample_args: None\nnormalize_all: None\n")
    config = config_of("SASRec", files=[str(path)])
    assert config["train_neg_sample_args"]["distribution"] == "none"
    assert config["normalize_all"] is None


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        ("MF_SL", {"seed": None}, "seed must be an integer in [0, 4294967295], got None"),
        ("MF_SL", {"learning_rate": ""}, "learning_rate must be a number >= 0, got ''"),
        ("MF_SL", {"worker": -1}, "worker must be an integer in [0, 1024], got -1"),
        ("MF_SL", {"metric_decimal_place": None}, "metric_decimal_place must be an integer"),
        ("MF_SL", {"metric_decimal_place": -1}, "metric_decimal_place must be an integer in"),
        ("MF_SL", {"clip_grad_norm": 5}, "clip_grad_norm must be a map {key: value} or empty"),
        (
            "MF_SL",
            {"val_interval": {"rating": ">=3"}},
            "rating of val_interval must be a list or an interv",
        ),
        ("MF_SL", {"user_inter_num_interval": 5}, 'must be an interval such as "[5,inf)" or empt'),
        ("MF_SL", {"load_col": "inter"}, "load_col must be a map {key: value} or empty"),
        ("MF_SL", {"USER_ID_FIELD": None}, "USER_ID_FIELD must be a word, got None"),
        ("MF_SL", {"field_separator": ""}, "field_separator must be one character, got ''"),
        ("MF_SL", {"encoding": "utf-88"}, "encoding must be an encoding that Python knows"),
        ("MF_SL", {"benchmark_filename": 3}, "benchmark_filename must be a list (each a word)"),
        ("MF_SL", {"state": "NOPE"}, "state must be INFO, DEBUG, WARNING, ERROR or CRITICAL"),
        ("MF_SL", {"eval_args": {"group_by": 7}}, "group_by of eval_args must be user, none or"),
        ("MF_SL", {"eval_args": {"mode": "uni0"}}, "mode of eval_args must be full, labeled, uni"),
        ("MF_SL", {"eval_args": {"mode": {"val": "uni10"}}}, "mode of eval_args has no key 'val'"),
        ("MF_SL", {"weight_decay": float("inf")}, "weight_decay must be a number >= 0, got inf"),
        ("SLIMElastic", {"alpha": float("nan")}, "alpha must hold finite numbers, got nan"),
        ("BPR", {"train_neg_sample_args": {"sample_nun": 5}}, "has no key 'sample_nun'"),
        ("SASRec", {"loss_type": "XE"}, "loss_type must be BPR, CE, BCE or MSE, got 'XE'"),
        ("MF_SL", {"seed": 10**5000}, "got a number of thousands of digits"),
        ("MF_SL", {"strict_config": "no", "tua": 1}, "strict_config must be True or False"),
        ("MF_SL", {"strict_config": False, "seed": None}, "seed must be an integer in"),
    ],
)
def test_a_value_of_another_type_is_one_line(model, given, message):
    with pytest.raises(UsageError) as caught:
        config_of(model, **given)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_names_inside_a_map_get_a_hint():
    with pytest.raises(UsageError, match=r"\(known: distribution, .*did you mean sample_num\?"):
        config_of("BPR", train_neg_sample_args={"sample_nun": 5})


@pytest.mark.parametrize(
    ("key", "text"),
    [("field_separator", "::"), ("encoding", "[x]"), ("user_inter_num_interval", "{a: 1}")],
)
def test_a_word_that_yaml_takes_for_a_map_is_shown_as_it_was_written(key, text):
    with pytest.raises(UsageError, match=f"{key} must be .*, got {re.escape(repr(text))}"):
        config_of("MF_SL", f"{key}={text}")
