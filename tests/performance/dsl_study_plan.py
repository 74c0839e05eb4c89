"""What dsl_study.py runs: losses and their ranges, trials, final runs, and their order.

A budget is two rounds of six trials, whose settings are rows of one scrambled Sobol sequence in
eight dimensions, the same for all losses. The first round looks for learning rate and temperature
over their whole ranges, with the options that a loss has beside them switched off; where that makes
a loss SL (DSL, BSL), it is SL's round. The second one is for one selection: it starts from the
first round's best, moves learning rate and temperature near it and draws the loss's own options
over their whole ranges. SL, which has none, looks closer in the same six trials.
"""

import functools
import json
from typing import NamedTuple

import scipy.stats
from dsl_study_data import DATA, IID, POPULARITY

ROUND = 6  # trials of a round
TRIALS, TRIALS_AROUND = 2 * ROUND, ROUND
TRIAL_SEED = 2020
SEEDS, SEEDS_AROUND = (2021, 2022, 2023, 2024, 2025), (2021, 2022, 2023)
METRIC = "ndcg@20"
EPOCHS, PATIENCE = 60, 5
MF, LIGHTGCN, XSIMGCL = "MF", "LightGCN", "XSimGCL"
SL, DSL, KAPPA, TEMPERATURE = "SL", "DSL", "DSL, kappa alone", "DSL, temperature alone"
BSL, TALOS, PSL, SLATK = "BSL", "Talos", "PSL", "SLatK"
LOSSES = (SL, DSL, KAPPA, TEMPERATURE, BSL, TALOS, PSL, SLATK)
RIVALS = (BSL, TALOS, PSL, SLATK)  # of other papers

# Forms of DSL that are ours: DSL's own trials with something changed.
FACTOR, HARDNESS, ENTROPY = "DSL, positive factor", "DSL, score as hardness", "DSL, entropy"
CENTRE, SHARE, GAP = "DSL, running centre", "DSL, tau by share", "DSL, tau by gap"
FORMS = (FACTOR, SHARE, HARDNESS, ENTROPY, CENTRE, GAP)
TESTED_FORM = FACTOR  # which one gets final runs: a choice from validation alone

# Options that DSL gets one by one, at SL's choice, the others off; {} is SL. As many epochs for
# each: where a plateau is noisy, early stopping decides more than an option does.
OFF = {"alpha": 0.0, "beta": 0.0, "gamma": 0.0, "slate_size": 20}
ONE_BY_ONE = (
    {}, {"gamma": 0.5}, {"gamma": 1.0}, {"beta": 1.0, "gamma": 1.0}, {"beta": -1.0, "gamma": 1.0},
    {"positive_factor": 1.25},
)  # fmt: skip
OPTION_EPOCHS = 40

LEARNING_RATE, TAU = (0.005, 0.1), (0.05, 0.3)
# Share of the trials in which it is off, and the range of the others.
ALPHA, BETA, GAMMA = (0.5, -2.0, 2.0), (0.25, -6.0, 2.0), (0.25, -0.5, 1.35)
SLATE, TAU_RATIO, TAU_WEIGHT = (5, 100), (0.5, 2.0), (0.5, 3.0)
POSITIVE_FACTOR, EFFECTIVE_SHARE = (0.8, 1.6), (0.1, 0.9)
# The second round: factor of the first one's learning rate and of its tau, either way, and distance
# of its share.
SECOND_RATE, SECOND_TAU, SECOND_SHARE = 2.0, 1.3, 0.15
# Around MF's choice: factor of tau and distance of beta and gamma, either way.
NEAR_TAU, NEAR_BETA, NEAR_GAMMA = 1.5, 1.5, 0.4


@functools.cache
def points(count):
    """(count, 8) rows of numbers in [0, 1), the first of one sequence, whatever the count."""
    sequence = scipy.stats.qmc.Sobol(8, scramble=True, seed=TRIAL_SEED)
    return sequence.random_base2(6)[:count].tolist()


def _log_between(place, low, high):
    return float(f"{low * (high / low) ** place:.4g}")


def _off_or_between(place, off, low, high):
    if place < off:
        return 0.0
    return round(low + (high - low) * (place - off) / (1 - off), 3)


def settings_of(loss, point, best=None):
    """The settings of a loss at a point of the unit cube.

    Args:
        loss: one of :data:`LOSSES` or :data:`FORMS`.
        point: (8,) learning rate, tau, alpha, beta, gamma, K, the other option of BSL, SLatK and
            the positive factor, and one that is not used.
        best: settings around which the second round looks; None: the first round.
    """
    settings = _rate_and_tau(loss, point, best)
    own = point[6]
    if loss.split(",")[0] == DSL:
        settings |= _branches(loss, point, best is None) | _changes(loss, own, best is None)
    elif loss == BSL:
        settings["tau_neg"] = tau = settings.pop("tau")
        ratio = 1 if best is None else _log_between(own, *TAU_RATIO)
        settings["tau_pos"] = float(f"{tau * ratio:.4g}")
    elif loss == TALOS:  # near a quantile, its tau is like twice as much in SL
        settings["tau"] = float(f"{settings['tau'] / 2:.4g}")
    elif loss == SLATK:
        settings["tau_weight"] = 2.5 if best is None else _log_between(own, *TAU_WEIGHT)
    return settings


def _rate_and_tau(loss, point, best):
    """Learning rate and tau, as SL has it, or what stands for tau."""
    rate, tau, *_ = point
    if best is None:
        settings = {"learning_rate": _log_between(rate, *LEARNING_RATE)}
        if loss == SHARE:
            low, high = EFFECTIVE_SHARE
            return settings | {"effective_share": round(low + (high - low) * tau, 3)}
        return settings if loss == GAP else settings | {"tau": _log_between(tau, *TAU)}
    settings = {"learning_rate": _near(best["learning_rate"], SECOND_RATE, rate)}
    if loss == SHARE:
        share = best["effective_share"] + SECOND_SHARE * (2 * tau - 1)
        return settings | {"effective_share": round(min(max(share, 0.02), 0.98), 3)}
    if loss == GAP:
        return settings
    at = {BSL: "tau_neg"}.get(loss, "tau")
    return settings | {"tau": _near(best[at] * (2 if loss == TALOS else 1), SECOND_TAU, tau)}


def _near(value, factor, place):
    return float(f"{value * factor ** (2 * place - 1):.4g}")


def _branches(loss, point, off):
    """DSL's own options: off in the first round, and the branch that an ablation is without."""
    _, _, alpha, beta, gamma, slate, *_ = point
    no_kappa, no_temperature = off or loss == TEMPERATURE, off or loss == KAPPA
    return {
        "alpha": 0.0 if no_kappa else _off_or_between(alpha, *ALPHA),
        "beta": 0.0 if no_kappa else _off_or_between(beta, *BETA),
        "gamma": 0.0 if no_temperature else _off_or_between(gamma, *GAMMA),
        "slate_size": 20 if off else round(_log_between(slate, *SLATE)),
    }


def _changes(form, own, off):
    """What a form of DSL changes in DSL's trial; nothing for those of LOSSES."""
    return {
        FACTOR: {"positive_factor": 1.0 if off else _log_between(own, *POSITIVE_FACTOR)},
        HARDNESS: {"hardness": "score"},
        ENTROPY: {"intensity": "entropy"},
        CENTRE: {"centre": "running"},
        SHARE: {"base_tau": "effective_share"},
        GAP: {"base_tau": "score_gap"},
    }.get(form, {})


def settings_around(choice, point):
    """MF's chosen settings, moved: any learning rate, tau, beta and gamma near MF's.

    Args:
        choice: MF's settings, of SL or DSL. point: as in :func:`settings_of`.
    """
    rate, tau, _, beta, gamma, *_ = point
    moved = {**choice, "learning_rate": _log_between(rate, *LEARNING_RATE)}
    moved["tau"] = _near(choice["tau"], NEAR_TAU, tau)
    for name, place, distance in (("beta", beta, NEAR_BETA), ("gamma", gamma, NEAR_GAMMA)):
        if name in choice:
            moved[name] = round(choice[name] + distance * (2 * place - 1), 3)
    return moved


class Cell(NamedTuple):
    """A loss on a backbone on a data set, which gets one budget of trials."""

    dataset: str
    backbone: str
    loss: str

    @property
    def model(self):
        """MF and "DSL, kappa alone" -> MF_DSL."""
        return f"{self.backbone}_{self.loss.split(',')[0]}"


class Step(NamedTuple):
    """A part of the work: a round of a cell's trials, or its final runs by one selection.

    Attributes:
        part: one of :data:`PARTS`. cell: what. stage: "first", "second", "final" or "option".
        selection: "iid" or "popularity", the validation that chooses; None: the first round.
    """

    part: str
    cell: Cell
    stage: str
    selection: str | None = None


_SHIFTED = tuple(name for name, found in DATA.items() if POPULARITY in found.tests)
_OTHERS = tuple(name for name in DATA if name not in _SHIFTED)
_OF_GRAPHS = (
    "amazon2014-health", "amazon2014-electronic", "amazon2014-electronic-popularity",
    "amazon2014-cd-popularity",
)  # fmt: skip
_OF_FORMS = (
    "amazon2014-health-ps", "amazon2014-electronic-popularity", "ml-100k-ps", "amazon2014-health",
)  # fmt: skip
PARTS = ("a", "b", "c", "d", "e", "f", "g")


def steps(parts=PARTS):
    """All work, the most important first.

    In part e the forms of DSL have trials and no final runs, which part f has for one of them;
    graph backbones have one round of trials. In part g DSL has single options at SL's choice.
    In part a the pairs (SL, DSL), then the ablations, then BSL and Talos, on all shifted sets; then
    what a selection that does not know of the shift would have chosen for the shifted test.
    """
    grid = {
        "a": [(_SHIFTED, MF, pair) for pair in ((SL, DSL), (KAPPA, TEMPERATURE), (BSL, TALOS))],
        "b": [(_OTHERS, MF, pair) for pair in ((SL, DSL), (KAPPA, TEMPERATURE), (BSL, TALOS))],
        "c": [(_OF_GRAPHS, backbone, (SL, DSL)) for backbone in (LIGHTGCN, XSIMGCL)],
        "d": [(_SHIFTED + _OTHERS, MF, (PSL, SLATK))],
        "e": [(_OF_FORMS, MF, (form,)) for form in FORMS],
        "f": [(_SHIFTED + _OTHERS, MF, (TESTED_FORM,))],
    }
    for part in parts:
        unaware = []
        if part == "g":
            for name in _SHIFTED + _OTHERS:
                for kind in DATA[name].tests:
                    yield Step(part, Cell(name, MF, DSL), "option", kind)
            continue
        for datasets, backbone, losses in grid[part]:
            for cell in (Cell(name, backbone, loss) for name in datasets for loss in losses):
                tests = DATA[cell.dataset].tests
                if not shares_first(cell):
                    yield Step(part, cell, "first")
                yield from _of_selections(part, cell, tests)
                if part != "e" and IID not in tests and backbone == MF:
                    unaware += _of_selections(part, cell, (IID,))
        yield from unaware


def _of_selections(part, cell, selections):
    """The second rounds and final runs of a cell; graph backbones have one round, forms no test."""
    stages = ["second"] * (cell.backbone == MF) + ["final"] * (part != "e")
    return [Step(part, cell, stage, kind) for kind in selections for stage in stages]


def shares_first(cell):
    """Whether a cell's first round is SL's: with its own options off the loss is SL."""
    return cell.backbone == MF and cell.loss not in (SL, TALOS, PSL, SLATK, SHARE, GAP)


# Trials and choices ------------------------------------------------------------------------------


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
    """DSL at SL's chosen settings with one thing of its own; [] before that choice.

    They are validated as trials are, without early stopping, and no selection chooses from them.
    """
    best = chosen(runs, cell._replace(loss=SL), selection)
    if best is None:
        return []
    return [
        {
            **_trial_job(cell, number, {**best["settings"], **OFF, **options}, selection),
            "stage": "option",
            "epochs": OPTION_EPOCHS,
        }
        for number, options in enumerate(ONE_BY_ONE)
    ]


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


def next_job(runs, parts, taken, datasets=tuple(DATA)):
    """The most important run that can start and is neither finished nor taken; or None.

    Args:
        datasets: those whose runs may start.
        taken: keys of runs that are under way or have failed without a line.
    """
    for step in (step for step in steps(parts) if step.cell.dataset in datasets):
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
        expected = {"final": seeds, "option": len(ONE_BY_ONE)}.get(step.stage, ROUND)
        missing = sum(key_of(job) not in runs.by_key for job in jobs) if jobs else expected
        if missing:
            found.append((step, missing))
    return found


def finals_of(runs, cell, selection):
    """The finished final runs of a cell by one selection, by seed."""
    keys = map(key_of, final_jobs(runs, cell, selection))
    return [runs.by_key[key] for key in keys if key in runs.by_key]
