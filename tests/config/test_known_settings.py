import pytest
from configs import config_of

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.known_settings import models_by_setting
from recbole_dsl.config.run_config import SHARED, Config


def test_strict_config_false_turns_unknown_settings_into_warnings():
    config = config_of("MF_SL", "train_batchsize=5", "strict_config=False")
    assert "train_batchsize" not in config
    assert "did you mean train_batch_size?; ignored" in config.warnings[0]


def test_a_file_for_several_models_may_hold_the_others_settings(tmp_path):
    shared = tmp_path / "shared.yaml"
    shared.write_text("n_layers: 3\ntau: 0.1\n")
    config = config_of("MF_SL", files=[str(shared)])
    assert config["tau"] == 0.1 and "n_layers" not in config
    assert config.warnings == [
        "n_layers is not a setting of MF_SL, "
        "but of LightGCN++_*, LightGCN_*, SimGCL_*, ...; ignored"
    ]
    assert config_of("LightGCN_SL", files=[str(shared)])["n_layers"] == 3


def test_a_users_own_class_brings_its_own_settings():
    target = "recbole.model.general_recommender.bpr:BPR"
    config = config_of(target, "my_own_switch=4")
    assert config["model"] == "BPR" and config["my_own_switch"] == 4
    assert "unknown setting 'my_own_switch'" in config.warnings[0]


@pytest.mark.parametrize("model", ["MF_SL", "BPR"])
def test_unknown_settings_stop_the_run_wherever_they_are_given(model, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("train_batchsize: 5\n")
    for given, where in (
        (dict(files=[str(path)]), "config file"),
        (dict(train_batchsize=5), "config dict"),
    ):
        with pytest.raises(UsageError, match=f"unknown setting 'train_batchsize' .{where}"):
            config_of(model, **given)
    for key, of in (("block", "train_neg_sample_args"), ("split", "eval_args")):
        with pytest.raises(UsageError, match=f"unknown setting '{key}' .*; it is a key of {of}"):
            Config(model, "ml-100k", config_dict={key: 1})
    with pytest.raises(UsageError, match="unknown setting 'train_batchsize' .command line"):
        config_of(model, "train_batchsize=5")


def test_settings_of_other_models_stop_the_run_unless_many_models_are_given_them_at_once():
    for given in (dict(n_layers=3), dict(n_layers=3, strict_config=True)):
        with pytest.raises(UsageError, match=r"n_layers is not a .* \(strict_config: False ignore"):
            config_of("MF_SL", **given)
    config = config_of("MF_SL", n_layers=3, strict_config=False)
    assert "n_layers" not in config and "; ignored" in config.warnings[0]
    config = Config("MF_SL", "ml-100k", shared={"n_layers": 3, "tau": 0.1})
    assert "n_layers" not in config and config["tau"] == 0.1 and "; ignored" in config.warnings[0]
    assert config.origins["tau"] == SHARED


def test_models_are_named_by_the_files_that_have_a_setting():
    models = models_by_setting()
    assert models["surrogate"] == ["*_PSL"] and models["layer0_weight"] == ["LightGCN++_*"]
    assert models["test_score"] == ["<Backbone>_<Loss>"]
    assert "SGL" in models["ssl_tau"] and "search" not in models
