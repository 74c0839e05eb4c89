"""Settings that have no effect, and numbers of negatives that are a mistake: each is told."""

import pytest
from configs import config_of

from recbole_dsl.config.ignored import ignored_settings
from recbole_dsl.config.run_config import Config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"eval_args": {"split": {"PS": [0.7, 0.1, 0.2]}, "order": "TO"}},
            "eval_args: order TO is ignored: split PS draws rows",
        ),
        (
            {"eval_args": {"split": {"GT": [0.7, 0.1, 0.2]}, "group_by": "none"}},
            "eval_args: group_by none is ignored: split GT divides the rows of all users",
        ),
        (
            {"eval_args": {"split": {"LS": "test_only"}, "group_by": None}},
            "eval_args: group_by None is ignored: split LS takes rows of every user",
        ),
        (
            {"eval_args": {"split": {"RS": [0.8, 0.1, 0.2]}}},
            r"split RS: the shares \[0.8, 0.1, 0.2\] add up to 1.1; they are taken as 0.7273, 0.09",
        ),
        ({"eval_args": {"split": {"TS": [0.5, 0.25, 0.2]}, "order": "TO"}}, "add up to 0.95"),
        ({"eval_args": {"split": {"PS": [0.5, 0.5, 0.5]}}}, "add up to 1.5"),
        ({"train_neg_sample_args": {"alpha": 0.5}}, "alpha 0.5 is ignored: it is for distribution"),
        ({"train_neg_sample_args": {"candidate_num": 5}}, "candidate_num 5 is ignored: it is for"),
        ({"diagnostics_rows": 5}, "diagnostics_rows is ignored: it is for diagnostics, which is F"),
        ({"wandb_project": "x"}, "wandb_project is ignored: it is for log_wandb, which is False"),
        ({"cache_dir": "x", "dataset_cache": False}, "cache_dir is ignored: it is for dataset_ca"),
        ({"init_std": 0.5}, "init_std is ignored: it is for initialization, which is xavier_unif"),
    ],
)
def test_what_belongs_to_another_choice_is_told(values, message):
    [warning] = config_of("MF_SL", **values).warnings
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(warning)


@pytest.mark.parametrize(
    ("model", "values", "whole", "other"),
    [
        ("MF_DSL", {"similarity": "co_occurrence"}, "beta", -1.0),
        ("MF_DSL", {"hardness": "score"}, "alpha", 1.0),
        ("MF_DSL", {"intensity": "entropy", "gamma": 0}, "gamma", 1.0),
        ("MF_DSL", {"centre": "running", "gamma": 0.0}, "gamma", 1.0),
        ("MF_DSL", {"effective_share": 0.3}, "base_tau", "effective_share"),
        ("MF_DSL", {"tau": 0.3, "base_tau": "score_gap"}, "base_tau", "given"),
        ("MF_SLatK", {"quantile_learning_rate": 0.1}, "quantile", "regression"),
        ("MF_Talos", {"quantile_every": 3}, "quantile", "exact"),
    ],
)
def test_an_option_of_a_loss_that_another_one_switches_off_is_told(model, values, whole, other):
    config = config_of(model, **values)
    name = next(iter(values))
    assert config.warnings == [f"{name} is ignored: it is for {whole}, which is {config[whole]}"]
    assert config_of(model, **{**values, whole: other}).warnings == []


def test_options_of_those_names_are_another_losss_own_affair():
    values = config_of("MF_DSL", similarity="co_occurrence").final_config_dict
    given = {"similarity": "command line"}
    assert len(ignored_settings(values, given)) == 1
    assert ignored_settings({**values, "loss": "mine:Loss"}, given) == []


@pytest.mark.parametrize(
    "values",
    [
        {"eval_args": {"split": {"RS": [8, 1, 1]}}},
        {"eval_args": {"split": {"RS": [80, 10, 10]}}},
        {"eval_args": {"split": {"RS": [1, 1, 1]}}},
        {"eval_args": {"split": {"RS": [0.7, 0.1, 0.2]}}},
        {"eval_args": {"split": {"RS": [1 / 3, 1 / 3, 1 / 3]}}},
        {"eval_args": {"split": {"GT": [0.7, 0.1, 0.2]}, "order": "TO"}},
        {"train_neg_sample_args": {"alpha": 0.5, "distribution": "popularity"}},
        {"init_std": 0.5, "initialization": "normal"},
        {"cache_dir": "x"},
    ],
)
def test_what_belongs_to_the_choice_made_is_not(values):
    assert config_of("MF_SL", **values).warnings == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"valid_metric_bigger": False}, "valid_metric_bigger: False is ignored: of MRR@10 the la"),
        ({"split_shift": 0.5}, "split_shift is ignored: it is of split PS, and the split is RS"),
        ({"benchmark_valid": 0.2}, "benchmark_valid is ignored: it is for benchmark_filename with"),
        (
            {"train_neg_sample_args": {"sample_num": 1}},
            "SL is a softmax over a positive and its negatives, and .* gives it 1: results are wor",
        ),
    ],
)
def test_what_has_no_effect_is_told(values, message):
    config = config_of("MF_SL", **values)
    assert len(config.warnings) == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(config.warnings[0])


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ("MF_SL", {}),
        ("MF_SL", {"valid_metric_bigger": True}),
        ("MF_SL", {"split_shift": 0.5, "eval_args": {"split": {"PS": [0.7, 0.1, 0.2]}}}),
        ("MF_SL", {"benchmark_valid": 0.2, "eval_args": {"split": {"RS": [0.8, 0.2]}}}),
        ("MF_SL", {"train_neg_sample_args": {"sample_num": 16}}),
        ("MF_SL", {"train_neg_sample_args": {"sample_num": "all"}}),
        ("MF_BPR", {"train_neg_sample_args": {"sample_num": 1}}),
        ("MF_InfoNCE", {"train_neg_sample_args": {"sample_num": 1}}),
        ("BPR", {"train_neg_sample_args": {"sample_num": 100}}),
    ],
)
def test_what_has_an_effect_is_not(model, values):
    assert config_of(model, **values).warnings == []


def test_a_number_of_negatives_for_all_models_that_reaches_recboles_is_told(tmp_path):
    shared = {"train_neg_sample_args": {"sample_num": 1000}}
    [warning] = Config("BPR", "ml-100k", shared=shared).warnings
    assert "{sample_num: 1000} (command line, for all models) holds for BPR too" in warning
    path = tmp_path / "a.yaml"
    path.write_text("train_neg_sample_args: {sample_num: 1000}\n")
    assert "holds for BPR too" in config_of("BPR", files=[str(path)]).warnings[0]
    assert Config("MF_SL", "ml-100k", shared=shared).warnings == []


def test_a_split_beside_files_that_are_one_is_told(checkerboard):
    given = {
        "benchmark_filename": ["train", "valid", "test"],
        "eval_args": {"split": {"RS": [0.5, 0.2, 0.3]}},
    }
    [warning] = Config("MF_SL", checkerboard, config_dict=given).warnings
    assert warning.startswith("eval_args: split is ignored: benchmark_filename")


@pytest.mark.parametrize(
    "values",
    [
        {"rm_dup_inter": "first"},
        {"val_interval": {"user_id": ["u1"]}},
        {"user_inter_num_interval": "[5,inf)"},
        {"item_inter_num_interval": "[5,inf)"},
    ],
)
def test_filters_beside_files_that_are_taken_as_they_are_are_told(values, checkerboard):
    given = {"benchmark_filename": ["train", "valid", "test"], **values}
    [warning] = Config("MF_SL", checkerboard, config_dict=given).warnings
    assert warning.startswith(f"{next(iter(values))} is ignored: the rows of benchmark_filename")
