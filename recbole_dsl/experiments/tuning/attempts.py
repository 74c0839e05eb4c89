"""Which trials of a study are done, running, queued or lost. Imports no Optuna.

A study of N trials plans the trials 0 to N - 1, and each is to be run once. An Optuna trial is one
attempt at a planned trial, whose number stands in its attribute :data:`PLANNED`. An attempt whose
process was killed or interrupted does not count and the planned trial gets another one, so that a
study that was interrupted ends with the trials of one that was not.
"""

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

PLANNED = "planned_trial"
# A planned trial whose process was killed so often has failed: it may need too much memory.
MAX_ATTEMPTS = 3


class StudyState(NamedTuple):
    """The planned trials of a study by what became of them.

    Attributes:
        done: planned trial -> the finished attempt that counts.
        running, queued: planned trial -> attempt.
        unclaimed: planned trials that nobody runs or has queued, in order.
        given_up: planned trial -> its last attempt, all of which were killed.
    """

    done: "dict[int, FrozenTrial]"
    running: "dict[int, FrozenTrial]"
    queued: "dict[int, FrozenTrial]"
    unclaimed: list[int]
    given_up: "dict[int, FrozenTrial]"

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run or to wait for."""
        return not (self.running or self.queued or self.unclaimed)

    @property
    def complete(self) -> "dict[int, FrozenTrial]":
        """Planned trial -> attempt that ran to its end, has a value, and may win."""
        return {number: t for number, t in self.done.items() if t.state.name == "COMPLETE"}

    @property
    def seconds(self) -> float:
        """Seconds of the finished trials together."""
        return sum(trial.user_attrs.get("seconds", 0.0) for trial in self.done.values())


def counts(trial: "FrozenTrial") -> bool:
    """Whether an attempt counts: it is queued, runs, or ended by itself."""
    if trial.state.name == "FAIL":
        return "error" in trial.user_attrs
    return True


def was_killed(trial: "FrozenTrial") -> bool:
    """Whether an attempt neither ended by itself nor was interrupted by Ctrl-C."""
    attributes = trial.user_attrs
    ended = trial.state.name == "FAIL" and "error" not in attributes
    return ended and not (attributes.get("unneeded") or attributes.get("interrupted"))


def study_state(trials: "Sequence[FrozenTrial]", planned: int) -> StudyState:
    """What became of the planned trials 0 to planned - 1, from all attempts of a study."""
    state = StudyState({}, {}, {}, [], {})
    for number in range(planned):
        attempts = [trial for trial in trials if trial.user_attrs.get(PLANNED) == number]
        counting = [trial for trial in attempts if counts(trial)]
        killed = [trial for trial in attempts if was_killed(trial)]
        if counting:
            _add(state, number, counting)
        elif len(killed) >= MAX_ATTEMPTS:
            state.given_up[number] = killed[-1]
        else:
            state.unclaimed.append(number)
    return state


def _add(state: StudyState, number: int, counting: "list[FrozenTrial]") -> None:
    finished = [trial for trial in counting if trial.state.is_finished()]
    running = [trial for trial in counting if trial.state.name == "RUNNING"]
    if finished:
        state.done[number] = finished[0]
    elif running:
        state.running[number] = running[0]
    else:
        state.queued[number] = counting[0]


def is_duplicate(trial: Any, trials: "Sequence[FrozenTrial]") -> bool:
    """Whether an earlier attempt at the same planned trial counts, so that this one is needless.

    Where two commands queue the same planned trial at once, the order of the storage decides.

    Args:
        trial: optuna.Trial or FrozenTrial. trials: all attempts of the study.
    """
    number = trial.user_attrs.get(PLANNED)
    return any(
        other.number < trial.number and other.user_attrs.get(PLANNED) == number and counts(other)
        for other in trials
    )


def best_trial(state: StudyState, bigger: bool) -> "tuple[int, FrozenTrial] | None":
    """(planned trial, attempt) with the best value, the lowest number of several; None: no value.

    Args:
        bigger: whether bigger values are better.
    """
    ranked = ranking(state, bigger)
    return ranked[0] if ranked else None


def ranking(state: StudyState, bigger: bool) -> "list[tuple[int, FrozenTrial]]":
    """(planned trial, attempt) of all complete trials, best first."""
    sign = -1 if bigger else 1
    return sorted(state.complete.items(), key=lambda pair: (sign * pair[1].values[0], pair[0]))


def this_process() -> dict[str, Any]:
    """What a trial stores of the process that runs it, plain data."""
    process = psutil.Process()
    return {"host": platform.node(), "pid": process.pid, "started": process.create_time()}


def is_dead(process: dict[str, Any]) -> bool:
    """Whether a process of this machine has ended; False for those of other machines."""
    if process["host"] != platform.node():
        return False
    try:
        found = psutil.Process(process["pid"])
        ended = found.status() == psutil.STATUS_ZOMBIE
        reused = abs(found.create_time() - process["started"]) > 1  # the id of another process now
    except psutil.NoSuchProcess:
        return True
    return ended or reused
