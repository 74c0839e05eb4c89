"""A store of dsl_study.py as it would be after training, for tests of what is made of it."""

import dsl_study_comparison as comparison
import dsl_study_jobs as jobs
import dsl_study_plan as plan
import dsl_study_settings as tried
import numpy as np
from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_jobs import Runs
from dsl_study_plan import Cell
from dsl_study_settings import DSL, MF, SL

SHIFTED, TWO = "amazon2014-electronic-popularity", "ml-100k-ps"
SL_CELL = Cell(SHIFTED, MF, SL)
DATA_KINDS = (IID, POPULARITY)

# How good a loss is here, by kind of test.
QUALITY = {SL: {IID: 0.1, POPULARITY: 0.05}, DSL: {IID: 0.1, POPULARITY: 0.06}}


def trial_row(job, valid=None):
    """The line of a trial: the i.i.d. validation prefers trial 3, the shifted one trial 7."""
    quality = QUALITY.get(job["loss"], QUALITY[SL])
    found = valid or {
        kind: {"best_epoch": 10 + job["trial"], "recall@20": 0.1,
               "ndcg@20": quality[kind] - 0.001 * abs(job["trial"] - best)}
        for kind, best in ((IID, 3), (POPULARITY, 7))
    }  # fmt: skip
    return {**job, "valid": found, "curves": {}, "epoch_seconds": 2.0, "versions": {}}


def final_row(job, store, users=200):
    """The line of a final run, and its users' file."""
    tests = DATA[job["dataset"]].tests
    quality = QUALITY.get(job["loss"], QUALITY[SL])
    rng = np.random.default_rng(job["seed"])
    values = {test: (quality[test] * rng.uniform(0.5, 1.5, users)).astype("f4") for test in tests}
    row = {
        **job, "epoch_seconds": 2.0, "versions": {}, "users": dict.fromkeys(tests, "abc"),
        "tests": {t: {"recall@20": 0.1, "ndcg@20": float(v.mean())} for t, v in values.items()},
        "groups": {t: {"head": 0.5 * v.mean(), "mid": 0.3, "tail": 0.2} for t, v in values.items()},
    }  # fmt: skip
    path = comparison.users_file(row, store)
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **values)
    return row


def fill(runs, store, cells, final=True):
    """Trials and final runs of cells."""
    for cell in cells:
        if not plan.shares_first(cell):
            for job in jobs.first_jobs(runs, cell):
                runs.add(trial_row(job))
        for selection in (IID, POPULARITY):
            for job in jobs.second_jobs(runs, cell, selection):
                runs.add(trial_row(job))
            for job in jobs.final_jobs(runs, cell, selection) if final else ():
                runs.add(final_row(job, store))
    return runs


def fill_in_steps(runs, store, kind, best):
    """Each loss's own runs at SL's choice, and the final runs of what they choose.

    Args:
        best: loss -> number of its best run.
    """
    start = Cell(TWO, MF, SL)
    for loss in (DSL, SL, tried.BSL):
        for job in jobs.option_jobs(runs, start._replace(loss=loss), kind):
            quality = 0.2 if job["trial"] == best[loss] else 0.1
            runs.add(trial_row(job, {k: {"best_epoch": 7, "ndcg@20": quality} for k in DATA_KINDS}))
    for loss in best:
        cell = start._replace(loss=tried.IN_STEPS[loss])
        for job in jobs.final_jobs(runs, cell, kind):
            runs.add(final_row(job, store))


def every_trial(cell, selection=IID, best=3):
    """The twelve trials of a cell of MF, where the trial of a number is the first round's best."""
    runs = Runs()
    for job in jobs.first_jobs(runs, cell._replace(loss=SL) if plan.shares_first(cell) else cell):
        quality = {"best_epoch": 1, "ndcg@20": 0.1 + 0.1 * (job["trial"] == best)}
        runs.add(trial_row(job, {IID: quality, POPULARITY: quality}))
    for job in jobs.second_jobs(runs, cell, selection):
        runs.add(trial_row(job))
    return jobs.trials(runs, cell, selection)
