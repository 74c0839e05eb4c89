"""Curves of a training, as TensorBoard reads them back and as Weights & Biases gets them."""

import pytest
from quick import QUICK, QUICK_PAIR
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from recbole_dsl.experiments.single_run import run
from recbole_dsl.training.curves import Curves

DSL = {"tau_mean", "tau_min", "tau_max", "kappa_entropy", "kappa_max"}


class _Wandb:
    """RecBole's WandbLogger, noting what it is given."""

    def __init__(self):
        self.logged = []

    def log_metrics(self, metrics, head):
        self.logged.append((head, metrics))


class _Writer:
    def __init__(self):
        self.scalars = []

    def add_scalar(self, name, value, epoch):
        self.scalars.append((name, value, epoch))


def test_an_epoch_is_written_to_both():
    writer, wandb = _Writer(), _Wandb()
    curves = Curves(writer, wandb)
    curves.trained(3, 0.5, 0.01, {"tau_mean": 0.2})
    curves.validated(3, {"mrr@10": 0.123456})
    assert writer.scalars == [
        ("train/mean_loss", 0.5, 3), ("train/learning_rate", 0.01, 3), ("train/tau_mean", 0.2, 3),
        ("valid/mrr@10", 0.123456, 3),
    ]  # fmt: skip
    values = {"mean_loss": 0.5, "learning_rate": 0.01, "tau_mean": 0.2, "train_step": 3}
    assert wandb.logged == [("train", values)]


def _scalars(folder):
    (events,) = [path.parent for path in folder.glob("log_tensorboard/*/events*")]
    found = EventAccumulator(str(events))
    found.Reload()
    return {
        name: {scalar.step: scalar.value for scalar in found.Scalars(name)}
        for name in found.Tags()["scalars"]
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "statistics"),
    [
        ("MF_DSL", DSL),
        ("MF_SL", {"tau_mean", "tau_min", "tau_max"}),
        ("MF_BPR", set()),
        ("BPR", set()),
    ],
)
def test_tensorboard_has_every_metric_of_every_validation(
    model, statistics, own_folder, make_dataset
):
    pairs = [(f"u{u}", f"i{i}") for u in range(20) for i in range(25) if (3 * u + i * i) % 5 < 2]
    make_dataset("toy", pairs)
    quick = QUICK if model == "BPR" else QUICK_PAIR
    settings = {**quick, "epochs": 4, "eval_step": 2, "learning_rate": 0.003}
    if statistics == DSL:
        settings["beta"] = 1.0  # kappa has curves where it is on
    result = run(model, "toy", config_dict={**settings, "train_batch_size": 64})
    scalars = _scalars(own_folder)
    validated = {epoch["epoch"]: epoch["valid"] for epoch in result["epochs"] if epoch["valid"]}
    assert list(validated) == [1, 3]
    for name in validated[1]:
        expected = {epoch: pytest.approx(valid[name]) for epoch, valid in validated.items()}
        assert scalars[f"valid/{name}"] == expected
    losses = {epoch["epoch"]: pytest.approx(epoch["mean_loss"]) for epoch in result["epochs"]}
    assert scalars["train/mean_loss"] == losses and len(losses) == 4
    assert scalars["train/learning_rate"] == dict.fromkeys(range(4), pytest.approx(0.003))
    own = {name for name in scalars if name.startswith("train/")}
    assert own == {f"train/{name}" for name in {"mean_loss", "learning_rate", *statistics}}
    if statistics == DSL:
        low, mean, high = (scalars[f"train/tau_{which}"][3] for which in ("min", "mean", "max"))
        assert 0 < low < mean < high and 0 < scalars["train/kappa_entropy"][3] < 1
        assert scalars["train/kappa_max"][3] > 1
