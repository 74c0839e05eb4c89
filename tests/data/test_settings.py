"""Settings of the data that are refused before any of it is read."""

import pytest
from recbole.utils import ModelType

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data import settings as data_settings

PS = {"eval_args": {"split": {"PS": [0.7, 0.1, 0.2]}}, "state": "ERROR"}
BOTH = {**PS, "test_sets": ["iid", "popularity"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"eval_args": {"split": {"PSS": [0.7, 0.1, 0.2]}}},
            r"unknown split 'PSS' \(known: RS, LS, TS, PS, GT\); did you mean PS\?",
        ),
        (
            {"eval_args": {"split": {"PS": [0.8, 0.2]}}},
            r"eval_args: split PS takes the shares .*, got \[0.8, 0.2\]",
        ),
        ({"eval_args": {"split": {"PS": [0, 0.5, 0.5]}}}, "train and test above 0"),
        ({"eval_args": {"split": {"PS": [0.9, 0.1, 0]}}}, "train and test above 0"),
        ({"eval_args": {"split": {"GT": [0.9, -0.1, 0.2]}}}, "split GT takes the shares"),
        ({"eval_args": {"split": {"PS": "half"}}}, "got 'half'"),
        ({**PS, "split_shift": 1.5}, r"split_shift must be a number in .0, 1., got 1.5"),
        ({**PS, "valid_shift": -0.5}, r"valid_shift must be a number in .0, 1., got -0.5"),
        (
            {"valid_shift": 0.5},
            "valid_shift 0.5 is for validation rows of split PS or of benchmark_valid, and the "
            "split is RS",
        ),
        (
            {"eval_args": {"split": {"GT": [0.7, 0.1, 0.2]}}, "valid_shift": 1},
            "valid_shift 1.* is for validation rows of .*, and the split is GT",
        ),
        (
            {"eval_args": {"split": {"PS": [0.8, 0, 0.2]}}, "valid_shift": 1.0},
            r"valid_shift 1.0 is for .*, and the shares \[0.8, 0, 0.2\] have none",
        ),
        (
            {"eval_args": {"split": {"RS": [0.8, 0.2]}}, "valid_shift": 1.0, "benchmark_valid": 0},
            "valid_shift 1.0 is for .*, and benchmark_valid is 0",
        ),
        (
            {"benchmark_filename": ["train", "valid", "test"], "valid_shift": 1.0},
            "valid_shift 1.0 is for .*, and the split is benchmark_filename .'train', 'valid'",
        ),
        ({**PS, "split_seed": -1}, "split_seed must be an integer in .* or empty, got -1"),
        ({**PS, "split_seed": 1.5}, "split_seed must be an integer"),
        ({**PS, "test_sets": ["iid", "temporal"]}, "PS has no test set 'temporal'"),
        ({**PS, "test_sets": []}, "test_sets of PS must be one or both of"),
        ({"test_sets": ["iid"]}, "test_sets .* needs the split PS or GT; RS has one test set"),
        (
            {**BOTH, "eval_args": {"split": {"PS": [0.4, 0.1, 0.5]}}},
            "2 test sets of that share each leave nothing to train on",
        ),
        ({**BOTH, "save_dataloaders": True}, "save_dataloaders: RecBole stores one test set"),
        ({**PS, "benchmark_filename": ["train", "test"]}, "exclude each other"),
    ],
)
def test_bad_settings_get_one_line(settings, message):
    with pytest.raises(UsageError, match=message) as caught:
        Config("MF_SL", "ml-100k", config_dict=settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        PS,
        {"eval_args": {"split": {"RS": [0.8, 0.2]}}},
        {"eval_args": {"split": {"GT": [0.7, 0.1, 0.2]}}, "valid_shift": 0},
    ],
)
def test_valid_shift_goes_with_validation_rows_that_it_can_draw(settings):
    assert Config("MF_SL", "ml-100k", config_dict={"valid_shift": 1.0, **settings}).warnings == []


def test_valid_shift_goes_with_files_of_train_and_test(checkerboard):
    settings = {"benchmark_filename": ["train", "test"], "valid_shift": 1.0}
    assert Config("MF_SL", checkerboard, config_dict=settings).warnings == []


def test_sequential_models_are_refused():
    with pytest.raises(UsageError, match="split PS is not for sequential models; use LS or TS"):
        Config("GRU4Rec", "ml-100k", config_dict={**PS, "train_neg_sample_args": None})


@pytest.mark.parametrize("word", ["yes", 3, "automatic"])
def test_other_words_for_the_cache_are_refused(word):
    with pytest.raises(UsageError, match="dataset_cache must be auto, True or False, got"):
        data_settings.check_dataset_cache(word)


@pytest.mark.parametrize("given", [True, "True", "true"])
def test_the_cache_is_a_word(given):
    assert data_settings.check_dataset_cache(given) == "True"


def test_noise_is_checked_against_the_model():
    noise = {"false_positive": 0.1, "false_negative": 0.1}
    data_settings.check_train_noise(noise, "MF_SL", ModelType.GENERAL, is_pair=True)
    with pytest.raises(UsageError, match="false_negative is for <Backbone>_<Loss>; BPR draws"):
        data_settings.check_train_noise(noise, "BPR", ModelType.GENERAL, is_pair=False)
    with pytest.raises(UsageError, match="false_positive is for models of users and items; FM"):
        data_settings.check_train_noise(
            {**noise, "false_negative": 0}, "FM", ModelType.CONTEXT, is_pair=False
        )
    with pytest.raises(UsageError, match="false_positive of train_noise must be a number >= 0"):
        data_settings.check_train_noise(
            {**noise, "false_positive": -1}, "MF_SL", ModelType.GENERAL, is_pair=True
        )
