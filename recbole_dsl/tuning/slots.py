"""Which trials a study has, lacks and has lost: bookkeeping over Optuna's trials, without Optuna.

A study of N trials has the slots 0 to N - 1, and each is to be run once. An Optuna trial is one
attempt at a slot, named in its attribute ``slot``. An attempt whose process was killed or
interrupted counts for nothing and its slot gets another one, so that a study that was interrupted
ends with the trials of one that was not.
"""

import platform
from typing import NamedTuple

import psutil

# A slot whose processes were killed so often is given up as failed: it may need too much memory.
ATTEMPTS = 3


class Slots(NamedTuple):
    """The state of a study.

    Attributes:
        done: slot -> the finished trial that counts. running, waiting: slot -> trial.
        open: slots that nobody has or will run, in order. given_up: slot -> its last, killed trial.
    """

    done: dict
    running: dict
    waiting: dict
    open: list
    given_up: dict

    @property
    def finished(self):
        """Whether nothing is left to run or to wait for."""
        return not (self.running or self.waiting or self.open)

    @property
    def complete(self):
        """slot -> trial that ran to its end, has a value, and may win."""
        return {slot: t for slot, t in self.done.items() if t.state.name == "COMPLETE"}

    @property
    def seconds(self):
        """What the finished trials took together."""
        return sum(trial.user_attrs.get("seconds", 0.0) for trial in self.done.values())


def counts(trial):
    """Whether an attempt stands: it waits, runs, or ended by itself."""
    if trial.state.name == "FAIL":
        return "error" in trial.user_attrs
    return True


def lost(trial):
    """Whether an attempt was killed: it neither ended by itself nor was stopped by Ctrl-C."""
    ended = trial.state.name == "FAIL" and "error" not in trial.user_attrs
    return ended and not (trial.user_attrs.get("surplus") or trial.user_attrs.get("interrupted"))


def sort(trials, wanted):
    """The slots 0 to wanted - 1 of a study's trials, as :class:`Slots`."""
    found = Slots({}, {}, {}, [], {})
    for slot in range(wanted):
        tries = [trial for trial in trials if trial.user_attrs.get("slot") == slot]
        standing = [trial for trial in tries if counts(trial)]
        killed = [trial for trial in tries if lost(trial)]
        if standing:
            _place(found, slot, standing)
        elif len(killed) >= ATTEMPTS:
            found.given_up[slot] = killed[-1]
        else:
            found.open.append(slot)
    return found


def _place(found, slot, standing):
    ended = [trial for trial in standing if trial.state.is_finished()]
    running = [trial for trial in standing if trial.state.name == "RUNNING"]
    if ended:
        found.done[slot] = ended[0]
    elif running:
        found.running[slot] = running[0]
    else:
        found.waiting[slot] = standing[0]


def taken(trial, trials):
    """Whether an earlier attempt at the same slot stands, so that this one is one too many.

    Two commands that queue the same slot at once are told apart by the order of the storage.
    """
    slot = trial.user_attrs.get("slot")
    return any(
        other.number < trial.number and other.user_attrs.get("slot") == slot and counts(other)
        for other in trials
    )


def best(found, bigger):
    """(slot, trial) with the best value, the lowest slot of several, or None."""
    ranked = ranking(found, bigger)
    return ranked[0] if ranked else None


def ranking(found, bigger):
    """(slot, trial) of all complete trials, best first."""
    sign = -1 if bigger else 1
    return sorted(found.complete.items(), key=lambda pair: (sign * pair[1].value, pair[0]))


def this_process():
    """What a trial remembers of the process that runs it, plain data."""
    process = psutil.Process()
    return {"host": platform.node(), "pid": process.pid, "started": process.create_time()}


def is_dead(process):
    """Whether a process of this machine has gone; False for those of other machines."""
    if process["host"] != platform.node():
        return False
    try:
        found = psutil.Process(process["pid"])
        ended = found.status() == psutil.STATUS_ZOMBIE
        return ended or abs(found.create_time() - process["started"]) > 1  # its number used again
    except psutil.NoSuchProcess:
        return True
