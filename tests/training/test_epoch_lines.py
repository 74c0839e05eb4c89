"""A line an epoch: what it says, and how long training still takes."""

import pytest

from recbole_dsl.training import epoch_lines
from recbole_dsl.training.epoch_lines import EpochLines
from recbole_dsl.training.recorder import Recorder

CONFIG = {
    "valid_metric": "NDCG@10",
    "metric_decimal_place": 4,
    "loss_decimal_place": 3,
    "stopping_step": 2,
}


@pytest.fixture
def said(monkeypatch):
    """The lines for the terminal, as they come."""
    lines = []
    monkeypatch.setattr(epoch_lines, "say", lines.append)
    return lines


def _trained(scores, *, epochs=100, eval_step=1, seconds=10.0, bigger=True, **settings):
    """Lines of a training with these scores, None for an epoch without validation."""
    recorder = Recorder(bigger=bigger)
    lines = EpochLines({**CONFIG, **settings}, recorder)
    lines.begin(epochs=epochs, eval_step=eval_step)
    for epoch, score in enumerate(scores):
        recorder.epoch_trained(epoch, -100.0, -1.25 - epoch, seconds)
        lines.trained()
        if score is not None:
            recorder.epoch_validated({"ndcg@10": score}, score, 2.0)
            lines.validated(score)


def test_a_line_has_loss_score_best_and_seconds_under_their_titles(said):
    _trained([0.25, 0.5, 0.375])
    assert said == [
        "epoch   mean loss  ndcg@10      best   seconds  left",
        "    0      -1.250   0.2500*   0.2500      12.0  36 s to 20 min",
        "    1      -2.250   0.5000*   0.5000      12.0  36 s to 20 min",
        "    2      -3.250   0.3750    0.5000      12.0  24 s to 19 min",
    ]
    titles = [said[0].index(title) + len(title) for title in ("mean loss", "ndcg@10", "best")]
    for line in said[1:]:
        loss, score, best = line.split()[1:4]
        ends = [line.index(loss) + len(loss), line.index(score) + 6, line.rindex(best) + len(best)]
        assert ends == titles


def test_the_best_is_the_smallest_where_smaller_is_better(said):
    _trained([0.5, 0.25, 0.75], bigger=False)
    assert [line.split()[2:4] for line in said[1:]] == [
        ["0.5000*", "0.5000"], ["0.2500*", "0.2500"], ["0.7500", "0.2500"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "options", "left"),
    [
        # 12 s an epoch: at least until three validations without gain, at most all epochs.
        ([0.1], {"epochs": 100}, "36 s to 20 min"),
        ([0.2, 0.1], {"epochs": 100}, "24 s to 20 min"),
        ([0.2, 0.1, 0.1], {"epochs": 100}, "12 s to 19 min"),
        ([0.2, 0.1, 0.1, 0.1], {"epochs": 100}, ""),  # early stopping ends it
        ([0.1], {"epochs": 3}, "24 s"),  # all epochs come first
        ([0.1, 0.1, 0.1], {"epochs": 3}, ""),
        ([0.1], {"stopping_step": 500, "epochs": 11}, "2 min"),
        ([None], {"eval_step": 0, "epochs": 7}, "60 s"),  # 10 s each without validation
        ([None, 0.1], {"eval_step": 2, "epochs": 100}, "72 s to 20 min"),  # slow ones count
        ([None, 0.2, None], {"eval_step": 2, "epochs": 100}, "55 s to 18 min"),
        ([None], {"eval_step": 2, "epochs": 100}, "70 s to 16 min"),  # one to come sets the best
    ],
)
def test_what_is_left_is_at_least_early_stopping_and_at_most_all_epochs(
    scores, options, left, said
):
    _trained(scores, **options)
    seconds = "10.0" if scores[-1] is None else "12.0"
    assert said[-1].rpartition(f"{seconds}")[2].strip() == left


def test_the_time_of_the_first_epoch_counts_only_alone(said):
    recorder = Recorder(bigger=True)
    lines = EpochLines(CONFIG, recorder)
    lines.begin(epochs=3, eval_step=0)
    for epoch, seconds in enumerate((90.0, 10.0)):
        recorder.epoch_trained(epoch, 1.0, 1.0, seconds)
        lines.trained()
    assert [line.split("  ")[-1] for line in said[1:]] == ["3 min", "10 s"]


def test_an_epoch_without_validation_is_said_at_once_and_others_when_validated(said):
    recorder = Recorder(bigger=True)
    lines = EpochLines(CONFIG, recorder)
    lines.begin(epochs=4, eval_step=2)
    recorder.epoch_trained(0, 1.0, 1.0, 1.0)
    lines.trained()
    assert len(said) == 2 and said[1].split()[:2] == ["0", "1.000"]
    recorder.epoch_trained(1, 1.0, 0.5, 1.0)
    lines.trained()
    assert len(said) == 2
    recorder.epoch_validated({}, 0.125, 1.0)
    lines.validated(0.125)
    assert said[2].split()[:4] == ["1", "0.500", "0.1250*", "0.1250"]


def test_a_training_in_stages_has_a_title_for_each(said):
    recorder = Recorder(bigger=True)
    lines = EpochLines(CONFIG, recorder)
    for _ in range(2):
        lines.begin(epochs=1, eval_step=0)
        recorder.epoch_trained(0, 1.0, 1.0, 1.0)
        lines.trained()
    assert [line.split()[0] for line in said] == ["epoch", "0", "epoch", "0"]
