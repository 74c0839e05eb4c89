"""What a benchmark says while it tunes: a line for each trial that ends, and for each study."""

import re
import statistics
import sys
import time

from recbole_dsl.benchmark.progress import duration


class TuningProgress:
    """Reports each trial of the studies, as their logs tell it, and how each study ended.

    Args:
        jobs: how many studies run at once.
    """

    def __init__(self, jobs):
        self._jobs, self._studies, self._next = jobs, {}, 0.0

    def begin(self, studies):
        """These are to be run."""
        self._studies = {
            (study.label, study.dataset): _Trials(study.asked["trials"], study.asked["seconds"])
            for study in studies
        }

    def tick(self, jobs):
        """Say what has ended since the last time, twice a second at most."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 0.5
        for job in jobs:
            self._tell(job)

    def finished(self, job, outcome):
        """Say how a study ended."""
        self._tell(job)
        del self._studies[job.run.label, job.run.dataset]
        if "error" in outcome:
            said = "failed: " + outcome["error"].splitlines()[-1]
        else:
            best = ", ".join(f"{name}: {value}" for name, value in outcome["best"].items())
            said = f"{outcome['metric']} {outcome['valid']:.4f} with {best}"
        left = f"; studies left: {len(self._studies)}" if self._studies else ""
        print(f"tuned {job.run.label} on {job.run.dataset}: {said}{left}", file=sys.stderr)

    def _tell(self, job):
        trials = self._studies[job.run.label, job.run.dataset]
        for line in trials.news(job):
            left = self._left()
            # A trial's own estimate is of its study; ours is of all.
            line = re.sub(r"; about [^;]* left$", "", line)
            line += f"; about {duration(left)} of tuning left" if left and trials.left else ""
            print(f"tuning {job.run.label} on {job.run.dataset}: {line}", file=sys.stderr)

    def _left(self):
        took = [seconds for trials in self._studies.values() for seconds in trials.seconds]
        other = statistics.fmean(took)
        total = sum(trials.remaining(other) for trials in self._studies.values())
        return total / min(self._jobs, len(self._studies))


class _Trials:
    """What the log of a study has told: ``left`` trials, and the ``seconds`` of those ended."""

    def __init__(self, asked, cap):
        self.left, self.seconds = asked, []
        self._cap, self._read, self._last = cap, 0, None

    def news(self, job):
        """Each new line of the log that tells of a trial."""
        self._last = job.started if self._last is None else self._last
        with open(job.folder / "log.txt", "rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        now = time.monotonic()
        for line in whole.decode(errors="replace").splitlines():
            if found := re.match(r"(\d+) of (\d+): trial", line):
                self.left = int(found[2]) - int(found[1])
                self.seconds.append(now - self._last)
                self._last = now
                yield line

    def remaining(self, other):
        """Seconds that its trials to come will take; ``other``: each, where none has ended."""
        total = self.left * (statistics.fmean(self.seconds) if self.seconds else other)
        return total if self._cap is None else min(total, max(self._cap - sum(self.seconds), 0))
