"""The progress of a benchmark's tuning: a line for each trial that ends, and for each study."""

import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from recbole_dsl.common.text import duration
from recbole_dsl.experiments.benchmark.jobs import Job
from recbole_dsl.experiments.benchmark.studies import Study


class TuningProgress:
    """Prints each trial of the studies, as their events report it, and how each study ended.

    Args:
        jobs: how many studies run at once.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs, self._next_tick = jobs, 0.0
        self._studies: dict[tuple[str, str], _Trials] = {}  # those that have not ended

    def begin(self, studies: Iterable[Study]) -> None:
        """These are to be run."""
        self._studies = {
            (study.label, study.dataset): _Trials(study.budget["trials"], study.budget["seconds"])
            for study in studies
        }

    def tick(self, jobs: Sequence[Job]) -> None:
        """Print the trials that have ended since the last call, twice a second at most."""
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + 0.5
        for job in jobs:
            self._print_trials(job)

    def finished(self, job: Job, outcome: Mapping[str, Any]) -> None:
        """Print how a study ended."""
        self._print_trials(job)
        del self._studies[job.task.label, job.task.dataset]
        if "error" in outcome:
            text = "failed: " + outcome["error"].splitlines()[-1]
        else:
            best = ", ".join(f"{name}: {value}" for name, value in outcome["best"].items())
            text = f"{outcome['metric']} {outcome['valid']:.4f} with {best}"
        left = f"; studies left: {len(self._studies)}" if self._studies else ""
        print(f"tuned {job.task.label} on {job.task.dataset}: {text}{left}", file=sys.stderr)

    def _print_trials(self, job: Job) -> None:
        trials = self._studies[job.task.label, job.task.dataset]
        for event in job.events.new():
            if event["event"] != "trial":
                continue
            trials.ended(event, time.monotonic() - job.started)
            left = self._seconds_left()
            text = event["text"]
            if left and trials.left:
                text += f"; about {duration(max(left, 1))} of tuning left"
            print(f"tuning {job.task.label} on {job.task.dataset}: {text}", file=sys.stderr)

    def _seconds_left(self) -> float:
        """Of all studies, once a trial has ended."""
        studies = self._studies.values()
        mean = statistics.fmean(second for trials in studies for second in trials.seconds)
        begun = [trials.start_up for trials in studies if trials.start_up is not None]
        start_up = statistics.fmean(begun)
        total = sum(trials.remaining(mean, start_up) for trials in studies)
        return total / min(self._jobs, len(self._studies))


class _Trials:
    """The trials of a study: how many are ``left``, the ``seconds`` of those that ended, and
    ``start_up``, the seconds of its process before its first trial began; None: it has not."""

    def __init__(self, planned: int, max_seconds: float | None) -> None:
        self.left, self.seconds = planned, list[float]()
        self.start_up: float | None = None
        self._max_seconds = max_seconds

    def ended(self, event: Mapping[str, Any], elapsed: float) -> None:
        """A trial has ended, so many seconds after the process was started."""
        if self.start_up is None:
            self.start_up = max(elapsed - event["seconds"], 0.0)
        self.left = event["planned"] - event["ended"]
        self.seconds.append(event["seconds"])

    def remaining(self, mean_of_all: float, start_up: float) -> float:
        """Seconds until its last trial ends, each trial as long as its own or as all so far.

        Args:
            start_up: of the other studies' processes, where its own has yet to be started.
        """
        total = self.left * (statistics.fmean(self.seconds) if self.seconds else mean_of_all)
        if self._max_seconds is not None:
            total = min(total, max(self._max_seconds - sum(self.seconds), 0))
        return total + (start_up if self.start_up is None else 0)
