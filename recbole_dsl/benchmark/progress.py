"""What a benchmark says while it runs: a line a finished run, a line of what is at work."""

import re
import statistics
import sys
import time

from tqdm import tqdm


class Estimate:
    """How long the remaining runs will take, from how long those of the same kind took.

    Args:
        remaining: list of (label, dataset), the runs to come. jobs: how many run at once.
        seconds: (label, dataset) -> list of seconds that such runs took, known beforehand.
    """

    def __init__(self, remaining, jobs, seconds=None):
        self._remaining, self._jobs = list(remaining), jobs
        self._seconds = {kind: list(took) for kind, took in (seconds or {}).items()}

    def done(self, kind, seconds):
        """A run of a kind has ended after some seconds."""
        self._remaining.remove(kind)
        self._seconds.setdefault(kind, []).append(seconds)

    def left(self, elapsed=()):
        """Seconds until the last run ends, or None while no run has ended.

        Args:
            elapsed: (kind, seconds) of the runs at work.
        """
        if not any(self._seconds.values()):
            return None
        typical = {kind: statistics.median(took) for kind, took in self._seconds.items() if took}
        other = statistics.fmean(typical.values())
        total = sum(typical.get(kind, other) for kind in self._remaining)
        for kind, seconds in elapsed:
            total -= min(seconds, typical.get(kind, other))
        return total / min(self._jobs, max(len(self._remaining), 1))


class Progress:
    """Reports to standard error; the line of running jobs only where that is a terminal.

    Args:
        n_runs: all runs, n_done: those that were there. estimate: :class:`Estimate`.
        metrics: dataset -> the metric that the line of a run shows.
    """

    def __init__(self, n_runs, n_done, estimate, metrics):
        self._n_runs, self._n_done, self._estimate = n_runs, n_done, estimate
        self._metrics, self._at_work, self._next = metrics, {}, 0.0
        self._bar = tqdm(
            total=n_runs, initial=n_done, bar_format="{bar:12} {n}/{total} {desc}",
            dynamic_ncols=True, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr,
        )  # fmt: skip

    def finished(self, record):
        """Say how a run ended."""
        self._n_done += 1
        self._at_work.pop(record["key"], None)
        self._estimate.done((record["label"], record["dataset"]), record["wall_seconds"])
        self._bar.update()
        left = self._estimate.left(self._at_work.values())
        width = len(str(self._n_runs))
        said = headline(record, self._metrics[record["dataset"]])
        line = f"[{self._n_done:{width}}/{self._n_runs}] {said}"
        if self._n_done < self._n_runs:
            line += f"; about {duration(left)} left"
        tqdm.write(line, file=sys.stderr)

    def tick(self, jobs):
        """Show what is at work, twice a second at most."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 0.5
        self._at_work = {
            job.run.key: ((job.run.label, job.run.dataset), now - job.started) for job in jobs
        }
        if self._bar.disable:
            return
        left = self._estimate.left(self._at_work.values())
        parts = [] if left is None else [f"about {duration(left)} left"]
        parts += [_at_work(job, now) for job in jobs]
        self._bar.set_description_str("; ".join(parts))

    def close(self):
        """Take the line of running jobs away."""
        self._bar.close()


def headline(record, metric):
    """A run in a line: what it was, how it did by a metric, how long it took."""
    name = f"{record['label']} on {record['dataset']}, seed {record['seed']}"
    took = duration(record["wall_seconds"])
    if record["status"] == "failed":
        return f"{name}: failed after {took}: {record['error'].splitlines()[-1]}"
    tests = record.get("tests") or {"test": record["test"]}
    if not all(tests.values()):
        return f"{name}: no test rows, {took}"
    shown = [f"{test_set} {metric} {values[metric]:.4f}" for test_set, values in tests.items()]
    return f"{name}: {', '.join(shown)}, {took}"


def duration(seconds):
    """Seconds as a reader says them: 34 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _at_work(job, now):
    """``LightGCN_DSL 2020 epoch 12, 34 s``."""
    epoch = _last_epoch(job.folder / "log.txt")
    at = f" epoch {epoch}," if epoch is not None else ""
    return f"{job.run.label} {job.run.seed}{at} {duration(now - job.started)}"


def _last_epoch(log):
    """The last epoch that the end of a log speaks of, or None."""
    with open(log, "rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - 2000, 0))
        found = re.findall(rb"epoch (\d+) training", file.read())
    return int(found[-1]) if found else None
