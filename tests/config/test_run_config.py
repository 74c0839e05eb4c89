import os

import pytest
from configs import config_of
from recbole.utils import dataset_arguments

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.models.registry import pair_names
from recbole_dsl.models.resolve import host_models


def test_layers_win_in_the_documented_order(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("rm_dup_inter: last\ntau: 0.3\nseed: 1\nepochs: 5\nlearning_rate: 0.5\n")
    second.write_text("seed: 2\nepochs: 6\nlearning_rate: 0.6\n")
    config = config_of(
        "MF_SL", "learning_rate=0.8", files=[str(first), str(second)], epochs=7, learning_rate=0.7
    )
    expected = {
        "stopping_step": (10, "RecBole overall.yaml"),
        "eval_memory": (256, "properties/overall.yaml"),
        "embedding_size": (64, "properties/backbone/MF.yaml"),
        "score": ("cosine", "properties/loss/SL.yaml"),
        "normalize_all": (True, "RecBole dataset/ml-100k.yaml"),  # empty in sample.yaml
        "rm_dup_inter": ("last", f"config file {first}"),
        "tau": (0.3, f"config file {first}"),
        "seed": (2, f"config file {second}"),
        "epochs": (7, "config dict"),
        "learning_rate": (0.8, "command line"),
    }
    for key, (value, origin) in expected.items():
        assert (config[key], config.origins[key]) == (value, origin)
        assert config.settings()[key] == {"value": value, "from": origin}


def test_the_preset_for_popularity_shift_is_dsls_own_and_other_losses_say_what_they_ignore():
    split = "eval_args={split: {PS: [0.7, 0.1, 0.2]}}"
    config = config_of("MF_DSL", split, files=["preset:popularity_shift"])
    assert config.warnings == []
    assert (config["gamma"], config["positive_factor"], config["valid_shift"]) == (0.5, 0.8, 1.0)
    (warning,) = (w for w in config_of("MF_BPR", split, files=["preset:popularity_shift"]).warnings
                  if "gamma" in w)  # fmt: skip
    assert "gamma is not a setting of MF_BPR, but of *_DSL" in warning


def test_a_preset_is_a_layer_as_a_file_is(tmp_path):
    own = tmp_path / "a.yaml"
    own.write_text("epochs: 5\n")
    words = ["stopping_step=3", "benchmark_filename=None"]
    config = config_of("MF_SL", *words, files=["preset:ir_benchmark", str(own)])
    assert config["topk"] == [20] and config.origins["topk"] == "config file preset:ir_benchmark"
    assert (config["epochs"], config["stopping_step"]) == (5, 3)


def test_partial_negative_arguments_keep_the_rest():
    arguments = config_of("MF_SL", "train_neg_sample_args={sample_num: 7}")["train_neg_sample_args"]
    assert arguments["sample_num"] == 7 and arguments["distribution"] == "uniform"
    arguments = config_of("MF_SL", "train_neg_sample_args={distribution: popularity}")
    assert arguments["train_neg_sample_args"]["sample_num"] == 1000


@pytest.mark.parametrize("name", pair_names())
def test_every_pair_resolves_and_no_name_exists_in_recbole(name):
    config = config_of(name)
    assert name not in host_models()
    assert f"{config['backbone']}_{config['loss']}" == name == config["model"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("LigtGCN_DSL", "unknown model 'LigtGCN_DSL'; did you mean LightGCN_DSL?"),
        ("xgboost", "model 'xgboost' is trained by a library of its own, and not run here"),
        ("lightgcn", "unknown model 'lightgcn'; did you mean LightGCN?"),
        ("MF_DLS", "unknown loss 'DLS' in model 'MF_DLS' .*; did you mean MF_DSL?"),
        ("no.such:Thing", "cannot import no.such"),
        (
            "recbole.model.general_recommender:BRP",
            "has no AbstractRecommender 'BRP'; did you mean BPR?",
        ),
    ],
)
def test_unknown_models_get_the_nearest_name(model, message):
    with pytest.raises(UsageError, match=message):
        config_of(model)


def test_pytests_own_flags_are_no_settings(monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest", "--tau=9", "--seed=9"])
    assert config_of()["seed"] == 2020


def test_model_and_dataset_may_come_from_any_layer(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("model: MF_SL\ndataset: ml-100k\n")
    config = Config(config_file_list=[str(path)], arguments=[("model", "MF_BPR")])
    assert (config["model"], config["dataset"]) == ("MF_BPR", "ml-100k")
    assert Config("MF_DSL", config_file_list=[str(path)])["model"] == "MF_DSL"
    for given, missing in (({"dataset": "ml-100k"}, "model"), ({"model": "MF_SL"}, "dataset")):
        with pytest.raises(UsageError, match=f"no {missing} is given: --{missing}=NAME"):
            Config(config_dict=given)


def test_lists_that_recbole_shares_between_configs_are_not_appended_to():
    before = {name: list(keys) for name, keys in config_of().parameters.items()}
    assert config_of().parameters == before
    assert dataset_arguments == before["Dataset"][: len(dataset_arguments)] != before["Dataset"]


def test_the_environment_is_left_alone(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    config_of()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
