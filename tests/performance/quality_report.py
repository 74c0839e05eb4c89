"""From the store of time_to_quality.py to its table, and what became of the aims."""

import math
import statistics
from typing import NamedTuple

from measuring import markdown_table
from quality_methods import ALS, METHODS, RECBOLE_LIGHTGCN

from recbole_dsl.experiments.benchmark.report import made_with

SHARES = (0.95, 0.99, 1.0)
BEST, SOONEST = "best", "soonest"
_CONDITIONS = ("dataset", "machine", "threads", "epochs", "budget")


class Entry(NamedTuple):
    """A line of the table: a method with the settings chosen for it.

    Attributes:
        choice: BEST, SOONEST or both.
        runs: seed -> row of the store.
    """

    method: str
    choice: str
    settings: dict
    runs: dict

    @property
    def label(self):
        return self.method + (" (soonest)" if self.choice == SOONEST else "")

    def middle(self, value_of_run, seeds=None):
        """Median over seeds of a value of a run: (seed, row) -> number."""
        seeds = [seed for seed in self.runs if seeds is None or seed in seeds]
        return statistics.median(value_of_run(seed, self.runs[seed]) for seed in seeds)

    @property
    def best(self):
        """Best validation NDCG@20."""
        return self.middle(lambda _, row: max(row["ndcg"]))

    @property
    def seconds_to_best(self):
        return self.middle(lambda _, row: row["seconds"][row["best_epoch"]])

    @property
    def cut(self):
        """Whether a run ended because its seconds were spent."""
        return any(row["ended"] == "budget" for row in self.runs.values())


# Numbers -----------------------------------------------------------------------------------------


def seconds_to(row, value):
    """Seconds of training after which a run first had an NDCG@20 of at least value; inf: never."""
    pairs = zip(row["seconds"], row["ndcg"], strict=True)
    return next((seconds for seconds, ndcg in pairs if ndcg >= value), math.inf)


def conditions(row):
    """What rows must share to be compared: data, machine, and when a run ends."""
    return {name: row[name] for name in _CONDITIONS}


def choices(rows, method):
    """Settings of a method by what its search found on validation; {} before there was one.

    Returns:
        dict: BEST -> settings of the highest NDCG@20; SOONEST -> of those that come within 1 % of
        it, the settings that do so in the fewest seconds.
    """
    found = [row for row in rows if (row["stage"], row["method"]) == ("search", method)]
    if not found:
        return {}
    best = max(found, key=lambda row: max(row["ndcg"]))
    near = 0.99 * max(best["ndcg"])
    return {
        BEST: best["settings"],
        SOONEST: min(found, key=lambda row: seconds_to(row, near))["settings"],
    }


def entries(rows):
    """The methods that have final runs, in the order of METHODS."""
    found = []
    for method in METHODS:
        finals = [row for row in rows if (row["stage"], row["method"]) == ("final", method)]
        chosen = choices(rows, method)
        if len(chosen) == 2 and chosen[BEST] == chosen[SOONEST]:
            chosen = {f"{BEST} and {SOONEST}": chosen[BEST]}
        for choice, settings in chosen.items():
            runs = {row["seed"]: row for row in finals if row["settings"] == settings}
            if runs:
                found.append(Entry(method, choice, settings, runs))
    return found


def targets(found):
    """The best SL, and what it reaches: (entry, seed -> its best NDCG@20); (None, {}) without."""
    of_sl = [entry for entry in found if METHODS[entry.method].model == "MF_SL"]
    if not of_sl:
        return None, {}
    best = max(of_sl, key=lambda entry: entry.best)
    return best, {seed: max(row["ndcg"]) for seed, row in best.runs.items()}


# Text --------------------------------------------------------------------------------------------


def _seconds(seconds):
    if seconds < 10:
        return f"{seconds:.2f}"
    return f"{seconds:.1f}" if seconds < 100 else f"{seconds:,.0f}"


def _reached(entry, share, target):
    """Seconds to a share of the target, as text."""
    seeds = target.keys() & entry.runs.keys()
    if not seeds:
        return ""
    seconds = entry.middle(lambda seed, row: seconds_to(row, share * target[seed]), seeds)
    if math.isfinite(seconds):
        return _seconds(seconds)
    spent = entry.middle(lambda _, row: row["seconds"][-1])
    return f"> {_seconds(spent)}" if entry.cut else "never"


def table(found):
    """Lines of the table, medians over seeds."""
    _, target = targets(found)
    lines = []
    for entry in found:
        settings = ", ".join(f"{name} {value}" for name, value in entry.settings.items())
        each = entry.middle(
            lambda _, row: (row["seconds"][-1] - row["start_seconds"]) / len(row["seconds"])
        )
        lines.append(
            [
                f"`{entry.method}`",
                entry.choice,
                settings,
                *(_reached(entry, share, target) for share in SHARES),
                f"{entry.best:.4f}",
                f"{entry.middle(lambda _, row: row['test']):.4f}",
                _seconds(entry.seconds_to_best) + (" (cut)" if entry.cut else ""),
                f"{each:.2f}",
                f"{entry.middle(lambda _, row: row['start_seconds']):.2f}",
            ]
        )
    head = ["method", "settings chosen as", "settings", *(f"s to {share:.0%}" for share in SHARES)]
    head += ["valid NDCG@20", "test NDCG@20", "s to its best", "s an epoch", "s to build"]
    return markdown_table(head, lines)


def _soonest(found, peer):
    """Of DSL's entries, the one that first has what a peer ends with, and its seconds."""
    timed = []
    for entry in found:
        seeds = peer.runs.keys() & entry.runs.keys()
        if METHODS[entry.method].model.endswith("_DSL") and seeds:
            seconds = entry.middle(
                lambda seed, row: seconds_to(row, max(peer.runs[seed]["ndcg"])), seeds
            )
            timed.append((seconds, -entry.best, entry.label, entry))
    if not timed:
        return None, math.inf
    seconds, *_, entry = min(timed)
    return entry, seconds


def _aim(found, method, text, most):
    """What became of an aim: DSL has what a method ends with within so many times its seconds."""
    peer = next((e for e in found if e.method == method and e.choice != SOONEST), None)
    ours, seconds = _soonest(found, peer) if peer else (None, math.inf)
    if ours is None:
        return f"- {text}: not measured."
    theirs = peer.seconds_to_best
    cut = ", when its seconds were spent" if peer.cut else ""
    said = f"`{method}` has its best, {peer.best:.4f}, after {_seconds(theirs)} s{cut}; "
    if math.isinf(seconds):
        said += f"no DSL gets there, the best is `{ours.label}` with {ours.best:.4f}"
    else:
        times = seconds / theirs
        said += f"`{ours.label}` is there after {_seconds(seconds)} s, "
        said += f"{times:,.1f} times as long" if times >= 1 else f"{1 / times:,.1f} times sooner"
    return f"- {text}: **{'met' if seconds <= most * theirs else 'not met'}**. {said}."


def aims(found):
    """Lines: each aim, met or not, with its numbers."""
    als = "DSL reaches the final NDCG of implicit's ALS within 5 times its seconds"
    lightgcn = "DSL has the best NDCG of RecBole's LightGCN 20 times sooner"
    return [_aim(found, ALS, als, 5), _aim(found, RECBOLE_LIGHTGCN, lightgcn, 1 / 20)]


def section(rows, picture):
    """Lines of the page about rows of one set of conditions; picture: its file's name."""
    found = entries(rows)
    best, target = targets(found)
    first = rows[0]
    dates = sorted({row["date"] for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    lines = [
        f"{first['dataset']}, {first['machine']}, {first['threads']} threads, {when}; at most "
        f"{first['epochs']} epochs and {first['budget']:g} s of training a run; "
        f"{made_with.versions(rows)}.",
        "",
    ]
    if best:
        shown = ", ".join(f"{value:.4f} (seed {seed})" for seed, value in sorted(target.items()))
        lines += [f"100 % is the best validation NDCG@20 of `{best.label}`: {shown}.", ""]
    return [*lines, f"![NDCG@20 by seconds]({picture})", "", *table(found), "", *aims(found)]
