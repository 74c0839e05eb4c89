"""Our training loop against RecBole's: the same steps, the same loss, fewer reads of it."""

import random

import pytest
import torch
from quick import QUICK_PAIR
from recbole.trainer import Trainer
from recbole.utils import init_seed

from recbole_dsl.common.errors import NonFiniteLossError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import epoch
from recbole_dsl.training.trainer import trainer_class

SETTINGS = {**QUICK_PAIR, "train_batch_size": 64, "embedding_size": 8, "device": "cpu"}
SETTINGS["train_neg_sample_args"] = {"sample_num": 10}


@pytest.fixture(autouse=True)
def toy(make_dataset):
    """40 users who like the half of 30 items that has their parity, and a few others."""
    random.seed(0)
    pairs = [(u, i) for u in range(40) for i in range(30)]
    likes = [(u, i) for u, i in pairs if random.random() < (0.7 if (u + i) % 2 else 0.1)]
    return make_dataset("toy", [(f"u{u}", f"i{i}") for u, i in likes])


def _trainer(model="MF_SL", **settings):
    config = Config(model, "toy", config_dict={**SETTINGS, **settings})
    train = split_dataset(config, load_dataset(config)).train
    init_seed(1, True)
    net = config.model_class(config, train._dataset)
    trainer = trainer_class(config)(config, net)
    trainer.tensorboard.close()
    return trainer, train


@pytest.mark.parametrize("clip", [None, {"max_norm": 0.01}])
def test_an_epoch_is_one_of_recboles_loop(clip):
    weights, losses = [], []
    for host in (False, True):
        trainer, train = _trainer("XSimGCL_DSL", clip_grad_norm=clip)
        losses.append(
            Trainer._train_epoch(trainer, train, 0)
            if host
            else epoch.train_epoch(trainer, train, 0, False).loss
        )
        weights.append(trainer.model.state_dict())
    assert type(losses[0]) is float and losses[0] == pytest.approx(losses[1], abs=1e-9)
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name


def test_the_mean_loss_is_over_rows_and_not_over_batches(monkeypatch):
    trainer, train = _trainer()
    original, losses, sizes = trainer.model.calculate_loss, [], []

    def noted(interaction):
        loss = original(interaction)
        losses.append(loss.item())
        sizes.append(len(interaction))
        return loss

    monkeypatch.setattr(trainer.model, "calculate_loss", noted)
    done = epoch.train_epoch(trainer, train, 0, False)
    assert sizes[-1] != sizes[0] and len(sizes) == len(train)
    rows = sum(size * loss for size, loss in zip(sizes, losses, strict=True)) / sum(sizes)
    assert done.mean_loss == pytest.approx(rows, rel=1e-12)
    assert done.loss == pytest.approx(sum(losses), rel=1e-12)


def test_clipping_clips():
    plain, clipped = (
        _trainer(clip_grad_norm=clip, learner="sgd") for clip in (None, {"max_norm": 1e-9})
    )
    moved = []
    for trainer, train in (plain, clipped):
        before = trainer.model.backbone.user_embedding.weight.detach().clone()
        epoch.train_epoch(trainer, train, 0, False)
        moved.append((trainer.model.backbone.user_embedding.weight - before).norm())
    assert moved[1] < 1e-6 < moved[0]


def test_gradients_are_averaged_before_they_are_clipped():
    """Else several processes would take other steps than one process with all of their rows."""
    trainer, train = _trainer(clip_grad_norm={"max_norm": 1e-3}, learner="sgd")
    norms = []

    def average():
        for parameter in trainer.model.parameters():
            parameter.grad *= 1e6  # as if the other processes had far larger ones

    def note_norm(*_):
        grads = [parameter.grad.norm() for parameter in trainer.model.parameters()]
        norms.append(float(torch.stack(grads).norm()))

    trainer.gradient_average = average
    trainer.optimizer.register_step_pre_hook(note_norm)
    epoch.train_epoch(trainer, train, 0, False)
    assert norms == pytest.approx([1e-3] * len(train), rel=1e-3)


def test_the_progress_bar_counts_the_batches(capsys):
    trainer, train = _trainer()
    epoch.train_epoch(trainer, train, 3, True)
    shown = capsys.readouterr().err
    assert "Train     3" in shown and f"/{len(train)} [" in shown
    assert shown.endswith("\r")  # the line is free for what is said next


@pytest.mark.parametrize("batches", [1, 7, 1000])
def test_a_loss_that_is_not_finite_is_named_by_its_batch_however_seldom_losses_are_read(
    batches, monkeypatch
):
    trainer, train = _trainer()
    original, calls = trainer.model.calculate_loss, []

    def fails_at_batch_5(interaction):
        calls.append(1)
        return original(interaction) * (float("nan") if len(calls) == 6 else 1.0)

    monkeypatch.setattr(trainer.model, "calculate_loss", fails_at_batch_5)
    monkeypatch.setattr(epoch, "batches_between_checks", lambda device: batches)
    with pytest.raises(NonFiniteLossError, match="MF_SL is nan in epoch 0, batch 5 at tau = 0.2,"):
        epoch.train_epoch(trainer, train, 0, False)
    assert len(calls) == {1: 6, 7: 7, 1000: len(train)}[batches]


def test_the_checkpoint_is_the_last_epoch_whose_losses_were_finite(own_folder, monkeypatch):
    trainer, train = _trainer(epochs=3, eval_step=0)
    original, calls = trainer.model.calculate_loss, []

    def fails_in_epoch_1(interaction):
        calls.append(1)
        return original(interaction) * (float("inf") if len(calls) == 2 * len(train) else 1.0)

    monkeypatch.setattr(trainer.model, "calculate_loss", fails_in_epoch_1)
    monkeypatch.setattr(epoch, "batches_between_checks", lambda device: 10**6)
    with pytest.raises(NonFiniteLossError, match="in epoch 1, batch"):
        trainer.fit(train, None, saved=True)
    trainer.load(trainer.saved_model_file)
    assert trainer.recorder.best_epoch == 0
    assert all(bool(x.isfinite().all()) for x in trainer.model.state_dict().values())


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 16])
@pytest.mark.parametrize("model", ["MF_SL", "LightGCN_DSL", "XSimGCL_SL", "NGCF_BC"])
def test_half_precision_trains_as_single_precision_does(model, block):
    settings = {
        **SETTINGS,
        "epochs": 8,
        "train_neg_sample_args": {"sample_num": 10, "block": block},
    }
    single, half = (
        run(model, "toy", config_dict={**settings, "enable_amp": amp}, saved=False)
        for amp in (False, True)
    )
    losses = [[e["train_loss"] for e in result["epochs"]] for result in (single, half)]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], abs=0.02 * max(map(abs, losses[0])))
    assert half["test"]["ndcg@10"] == pytest.approx(
        single["test"]["ndcg@10"], abs=0.05
    )  # of 40 users


def test_losses_are_float32_under_autocast():
    trainer, train = _trainer("LightGCN_DSL")
    with torch.autocast("cpu", torch.bfloat16):
        loss = trainer.model.calculate_loss(next(iter(train)))
        names = ("pos", "neg", "item_similarity", "in_batch")
        inputs = trainer.model.batch_inputs(next(iter(train)), trainer.model.tables(), names)
        assert loss.dtype == torch.float32
        for name in names:
            assert getattr(inputs, name).dtype == torch.float32, name
