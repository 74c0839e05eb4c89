"""The settings in a dataset's own folder: their place among the layers, and what they may be."""

from pathlib import Path

import pytest

from recbole_dsl.cli import settings as settings_command
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.config.settings_table import settings_table

LABEL = "dataset file dataset/shop/shop.yaml"


@pytest.fixture
def shop(make_dataset):
    """Makes a dataset whose own file has a text."""

    def with_settings(text):
        return make_dataset("shop", [("u", "i")], {"yaml": text})

    return with_settings


def test_they_win_over_all_defaults_and_lose_to_all_that_is_given(shop, tmp_path):
    shop(
        "topk: [1]\nmetrics: [Recall]\nvalid_metric: Recall@1\nsplit_seed: 1\nseq_separator: '|'\n"
        "benchmark_valid: 0.3\neval_args: {order: TO}\n"
    )
    file = tmp_path / "a.yaml"
    file.write_text("split_seed: 2\neval_args: {split: {LS: valid_and_test}}\n")
    config = Config("MF_SL", "shop", [str(file)], {"seq_separator": ";"}, [("topk", "[1, 2]")])
    expected = {
        "metrics": (["Recall"], LABEL),
        "benchmark_valid": (0.3, LABEL),  # over properties/overall.yaml
        "split_seed": (2, f"config file {file}"),
        "seq_separator": (";", "config dict"),
        "topk": ([1, 2], "command line"),
    }
    for key, (value, layer) in expected.items():
        assert (config[key], config.origins[key]) == (value, layer)
    arguments = config["eval_args"]  # merged key by key
    assert arguments["order"] == "TO" and arguments["split"] == {"LS": "valid_and_test"}
    assert config.own_settings.layer == LABEL
    assert next(row.layer for row in settings_table(config) if row.name == "metrics") == LABEL


def test_they_are_found_in_the_data_path_that_is_given(shop, tmp_path):
    shop("split_seed: 1\n")
    Path("dataset").rename("elsewhere")
    config = Config("MF_SL", "shop", arguments=[("data_path", "elsewhere")])
    assert config.origins["split_seed"] == "dataset file elsewhere/shop/shop.yaml"
    file = tmp_path / "a.yaml"
    file.write_text("data_path: elsewhere\ndataset: shop\n")
    assert Config("BPR", config_file_list=[str(file)])["split_seed"] == 1


def test_a_dataset_without_them_has_none(make_dataset):
    make_dataset("shop", [("u", "i")])
    assert Config("MF_SL", "shop").own_settings is None


def test_recboles_own_ml_100k_has_none(own_folder):
    home = own_folder / "dataset" / "ml-100k"
    home.mkdir(parents=True)
    (home / "ml-100k.yaml").write_text("split_seed: 1\n")
    config = Config("MF_SL", "ml-100k")
    assert config.own_settings is None and config["split_seed"] is None


@pytest.mark.parametrize("key", ["tau", "learning_rate", "checkpoint_dir", "data_path", "model"])
def test_what_is_no_setting_of_data_is_refused_even_where_another_layer_wins(shop, key):
    shop(f"{key}: 1\n")
    message = rf"^{key} \({LABEL}\) is no setting of data or evaluation, which a dataset may have"
    for given in ([], [(key, "MF_SL" if key == "model" else "0.5")][: key != "data_path"]):
        with pytest.raises(UsageError, match=message):
            Config("MF_SL", "shop", arguments=given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("load_cols: [a]\n", rf"unknown setting 'load_cols' \({LABEL}\); did you mean load_col?"),
        ("load_col: 3\n", "load_col must be a map"),
        ("topk: 0\n", "topk must be"),
        ("load_col: {inter: [user_id]}\n", "ITEM_ID_FIELD 'item_id' is not among"),
        ("benchmark_filename: [train, test]\n", "has no shop.train.inter, shop.test.inter"),
        ("- a\n", "settings file dataset/shop/shop.yaml must hold lines of `key: value`"),
        ("a: [\n", "settings file dataset/shop/shop.yaml is not YAML"),
    ],
)
def test_a_mistake_in_them_is_one_line(shop, text, message):
    shop(text)
    with pytest.raises(UsageError, match=message) as caught:
        Config("MF_SL", "shop")
    assert "\n" not in str(caught.value)


def test_the_command_shows_them_as_a_layer_of_their_own(shop, capsys):
    shop("split_seed: 7\n")
    assert settings_command.main(["MF_SL", "--dataset=shop", "--tau=0.3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = [lines.index(f"{layer}:") for layer in ("properties/loss/SL.yaml", LABEL, "command line")]
    assert at == sorted(at)
    assert lines[at[1] + 1].split()[:2] == ["split_seed", "7"]


def test_an_interval_is_checked_against_the_data_and_not_against_other_files(make_dataset):
    others = {"yaml": "load_col: ~\n", "yaml.old": "rate:float", "json": "rate:float"}
    name = make_dataset("shop", [("u", "i")], others)
    with pytest.raises(UsageError, match="val_interval: no file of 'shop' has a column 'rate'$"):
        Config("MF_SL", name, config_dict={"val_interval": {"rate": "[0,1]"}})
