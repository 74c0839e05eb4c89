"""A line an epoch on the terminal: loss, validation, best so far, seconds, and what is left."""

from typing import Any

from recbole_dsl.common import text
from recbole_dsl.common.terminal import say
from recbole_dsl.training.recorder import Recorder

_RECENT = 5  # epochs by which the time of those to come is estimated


class EpochLines:
    """Says each epoch of a training once all of it is known.

    Args:
        config: settings. recorder: of the training.
    """

    def __init__(self, config: Any, recorder: Recorder) -> None:
        self._recorder = recorder
        self._metric = str(config["valid_metric"]).lower()
        self._decimals = config["metric_decimal_place"]
        self._loss_decimals = config["loss_decimal_place"] or 4  # as RecBole reads it
        self._stopping_step = config["stopping_step"]
        self.begin(epochs=0, eval_step=0)

    def begin(self, *, epochs: int, eval_step: int) -> None:
        """Called where training begins.

        Args:
            epochs: how many it has at most.
            eval_step: epochs from one validation to the next; 0: there is none.
        """
        self._epochs, self._eval_step, self._titled = epochs, eval_step, False

    def trained(self) -> None:
        """An epoch has been trained; it is said now where no validation follows."""
        done = self._recorder.epochs_done[-1]["epoch"] + 1
        if self._eval_step == 0 or done % self._eval_step:
            self._say("")

    def validated(self, score: float) -> None:
        """The last epoch has been validated, with this score of ``valid_metric``."""
        best = self._recorder.best_epoch == self._recorder.epochs_done[-1]["epoch"]
        self._say(f"{score:.{self._decimals}f}{'*' if best else ' '}")

    def _say(self, score: str) -> None:
        if not self._titled:
            self._say_row("epoch", "mean loss", f"{self._metric} ", "best", "seconds", "left")
            self._titled = True
        last, best = self._recorder.epochs_done[-1], self._recorder.best_score
        self._say_row(
            str(last["epoch"]),
            f"{last['mean_loss']:.{self._loss_decimals}f}",
            score,
            "" if best is None else f"{best:.{self._decimals}f}",
            f"{_seconds(last):.1f}",
            self._left(last["epoch"]),
        )

    def _say_row(self, *cells: str) -> None:
        wide = max(len(self._metric), self._decimals + 2)
        widths = (5, 10, wide + 1, wide, 8)
        *numbers, left = cells
        aligned = [cell.rjust(width) for cell, width in zip(numbers, widths, strict=True)]
        say("  ".join([*aligned, left]).rstrip())

    def _left(self, epoch: int) -> str:
        """How long training goes on: where no validation is better any more, and at most."""
        most = self._epochs - epoch - 1
        least = min(most, self._epochs_to_stop(epoch))
        if least <= 0:
            return ""
        done = self._recorder.epochs_done[-_RECENT:]
        if len(done) > 1 and done[0] is self._recorder.epochs_done[0]:
            done = done[1:]  # what is done once makes it slow
        each = sum(map(_seconds, done)) / len(done)
        shortest, longest = (text.duration(number * each) for number in (least, most))
        return longest if least == most else f"{shortest} to {longest}"

    def _epochs_to_stop(self, epoch: int) -> float:
        """Epochs until early stopping ends a training that gains nothing more."""
        if self._eval_step == 0:
            return float("inf")
        since, best = -1, self._recorder.best_epoch  # validations without gain
        if best is not None:
            done = self._recorder.epochs_done
            since = sum(one["valid"] is not None and one["epoch"] > best for one in done)
        validations = self._stopping_step + 1 - since
        if validations <= 0:
            return 0
        return self._eval_step * validations - (epoch + 1) % self._eval_step


def _seconds(epoch: dict[str, Any]) -> float:
    seconds: float = epoch["train_seconds"] + (epoch["eval_seconds"] or 0)
    return seconds
