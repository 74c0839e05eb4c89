"""The progress of a benchmark: a line for each finished run, and one for those that are running."""

import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from recbole_dsl.common.text import duration
from recbole_dsl.experiments.benchmark.jobs import Job

Kind = tuple[str, str]  # label, dataset


class Estimate:
    """How long the remaining runs will take, from how long those of the same kind took.

    Args:
        remaining: (label, dataset) of each run to come. jobs: how many run at once.
        seconds: (label, dataset) -> seconds of each such run that has ended before.
    """

    def __init__(
        self,
        remaining: Iterable[Kind],
        jobs: int,
        seconds: Mapping[Kind, Sequence[float]] | None = None,
    ) -> None:
        self._remaining, self._jobs = list(remaining), jobs
        self._seconds = {kind: list(values) for kind, values in (seconds or {}).items()}

    def done(self, kind: Kind, seconds: float) -> None:
        """A run of a kind has ended after some seconds."""
        self._remaining.remove(kind)
        self._seconds.setdefault(kind, []).append(seconds)

    def left(self, elapsed: Iterable[tuple[Kind, float]] = ()) -> float | None:
        """Seconds until the last run ends; None while no run has ended, and where those at work
        have all taken longer than expected, so that nothing is known.

        Args:
            elapsed: (kind, seconds) of the runs at work.
        """
        if not any(self._seconds.values()):
            return None
        typical = {kind: statistics.median(s) for kind, s in self._seconds.items() if s}
        other = statistics.fmean(typical.values())
        total = sum(typical.get(kind, other) for kind in self._remaining)
        for kind, seconds in elapsed:
            total -= min(seconds, typical.get(kind, other))
        return total / min(self._jobs, len(self._remaining)) if total >= 1 else None


class Progress:
    """Reports to standard error; the line of running jobs only where that is a terminal.

    Args:
        n_runs: all runs, n_done: those that were done before. estimate: :class:`Estimate`.
        metrics: dataset -> the metric that the line of a run shows.
    """

    def __init__(
        self, n_runs: int, n_done: int, estimate: Estimate, metrics: Mapping[str, str]
    ) -> None:
        self._n_runs, self._n_done, self._estimate = n_runs, n_done, estimate
        self._metrics, self._next_tick = metrics, 0.0
        self._elapsed: dict[str, tuple[Kind, float]] = {}  # key of a running run -> kind, seconds
        self._epochs: dict[str, int] = {}  # key of a run -> the last epoch validated
        self._bar = tqdm(
            total=n_runs, initial=n_done, bar_format="{bar:12} {n}/{total} {desc}",
            dynamic_ncols=True, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr,
        )  # fmt: skip

    def finished(self, record: Mapping[str, Any]) -> None:
        """Print how a run ended."""
        self._n_done += 1
        self._elapsed.pop(record["key"], None)
        self._estimate.done((record["label"], record["dataset"]), record["wall_seconds"])
        self._bar.update()
        left = self._estimate.left(self._elapsed.values())
        width = len(str(self._n_runs))
        text = headline(record, self._metrics[record["dataset"]])
        line = f"[{self._n_done:{width}}/{self._n_runs}] {text}"
        if self._n_done < self._n_runs and left is not None:
            line += f"; about {duration(left)} left"
        tqdm.write(line, file=sys.stderr)

    def tick(self, jobs: Sequence[Job]) -> None:
        """Show the running jobs, twice a second at most."""
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + 0.5
        self._elapsed = {
            job.task.key: ((job.task.label, job.task.dataset), now - job.started) for job in jobs
        }
        if self._bar.disable:
            return
        left = self._estimate.left(self._elapsed.values())
        parts = [] if left is None else [f"about {duration(left)} left"]
        parts += [self._job_text(job, now - job.started) for job in jobs]
        self._bar.set_description_str("; ".join(parts))

    def _job_text(self, job: Job, seconds: float) -> str:
        """``LightGCN_DSL 2020 epoch 12, 34 s``."""
        key = job.task.key
        for event in job.events.new():
            if event["event"] == "epoch":
                self._epochs[key] = event["epoch"]
        epoch = f" epoch {self._epochs[key]}," if key in self._epochs else ""
        return f"{job.task.label} {job.task.seed}{epoch} {duration(seconds)}"

    def close(self) -> None:
        """Take the line of running jobs away."""
        self._bar.close()


def headline(record: Mapping[str, Any], metric: str) -> str:
    """A run in a line: what it was, its score by a metric, its seconds."""
    name = f"{record['label']} on {record['dataset']}, seed {record['seed']}"
    seconds = duration(record["wall_seconds"])
    if record["status"] == "failed":
        return f"{name}: failed after {seconds}: {record['error'].splitlines()[-1]}"
    tests = record.get("tests") or {"test": record["test"]}
    if not all(tests.values()):
        return f"{name}: no test rows, {seconds}"
    scores = [f"{test_set} {metric} {values[metric]:.4f}" for test_set, values in tests.items()]
    return f"{name}: {', '.join(scores)}, {seconds}"
