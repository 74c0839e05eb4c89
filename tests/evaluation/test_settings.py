"""Checks of single settings; tests/config has what a run refuses as a whole."""

import pytest
from recbole.utils import ModelType

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.evaluation import settings


@pytest.mark.parametrize(
    ("value", "cutoffs"), [(5, [5]), ([5, 10], [5, 10]), ((1,), [1]), ("5,10", [5, 10])]
)
def test_cutoffs_become_a_list(value, cutoffs):
    assert settings.check_topk(value) == cutoffs


@pytest.mark.parametrize("value", [0, [], [5, -1], True, 2.5, "5,x", None])
def test_other_cutoffs_are_refused(value):
    with pytest.raises(UsageError, match="topk must be one or more integers >= 1, got "):
        settings.check_topk(value)


def test_metrics_become_a_list_of_names_that_recbole_knows():
    assert settings.check_metrics("Recall, NDCG") == ["Recall", "NDCG"]
    assert settings.check_metrics(["mrr"]) == ["mrr"]
    with pytest.raises(UsageError, match=r"unknown metric 'Recal'; did you mean recall\?"):
        settings.check_metrics(["Recal"])


@pytest.mark.parametrize("value", ["NDCG@10", "ndcg@5", "GAUC"])
def test_the_metric_of_early_stopping_is_one_of_those_reported(value):
    settings.check_valid_metric(value, ["ndcg", "gauc"], [5, 10])


@pytest.mark.parametrize("value", ["ndcg@7", "recall@10", "ndcg@"])
def test_another_one_is_refused(value):
    with pytest.raises(UsageError, match="valid_metric .* is not among the metrics at topk"):
        settings.check_valid_metric(value, ["ndcg"], [5, 10])


@pytest.mark.parametrize(
    ("changes", "model_type", "message"),
    [
        ({}, ModelType.GENERAL, None),
        ({"mask_at_test": "trian"}, ModelType.GENERAL, "must be train_valid or train, got 'trian'"),
        ({"eval_args": {"mode": "uni100"}}, ModelType.GENERAL, "mode full at test, got 'uni100'"),
        ({"repeatable": True}, ModelType.GENERAL, "nothing is masked"),
        ({}, ModelType.SEQUENTIAL, "nothing is masked"),
        ({"mask_at_test": "train_valid"}, ModelType.SEQUENTIAL, None),
    ],
)
def test_masking_of_the_training_items_alone_needs_a_ranking_of_all_items(
    changes, model_type, message
):
    mode = {"valid": "full", "test": "full"}
    values = {"mask_at_test": "train", "eval_args": {"mode": mode}, "repeatable": False, **changes}
    if message is None:
        settings.check_mask_at_test(values, model_type)
    else:
        with pytest.raises(UsageError, match=message):
            settings.check_mask_at_test(values, model_type)


def test_values_by_user_need_an_evaluation_by_user():
    assert settings.why_no_user_metrics(Config("BPR", "ml-100k")) is None
    given = {"train_neg_sample_args": None, "user_metrics": True}
    Config("GRU4Rec", "ml-100k", config_dict=given)  # by default each user's last row is tested
    given["eval_args"] = {"split": {"RS": [0.8, 0.1, 0.1]}}
    with pytest.raises(UsageError, match="user_metrics: GRU4Rec is a .* several; .*; leave it out"):
        Config("GRU4Rec", "ml-100k", config_dict=given)
    sampled = {"eval_args": {"mode": {"valid": "full", "test": "uni100"}}, "user_metrics": True}
    with pytest.raises(UsageError, match="user_metrics: needs full ranking"):
        Config("BPR", "ml-100k", config_dict=sampled)
