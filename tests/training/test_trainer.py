"""Both trainers through RecBole's ``fit``: what is kept, when training stops, what is restored."""

import pytest
import torch
from quick import QUICK, QUICK_PAIR
from recbole.trainer import Trainer
from recbole.utils import init_seed

from recbole_dsl.common.errors import NonFiniteLossError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation.measures import Measures
from recbole_dsl.training import checkpoint
from recbole_dsl.training.host_trainer import HostTrainer
from recbole_dsl.training.pair_trainer import PairTrainer
from recbole_dsl.training.trainer import trainer_class

MODELS = ["MF_SL", "BPR"]


@pytest.fixture(autouse=True)
def toy(make_dataset):
    pairs = [(f"u{u}", f"i{i}") for u in range(20) for i in range(25) if (3 * u + i * i) % 5 < 2]
    return make_dataset("toy", pairs)


def _trainer(model, **settings):
    quick = QUICK_PAIR if "_" in model else QUICK
    config = Config(model, "toy", config_dict={**quick, "train_batch_size": 64, **settings})
    train, valid, test = split_dataset(config, load_dataset(config)).loaders.values()
    init_seed(1, True)
    trainer = trainer_class(config)(config, config.model_class(config, train._dataset))
    trainer.tensorboard.close()
    return trainer, train, valid, test


def _fit(model, scores, monkeypatch, **settings):
    """A trainer after epochs whose validations gave these scores, and its weights after each."""
    trainer, train, valid, _ = _trainer(model, **settings)
    weights, given = [], iter(scores)

    def evaluate(*_, **__):
        weights.append({name: x.clone() for name, x in trainer.model.state_dict().items()})
        return {"mrr@10": next(given)}

    monkeypatch.setattr(trainer, "evaluate", evaluate)
    trainer.fit(train, valid, saved=True)
    trainer.tensorboard.close()  # fit has opened it again, and its thread would outlive the folder
    return trainer, weights


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.1, 0.3, 0.2, 0.25], 1),
        ([0.1, 0.3, 0.3, 0.2], 2),  # of equals the later
        ([0.123451, 0.123453, 0.123452, 0.12345], 1),  # alike in the decimals that are shown
    ],
)
def test_the_checkpoint_holds_the_weights_of_the_best_epoch(model, scores, best, monkeypatch):
    trainer, weights = _fit(model, scores, monkeypatch, epochs=4, valid_metric="mrr@10")
    assert trainer.recorder.best_epoch == best
    assert trainer.recorder.best_valid == {"mrr@10": scores[best]}
    assert [epoch["valid"] for epoch in trainer.recorder.epochs_done] == [
        {"mrr@10": score} for score in scores
    ]
    state = checkpoint.read(trainer.saved_model_file)
    assert (state["epoch"], state["cur_step"]) == (best, 0)
    assert state["best_valid_score"] == scores[best]
    trainer.load(trainer.saved_model_file)
    for name, tensor in trainer.model.state_dict().items():
        assert torch.equal(tensor, weights[best][name]), name
        assert not torch.equal(tensor, weights[-1][name]), name


@pytest.mark.parametrize("model", MODELS)
def test_training_stops_after_more_than_stopping_step_validations_without_gain(model, monkeypatch):
    scores = [0.1, 0.2, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]
    trainer, _ = _fit(model, scores, monkeypatch, epochs=9, stopping_step=2, valid_metric="mrr@10")
    assert trainer.recorder.best_epoch == 3
    assert [epoch["epoch"] for epoch in trainer.recorder.epochs_done] == list(range(7))


@pytest.mark.parametrize("model", MODELS)
def test_validation_returns_the_unrounded_score_and_rounded_metrics(model):
    trainer, train, valid, _ = _trainer(model)
    trainer.eval_collector.data_collect(train)
    trainer._train_epoch(train, 0)
    score, shown = trainer._valid_epoch(valid)
    trainer.tensorboard.close()
    metrics = trainer.evaluate(valid, load_best_model=False)
    assert score == metrics["mrr@10"] != round(score, 4)
    assert shown == {name: round(value, 4) for name, value in metrics.items()}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("metrics", [["Recall"], ["Recall", "GAUC"]])  # by blocks, by batches
def test_measuring_leaves_the_trainers_own_collector_and_evaluator(model, metrics):
    trainer, train, _, test = _trainer(model)
    own = trainer.eval_collector, trainer.evaluator
    other = Config(model, "toy", config_dict={**QUICK, "metrics": metrics, "topk": [3],
                                              "valid_metric": "recall@3"})  # fmt: skip
    measures = Measures.of(other)
    measures.collector.data_collect(train)
    found, struct = trainer.measure(test, measures, load_best_model=False)
    assert set(found) == {"recall@3", "gauc"} - ({"gauc"} - {m.lower() for m in metrics})
    assert struct["rec.topk"].shape == (len(test.held_out), 4)
    assert (trainer.eval_collector, trainer.evaluator) == own
    assert trainer.measure(None, measures) == (None, None)
    assert trainer.evaluate(None) is None


def test_the_trainer_of_a_pair_makes_the_spectral_start_but_not_over_loaded_weights(caplog):
    settings = {**QUICK_PAIR, "state": "INFO", "initialization": "spectral"}
    config = Config("MF_SL", "toy", config_dict=settings)
    train = split_dataset(config, load_dataset(config)).train
    caplog.set_level("INFO")

    def started(state=None):
        init_seed(1, True)
        model = config.model_class(config, train._dataset)
        before = model.backbone.user_embedding.weight.detach().clone()
        if state is not None:
            model.load_state_dict(state)
        PairTrainer(config, model).tensorboard.close()
        return model, before

    model, before = started()
    assert not torch.allclose(model.backbone.user_embedding.weight, before)
    assert sum("spectral start: " in line for line in caplog.messages) == 1
    state = {name: torch.randn_like(x) for name, x in model.state_dict().items()}
    loaded, _ = started(state)
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    assert sum("spectral start: " in line for line in caplog.messages) == 1


def test_a_pair_gets_our_loop_and_a_model_of_recboles_the_class_recbole_chooses():
    assert type(_trainer("MF_SL")[0]) is PairTrainer
    host = _trainer("BPR")[0]
    assert isinstance(host, HostTrainer) and isinstance(host, Trainer)
    traditional = _trainer("EASE", epochs=5)[0]
    assert isinstance(traditional, HostTrainer)
    assert traditional.epochs == 1  # RecBole's TraditionalTrainer sets it


def test_a_model_of_a_single_epoch_is_validated_after_it():
    trainer, train, valid, _ = _trainer("EASE", epochs=5, eval_step=2)
    trainer.fit(train, valid, saved=True)
    trainer.tensorboard.close()
    assert trainer.recorder.best_epoch == 0 and trainer.recorder.best_valid
    trainer.load(trainer.saved_model_file)


@pytest.mark.parametrize("model", MODELS)
def test_a_score_that_is_no_number_ends_training_and_chooses_no_epoch(model, monkeypatch):
    trainer, train, valid, _ = _trainer(model, epochs=3, valid_metric="mrr@10")
    scores = iter([0.1, float("nan")])
    monkeypatch.setattr(trainer, "evaluate", lambda *_, **__: {"mrr@10": next(scores)})
    with pytest.raises(NonFiniteLossError, match="mrr@10 of valid is nan"):
        trainer.fit(train, valid, saved=True)
    trainer.tensorboard.close()
    assert trainer.recorder.best_epoch == 0
