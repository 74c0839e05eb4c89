"""The runs of dsl_study.py: what its store has, what trials choose, and what is run next.

A budget is two rounds of six trials, whose settings are rows of one scrambled Sobol sequence in
eight dimensions, the same for all losses. The first round looks for learning rate and temperature
over their whole ranges, with the options that a loss has beside them switched off; where that makes
a loss SL (DSL, BSL), it is SL's round. The second one is for one selection: it starts from the
first round's best, moves learning rate and temperature near it and draws the loss's own options
over their whole ranges. SL, which has none, looks closer in the same six trials.
"""

import json

from dsl_study_data import DATA
from dsl_study_plan import (
    ALL_LOSSES,
    EPOCHS,
    METRIC,
    PARTS,
    ROUND,
    SEEDS,
    SEEDS_AROUND,
    TRIALS,
    TRIALS_AROUND,
    Cell,
    shares_first,
    steps,
)
from dsl_study_settings import (
    DSL,
    IN_STEPS,
    MF,
    OPTION_EPOCHS,
    SL,
    TRIAL_SEED,
    count_options,
    options_at,
    points,
    settings_around,
    settings_of,
)

_LOSS_IN_STEPS = {name: loss for loss, name in IN_STEPS.items()}


class Runs:
    """The finished runs of a store.

    Args:
        rows: its lines.
    Attributes:
        by_key: key -> row, see :func:`key_of`.
    """

    def __init__(self, rows=()):
        self.by_key, self._trials = {}, {}
        for row in rows:
            self.add(row)

    def add(self, row):
        """One more line."""
        self.by_key[key_of(row)] = row
        if row["stage"] == "trial":
            cell = Cell(row["dataset"], row["backbone"], row["loss"])
            self._trials.setdefault(cell, []).append(row)

    def trials_of(self, cell):
        """The trials of a cell, also those that failed, by number."""
        return sorted(self._trials.get(cell, ()), key=lambda row: row["trial"])

    def trained(self, cell):
        """Its trials that did not fail."""
        return [row for row in self.trials_of(cell) if "failed" not in row]

    @property
    def cells(self):
        """The cells with a trial."""
        return list(self._trials)


def budget(cell):
    """How many trials a cell gets for a selection."""
    return TRIALS if cell.backbone == MF else TRIALS_AROUND


def trials(runs, cell, selection=None):
    """The trials of a cell that a selection chooses from, also those that failed, by number.

    Args:
        selection: None: the first round alone.
    """
    first = runs.trials_of(cell._replace(loss=SL) if shares_first(cell) else cell)
    first = [row for row in first if row["selection"] is None]
    if shares_first(cell):
        first = [{**row, "loss": cell.loss, "settings": _first(cell.loss, row)} for row in first]
    second = [row for row in runs.trials_of(cell) if row["selection"] is not None]
    return first + [row for row in second if row["selection"] == selection]


def _first(loss, row):
    return settings_of(loss, points(ROUND)[row["trial"]])


def chosen(runs, cell, selection):
    """The trial that is best on a validation set; None before all trials have run."""
    if cell.loss in _LOSS_IN_STEPS:
        found = _in_steps(runs, cell, selection)
        return None if found is None else _best(found, selection)
    found = trials(runs, cell, selection)
    return _best(found, selection) if len(found) >= budget(cell) else None


def _best(rows, selection):
    trained = (row for row in rows if "failed" not in row)
    return max(trained, key=lambda row: row["valid"][selection][METRIC], default=None)


def first_jobs(runs, cell):
    """The first round of a cell; [] while MF's choice, around which it lies, is not known."""
    if cell.backbone == MF:
        found = [settings_of(cell.loss, point) for point in points(ROUND)]
    else:
        known = DATA[cell.dataset].tests[-1]
        choice = chosen(runs, cell._replace(backbone=MF), known)
        if choice is None:
            return []
        found = [settings_around(choice["settings"], p) for p in points(TRIALS_AROUND)]
    return [_trial_job(cell, number, settings) for number, settings in enumerate(found)]


def second_jobs(runs, cell, selection):
    """The second round of a cell for a selection; [] before the first one has run."""
    first = trials(runs, cell)
    best = _best(first, selection) if len(first) == ROUND else None
    if best is None:
        return []
    found = [settings_of(cell.loss, p, best["settings"]) for p in points(TRIALS)[ROUND:]]
    return [_trial_job(cell, n, settings, selection) for n, settings in enumerate(found, ROUND)]


def _trial_job(cell, number, settings, selection=None):
    return {
        "stage": "trial", **cell._asdict(), "trial": number, "selection": selection,
        "seed": TRIAL_SEED, "epochs": EPOCHS, "settings": settings,
    }  # fmt: skip


def final_jobs(runs, cell, selection):
    """The chosen settings and epochs on all training rows, fresh seeds; [] before the choice.

    Two selections that choose the same trial and epoch share these runs.
    """
    best = chosen(runs, cell, selection)
    if best is None:
        return []
    return [
        {
            "stage": "final", **cell._asdict(), "trial": best["trial"],
            "selection": best["selection"], "seed": seed,
            "epochs": best["valid"][selection]["best_epoch"] + 1, "settings": best["settings"],
        }
        for seed in (SEEDS if cell.backbone == MF else SEEDS_AROUND)
    ]  # fmt: skip


def option_jobs(runs, cell, selection):
    """What a loss tries in steps, at SL's chosen settings; [] before that choice.

    They are validated as trials are, without early stopping. The run of SL's choice itself is the
    same for all three losses and stands among DSL's jobs alone.

    Args:
        cell: of SL, BSL, DSL or its form by counts.
    """
    best = chosen(runs, cell._replace(loss=SL), selection)
    if best is None:
        return []
    found = enumerate(options_at(cell.loss, best["settings"], selection))
    return [
        {
            **_trial_job(cell, number, settings, selection),
            "stage": "option",
            "epochs": OPTION_EPOCHS,
        }
        for number, settings in found
        if number or cell.loss == DSL
    ]


def _in_steps(runs, cell, selection):
    """The runs from which a loss in steps chooses, SL's choice first; None before all are there."""
    loss = _LOSS_IN_STEPS[cell.loss]
    jobs = option_jobs(runs, cell._replace(loss=DSL), selection)[:1]
    jobs += [job for job in option_jobs(runs, cell._replace(loss=loss), selection) if job["trial"]]
    found = [runs.by_key.get(key_of(job)) for job in jobs]
    if not found or None in found:
        return None
    best = chosen(runs, cell._replace(loss=SL), selection)
    own = options_at(loss, best["settings"], selection)[0]
    return [{**found[0], "loss": loss, "settings": own}, *found[1:]]


def jobs_of(runs, step):
    """The runs of a step that can be named now."""
    if step.stage == "first":
        return first_jobs(runs, step.cell)
    jobs = {"second": second_jobs, "final": final_jobs, "option": option_jobs}[step.stage]
    return jobs(runs, step.cell, step.selection)


def key_of(row):
    """What makes a run the same run."""
    names = ("stage", "dataset", "backbone", "loss", "trial", "selection", "seed", "epochs")
    names += ("settings",)
    return json.dumps([row[name] for name in names], sort_keys=True)


def next_job(runs, parts, taken, datasets=tuple(DATA), losses=ALL_LOSSES):
    """The most important run that can start and is neither finished nor taken; or None.

    Args:
        datasets, losses: those whose runs may start.
        taken: keys of runs that are under way or have failed without a line.
    """
    for step in steps(parts):
        if step.cell.dataset not in datasets or step.cell.loss not in losses:
            continue
        for job in jobs_of(runs, step):
            key = key_of(job)
            if key not in runs.by_key and key not in taken:
                return job
    return None


def left(runs, parts=PARTS):
    """(step, runs to do) of each step that is not complete; a final step that waits has all."""
    found = []
    for step in steps(parts):
        jobs = jobs_of(runs, step)
        seeds = len(SEEDS if step.cell.backbone == MF else SEEDS_AROUND)
        expected = seeds if step.stage == "final" else ROUND
        if step.stage == "option":  # DSL's runs have SL's choice too
            loss = step.cell.loss
            expected = count_options(step.selection, loss) + (loss == DSL)
        missing = sum(key_of(job) not in runs.by_key for job in jobs) if jobs else expected
        if missing:
            found.append((step, missing))
    return found


def finals_of(runs, cell, selection):
    """The finished final runs of a cell by one selection, by seed."""
    keys = map(key_of, final_jobs(runs, cell, selection))
    return [runs.by_key[key] for key in keys if key in runs.by_key]
