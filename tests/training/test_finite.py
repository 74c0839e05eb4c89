"""Weights that are no numbers, and who says so."""

import pytest
import torch
from quick import QUICK_PAIR

from recbole_dsl.common.errors import NonFiniteLossError
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training.finite import check_metrics_are_numbers, first_nan, first_non_finite


def test_the_first_wrong_tensor_is_named():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    assert first_non_finite(model) is None
    with torch.no_grad():
        model[1].bias[0] = torch.inf
    assert first_non_finite(model) == "1.bias"
    assert first_nan(model.state_dict()) is None
    assert (
        first_nan({"a": torch.ones(1), "ids": torch.ones(1).long(), "b": torch.tensor(torch.nan)})
        == "b"
    )
    assert first_nan({}) is None


@pytest.mark.parametrize("model", ["MF_BPR", "BPR"])
def test_weights_are_looked_at_after_the_last_step_of_an_epoch(model, make_dataset, own_folder):
    make_dataset("toy", [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3])
    settings = {**QUICK_PAIR, "learning_rate": 1e36, "learner": "sgd", "weight_decay": 1e36}
    if "_" in model:
        settings["score"] = "dot"
    else:
        del settings["train_neg_sample_args"]
    with pytest.raises(NonFiniteLossError, match=f"of {model} are not finite after epoch 0"):
        run(model, "toy", config_dict=settings)
    assert not list(own_folder.glob("saved/*"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_number_is_named(value):
    check_metrics_are_numbers({"mrr@10": 0.0}, "test")
    with pytest.raises(NonFiniteLossError, match=f"auc of test is {value}"):
        check_metrics_are_numbers({"mrr@10": 0.0, "auc": value}, "test")
