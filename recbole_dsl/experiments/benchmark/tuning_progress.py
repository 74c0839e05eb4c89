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
            trials.ended(event)
            left = self._seconds_left()
            text = event["text"]
            text += f"; about {duration(left)} of tuning left" if left and trials.left else ""
            print(f"tuning {job.task.label} on {job.task.dataset}: {text}", file=sys.stderr)

    def _seconds_left(self) -> float:
        """Of all studies, once a trial has ended."""
        seconds = [seconds for trials in self._studies.values() for seconds in trials.seconds]
        mean = statistics.fmean(seconds)
        total = sum(trials.remaining(mean) for trials in self._studies.values())
        return total / min(self._jobs, len(self._studies))


class _Trials:
    """The trials of a study: how many are ``left``, and the ``seconds`` of those that ended."""

    def __init__(self, planned: int, max_seconds: float | None) -> None:
        self.left, self.seconds = planned, list[float]()
        self._max_seconds = max_seconds

    def ended(self, event: Mapping[str, Any]) -> None:
        self.left = event["planned"] - event["ended"]
        self.seconds.append(event["seconds"])

    def remaining(self, mean_of_all: float) -> float:
        """Seconds that its trials to come will take, each as long as its own or as all so far."""
        total = self.left * (statistics.fmean(self.seconds) if self.seconds else mean_of_all)
        if self._max_seconds is None:
            return total
        return min(total, max(self._max_seconds - sum(self.seconds), 0))
