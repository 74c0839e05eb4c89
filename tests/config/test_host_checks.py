"""Rules between the settings of RecBole's own models."""

import pytest
from configs import config_of

from recbole_dsl.common.errors import UsageError

SEQUENTIAL = {"train_neg_sample_args": None}


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        ("BPR", {"train_neg_sample_args": None}, "BPR compares positives with negatives"),
        ("BPR", {"train_neg_sample_args": {"distribution": None}}, "gives it none"),
        ("SASRec", {**SEQUENTIAL, "loss_type": "BPR"}, "SASRec compares positives with negatives"),
        ("SASRec", {**SEQUENTIAL, "eval_args": {"order": "RO"}}, "needs eval_args: {order: TO}"),
        ("BPR", {"train_neg_sample_args": {"dynamic": True}}, "candidate_num must be an integer"),
        ("BPR", {"clip_grad_norm": {}}, "clip_grad_norm must be a map with max_norm, got {}"),
        ("BPR", {"clip_grad_norm": {"norm": 1}}, "clip_grad_norm has no key 'norm'"),
        ("BPR", {"learner": "sparse_adam"}, "BPR has none: use adam"),
        ("BPR", {"transform": "mask_itemseq"}, "is for sequential models, and BPR is none"),
        ("SASRec", {**SEQUENTIAL, "transform": "mask_itemseq"}, "needs the setting mask_ratio"),
        ("BPR", {"metrics": ["AUC", "NDCG"], "valid_metric": "AUC"}, "are of two kinds"),
        ("BPR", {"metrics": ["AUC"], "valid_metric": "AUC"}, "mode full (valid) does not go with"),
        ("BPR", {"metrics": []}, "metrics names none"),
        ("NCL", {}, "NCL: the package faiss is not installed: pip install faiss-cpu"),
        ("BPR", {"log_wandb": True}, "log_wandb: True: the package wandb is not installed: pip in"),
    ],
)
def test_settings_that_do_not_go_together_are_one_line(model, values, message, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        config_of(model, **values)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_those_that_do_pass():
    config_of("BPR", clip_grad_norm={"max_norm": 5, "norm_type": 2})
    config_of("BPR", train_neg_sample_args={"dynamic": True, "candidate_num": 5})
    config_of("BERT4Rec", train_neg_sample_args=None)
    config_of("FM", train_neg_sample_args={"sample_num": 2})


def test_a_softmax_over_all_items_draws_no_negatives_unless_it_is_told_to():
    assert config_of("SASRec")["train_neg_sample_args"]["distribution"] == "none"
    with pytest.raises(UsageError, match="should be None when the loss_type is CE"):
        config_of("SASRec", train_neg_sample_args={"distribution": "uniform"})
    assert config_of("BPR")["train_neg_sample_args"]["distribution"] == "uniform"
