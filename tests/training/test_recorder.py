import pytest

from recbole_dsl.training.recorder import Recorder


def _after(scores, bigger=True):
    """A recorder after epochs with these scores, None for one without validation."""
    recorder = Recorder(bigger=bigger)
    for epoch, score in enumerate(scores):
        recorder.epoch_trained(epoch, 10.0 - epoch, 0.5, 2.0)
        if score is not None:
            recorder.epoch_validated({"ndcg@10": score}, score, 0.5)
    return recorder


@pytest.mark.parametrize(
    ("scores", "bigger", "best"),
    [
        ([0.1, 0.3, 0.2], True, 1),
        ([0.1, 0.3, 0.3], True, 2),  # of equals the later, as RecBole's early stopping
        ([0.3, 0.1, 0.2], False, 1),
        ([0.3, 0.1, 0.1], False, 2),
        ([0.1, 0.1 + 1e-12, 0.1], True, 1),  # no gain is too small
        ([None, 0.2, None], True, 1),
        ([-1.0, -2.0], True, 0),
    ],
)
def test_the_best_epoch_is_that_of_the_best_score(scores, bigger, best):
    recorder = _after(scores, bigger)
    assert recorder.best_epoch == best
    assert recorder.best_score == scores[best]
    assert recorder.best_valid == {"ndcg@10": scores[best]}


def test_each_epoch_is_noted():
    recorder = _after([0.1, None])
    assert recorder.epochs_done == [
        {"epoch": 0, "train_loss": 10.0, "mean_loss": 0.5, "train_seconds": 2.0,
         "valid": {"ndcg@10": 0.1}, "eval_seconds": 0.5},
        {"epoch": 1, "train_loss": 9.0, "mean_loss": 0.5, "train_seconds": 2.0,
         "valid": None, "eval_seconds": None},
    ]  # fmt: skip


def test_without_validation_the_last_epoch_saved_is_kept():
    recorder = _after([None, None])
    recorder.epoch_saved(-1)
    assert recorder.best_epoch is None
    recorder.epoch_saved(1)
    assert (recorder.best_epoch, recorder.best_valid) == (1, None)


def test_a_checkpoint_does_not_change_what_validation_chose():
    recorder = _after([0.3, 0.1])
    recorder.epoch_saved(1)
    assert recorder.best_epoch == 0


def test_a_validation_without_epochs_is_the_best():
    """RecBole's trainers of decision trees validate without training epochs."""
    recorder = Recorder(bigger=True)
    recorder.epoch_validated({"auc": 0.5}, 0.5, 1.0)
    assert (recorder.best_score, recorder.best_epoch, recorder.epochs_done) == (0.5, None, [])
    assert recorder.best_valid == {"auc": 0.5}
