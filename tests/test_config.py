import inspect
import re

import pytest
import torch

from recbole_dsl import settings
from recbole_dsl.config import Config
from recbole_dsl.registry import BACKBONES, LOSSES, pair_names
from recbole_dsl.settings import UsageError
from recbole_dsl.zoo import host_models


def _config(model="MF_SL", *arguments, files=None, **config_dict):
    pairs = [argument.split("=", 1) for argument in arguments]
    return Config(model, "ml-100k", files, config_dict, pairs)


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_layers_win_in_the_documented_order(tmp_path):
    first = _write(tmp_path / "a.yaml", "tau: 0.3\nseed: 1\nepochs: 5\nlearning_rate: 0.5\n")
    second = _write(tmp_path / "b.yaml", "seed: 2\nepochs: 6\nlearning_rate: 0.6\n")
    config = _config(
        "MF_SL", "learning_rate=0.8", files=[first, second], epochs=7, learning_rate=0.7
    )
    expected = {
        "stopping_step": (10, "RecBole overall.yaml"),
        "eval_memory": (256, "properties/overall.yaml"),
        "embedding_size": (64, "properties/backbone/MF.yaml"),
        "score": ("cosine", "properties/loss/SL.yaml"),
        "rm_dup_inter": (None, "RecBole dataset/ml-100k.yaml"),
        "tau": (0.3, f"config file {first}"),
        "seed": (2, f"config file {second}"),
        "epochs": (7, "config dict"),
        "learning_rate": (0.8, "command line"),
    }
    for key, (value, origin) in expected.items():
        assert (config[key], config.origins[key]) == (value, origin)
        assert config.settings()[key] == {"value": value, "from": origin}


def test_partial_negative_arguments_keep_the_rest():
    arguments = _config("MF_SL", "train_neg_sample_args={sample_num: 7}")["train_neg_sample_args"]
    assert arguments["sample_num"] == 7 and arguments["distribution"] == "uniform"
    arguments = _config("MF_SL", "train_neg_sample_args={distribution: popularity}")
    assert arguments["train_neg_sample_args"]["sample_num"] == 1000


def test_search_ranges_are_no_settings():
    assert "search" not in _config("MF_SL")
    with pytest.raises(UsageError, match="unknown setting 'search'"):
        _config("MF_SL", "search={}")


def test_no_loss_and_no_backbone_share_an_option():
    """They live in one flat space of settings: a shared name would mean two things."""
    names = {
        folder: {
            key
            for path in (settings.properties_dir() / folder).glob("*.yaml")
            for key in settings.read_yaml(path)
        }
        for folder in ("backbone", "loss")
    }
    assert names["backbone"] & names["loss"] == {settings.SEARCH}


def test_recbole_models_keep_recboles_defaults():
    config = _config("LightGCN")
    assert config["learning_rate"] == 0.001 and config["reg_weight"] == 1e-5
    assert config["train_neg_sample_args"]["sample_num"] == 1
    assert config.model_class is host_models()["LightGCN"]


def test_pytests_own_flags_are_no_settings(monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest", "--tau=9", "--seed=9"])
    assert _config()["seed"] == 2020


@pytest.mark.parametrize("name", pair_names())
def test_every_pair_resolves_and_no_name_exists_in_recbole(name):
    config = _config(name)
    assert name not in host_models()
    assert f"{config['backbone']}_{config['loss']}" == name == config["model"]


@pytest.mark.parametrize(
    ("folder", "table"), [("backbone", BACKBONES), ("loss", LOSSES)], ids=["backbone", "loss"]
)
def test_property_files_are_complete_commented_and_have_no_unused_key(folder, table):
    files = {path.stem: path for path in (settings.properties_dir() / folder).glob("*.yaml")}
    assert set(files) == set(table)
    shared = {
        "backbone": {"reg_weight", "learning_rate", "train_batch_size"},
        "loss": {"score", "train_neg_sample_args"},
    }
    for name, cls in table.items():
        values = settings.read_yaml(files[name])
        search = values.pop(settings.SEARCH)
        options = {
            key.rstrip("_")
            for key, parameter in inspect.signature(cls).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        draws = folder == "backbone" or {"neg", "negatives"} & set(cls.inputs)
        unused = set() if draws else {"train_neg_sample_args"}
        assert set(values) == options | shared[folder] - unused
        assert search and set(search) <= set(values)
        assert all(isinstance(choices, list) and choices for choices in search.values())
        text = files[name].read_text()
        assert text.startswith(f"# {name}: ")
        for line in text.split(f"{settings.SEARCH}: ")[0].splitlines():
            assert line.startswith("#") or re.search(r"  # \(\w+\) \w", line), line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train_batchsize=5"],
            "unknown setting 'train_batchsize' .*; did you mean train_batch_size?",
        ),
        (
            ["n_layers=2"],
            r"n_layers is not a setting of MF_SL, but of LightGCN\+\+_\*, LightGCN_\*",
        ),
        (["tau=x"], "tau must be a number, got 'x'"),
        (["tau=0"], "MF_SL: tau must be > 0, got 0"),
        (["score=cos"], "score must be cosine or dot, got 'cos'"),
        (["benchmark_valid=1"], r"benchmark_valid must be a share of rows in \[0, 1\), got 1"),
        (["train_neg_sample_args={block: 0}"], "block of train_neg_sample_args must be an integer"),
        (["epochs=1.5"], "epochs must be an integer, got 1.5"),
        (["metrics=[Recal]"], "unknown metric 'Recal'; did you mean recall?"),
        (["topk=0"], "topk must be one or more integers >= 1, got 0"),
        (["topk=a"], "topk must be one or more integers >= 1, got 'a'"),
        (["valid_metric=NDCG@20"], r"valid_metric 'NDCG@20' is not among .* NDCG@10.*did you mean"),
        (["valid_metric=GAUC"], "valid_metric 'GAUC' is not among"),
        (["learner=adamm"], "learner must be one of adam, .* got 'adamm'; did you mean adam"),
        (["train_neg_sample_args={num: 3}"], "train_neg_sample_args has no key 'num'"),
        (
            ["train_neg_sample_args={sample_num: 0}"],
            "sample_num of train_neg_sample_args must be an integer >= 1, got 0",
        ),
        (["train_neg_sample_args=None"], "train_neg_sample_args must be a map, got None"),
        (["train_neg_sample_args={dynamic: True}"], "dynamic sampling is RecBole's"),
        (["train_neg_sample_args={alpha: x}"], "alpha of train_neg_sample_args must be a number"),
        (["device=cuda:99"], "device 'cuda:99' is not there"),
        (["device=gpu"], "device must be auto, cpu or cuda:N, got 'gpu'"),
        (["gpu_id=x"], "gpu_id must be ids like 0 or 0,1"),
        (["eval_args={mode: every}"], "every"),
        (["eval_args={splt: {RS: [8, 1, 1]}}"], "eval_args has no key 'splt' .*did you mean split"),
        (["eval_args=full"], "eval_args must be a map .key: value., got 'full'"),
        (["loss=DSL"], "loss 'DSL' contradicts the model name MF_SL"),
        (
            ["mask_at_test=trian"],
            "mask_at_test must be train_valid or train, .* did you mean train",
        ),
        (["mask_at_test=train", "eval_args={mode: uni100}"], "mode full at test, got 'uni100'"),
        (["mask_at_test=train", "repeatable=True"], "nothing is masked where a user may meet"),
        (["test_score=cos"], "test_score must be cosine, dot or empty, got 'cos'"),
        (["train_noise={positive: 1}"], "train_noise has no key 'positive' .*did you mean false_p"),
        (["train_noise={false_positive: -1}"], "false_positive of train_noise .* >= 0, got -1"),
        (["train_noise={false_negative: .inf}"], "false_negative of train_noise must be a number"),
        (
            ["train_noise={false_negative: 1}", "train_neg_sample_args={block: 2}"],
            "false_negative 1: it needs train_neg_sample_args: {block: 1}, got 2",
        ),
        (["seed=1", "seed=2"], "--seed is given twice: '1' and '2'"),
    ],
)
def test_bad_settings_get_one_line(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        _config("MF_SL", *arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("LigtGCN_DSL", "unknown model 'LigtGCN_DSL'; did you mean LightGCN_DSL?"),
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
        _config(model)


def test_unknown_datasets_get_the_nearest_name(tmp_path):
    with pytest.raises(UsageError, match="unknown dataset 'ml-10k': .*; did you mean ml-100k?"):
        Config("MF_SL", "ml-10k")
    (tmp_path / "dataset" / "mine").mkdir(parents=True)
    with pytest.raises(UsageError, match="dataset 'mine': dataset/mine has no mine.inter"):
        Config("MF_SL", "mine")
    for parts, message in (
        (["train", "valid", "test"], "has no mine.train.inter, mine.valid.inter, mine.test.inter"),
        (["train", "test"], "has no mine.train.inter, mine.test.inter"),
        (["train"], r"benchmark_filename must name three parts.*, or two.* got \['train'\]"),
    ):
        with pytest.raises(UsageError, match=message):
            Config("MF_SL", "mine", config_dict={"benchmark_filename": parts})


def test_strict_config_false_turns_unknown_settings_into_warnings():
    config = _config("MF_SL", "train_batchsize=5", "strict_config=False")
    assert "train_batchsize" not in config
    assert "did you mean train_batch_size?; ignored" in config.warnings[0]


def test_a_file_for_several_models_may_hold_the_others_settings(tmp_path):
    shared = _write(tmp_path / "shared.yaml", "n_layers: 3\ntau: 0.1\n")
    config = _config("MF_SL", files=[shared])
    assert config["tau"] == 0.1 and "n_layers" not in config
    assert config.warnings == [
        "n_layers is not a setting of MF_SL, "
        "but of LightGCN++_*, LightGCN_*, SimGCL_*, ...; ignored"
    ]
    assert _config("LightGCN_SL", files=[shared])["n_layers"] == 3


def test_topk_and_metrics_take_one_or_many():
    config = _config("MF_SL", "topk=5,10", "metrics=Recall, NDCG", "valid_metric=ndcg@5")
    assert config["topk"] == [5, 10] and config["metrics"] == ["Recall", "NDCG"]
    assert _config("MF_SL", "topk=20", "valid_metric=MRR@20")["topk"] == [20]


def test_device_settings_mean_what_they_say(monkeypatch):
    assert _config("MF_SL", "device=cpu")["device"] == torch.device("cpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    from recbole_dsl.device import choose_device

    assert choose_device("auto", True, "1")[0] == torch.device("cuda", 1)
    assert choose_device("cuda:1", False, "")[0] == torch.device("cuda", 1)
    assert choose_device("auto", False, "0")[0] == torch.device("cpu")
    assert choose_device("auto", True, "")[0] == torch.device("cpu")
    device, why = choose_device("auto", True, "0,1")
    assert device == torch.device("cuda", 0) and "1 of 2 GPUs used" in why
    with pytest.raises(UsageError, match="gpu_id 2 is not there: CUDA devices 0 to 1"):
        choose_device("auto", True, "2")


def test_the_environment_is_left_alone(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    _config()
    import os

    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


def test_a_users_own_class_brings_its_own_settings():
    target = "recbole.model.general_recommender.bpr:BPR"
    config = _config(target, "my_own_switch=4")
    assert config["model"] == "BPR" and config["my_own_switch"] == 4
    assert "unknown setting 'my_own_switch'" in config.warnings[0]
