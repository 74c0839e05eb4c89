"""dsl_study.py: equal budgets, selections that read no test row, numbers and page of any store."""

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import dsl_study
import dsl_study_comparison as comparison
import dsl_study_data as study_data
import dsl_study_pictures as pictures
import dsl_study_plan as plan
import dsl_study_report as report
import dsl_study_settings as tried
import dsl_study_tables as tables
import dsl_study_training as training
import numpy as np
import pytest
from dsl_study_data import DATA, IID, POPULARITY, DataSet
from dsl_study_plan import Cell, Runs
from dsl_study_settings import DSL, KAPPA, LOSSES, MF, SL, TEMPERATURE
from recbole.utils import early_stopping

from recbole_dsl.config.run_config import Config

SHIFTED, TWO = "amazon2014-electronic-popularity", "ml-100k-ps"
SL_CELL = Cell(SHIFTED, MF, SL)
DATA_KINDS = (IID, POPULARITY)


# What is tried -----------------------------------------------------------------------------------


def test_a_longer_budget_keeps_the_trials_of_a_shorter_one():
    assert tried.points(12) == tried.points(64)[:12] and len(tried.points(6)[0]) == 8
    columns = np.array(tried.points(64)).T
    for column in columns:  # a Sobol sequence: as many points in each part of the range
        assert (np.histogram(column, 8, (0, 1))[0] == 8).all()
    # The trials of the store: another sequence would leave them without a use.
    assert tried.settings_of(SL, tried.points(1)[0]) == {
        "learning_rate": 0.03693,
        "tau": 0.1037,
    }


def test_budgets_are_equal_and_all_losses_try_the_same_rates_and_temperatures():
    for name in DATA:
        trials = {loss: every_trial(Cell(name, MF, loss)) for loss in LOSSES}
        assert {len(found) for found in trials.values()} == {plan.TRIALS}
        assert {len({plan.key_of(job) for job in found}) for found in trials.values()} == {12}
        assert {(job["seed"], job["epochs"]) for found in trials.values() for job in found} == {
            (tried.TRIAL_SEED, plan.EPOCHS)
        }
        pairs = {loss: [_rate_and_tau(job) for job in found] for loss, found in trials.items()}
        for found in pairs.values():
            assert np.allclose(found, pairs[SL], rtol=1e-3)  # four digits are kept, Talos' of half
    assert tried.TRIAL_SEED not in plan.SEEDS


def every_trial(cell, selection=IID, best=3):
    """The twelve trials of a cell of MF, where the trial of a number is the first round's best."""
    runs = Runs()
    for job in plan.first_jobs(runs, cell._replace(loss=SL) if plan.shares_first(cell) else cell):
        quality = {"best_epoch": 1, "ndcg@20": 0.1 + 0.1 * (job["trial"] == best)}
        runs.add(trial_row(job, {IID: quality, POPULARITY: quality}))
    for job in plan.second_jobs(runs, cell, selection):
        runs.add(trial_row(job))
    return plan.trials(runs, cell, selection)


def _rate_and_tau(job):
    settings, loss = job["settings"], job["loss"]
    tau = settings["tau_neg"] if loss == tried.BSL else settings["tau"]
    return settings["learning_rate"], 2 * tau if loss == tried.TALOS else tau


def test_the_first_round_is_without_a_losses_own_options_and_the_second_one_near_its_best():
    for loss in (*LOSSES, *tried.FORMS):
        rows = every_trial(Cell("ml-100k-rs", MF, loss))
        assert [row["trial"] for row in rows] == list(range(12))
        assert [row["selection"] for row in rows] == [None] * 6 + [IID] * 6
        best, later = rows[3]["settings"], [row["settings"] for row in rows[6:]]
        names = {"learning_rate": 2, "tau": 1.3, "tau_neg": 1.3}
        for name in names.keys() & best.keys():
            ratios = [settings[name] / best[name] for settings in later]
            assert all(1 / names[name] <= r * 1.001 and r <= 1.001 * names[name] for r in ratios)
            assert max(ratios) > 1 > min(ratios)
        assert all(settings.keys() == best.keys() for settings in later)
        if loss.startswith(DSL):
            first = [row["settings"] for row in rows[:6]]
            assert all(row["alpha"] == row["beta"] == row["gamma"] == 0 for row in first)
        if loss == tried.BSL:
            assert all(row["settings"]["tau_pos"] == row["settings"]["tau_neg"] for row in rows[:6])
            assert not any(found["tau_pos"] == found["tau_neg"] for found in later)


BEST = {"learning_rate": 0.02, "tau": 0.1, "effective_share": 0.5}


def test_the_ablations_are_dsls_own_trials_with_a_branch_off():
    off = {KAPPA: {"gamma": 0.0}, TEMPERATURE: {"alpha": 0.0, "beta": 0.0}}
    for point in tried.points(64):
        settings = tried.settings_of(DSL, point, BEST)
        for loss, changed in off.items():
            assert tried.settings_of(loss, point, BEST) == {**settings, **changed}


def test_forms_are_dsls_own_trials_with_something_changed():
    changed = {form: set() for form in tried.FORMS}
    for point in tried.points(64):
        settings = tried.settings_of(DSL, point, BEST)
        for form in tried.FORMS:
            found = tried.settings_of(form, point, BEST)
            changed[form] |= set(found) - set(settings)
            same = (
                settings.keys() - {"tau"} if form in (tried.SHARE, tried.GAP) else settings.keys()
            )
            without = {"alpha": 0.0, "beta": 0.0} if form == tried.GAMMA_FACTOR else {}
            wanted = {**settings, **without}
            assert {key: wanted[key] for key in same} == {key: found[key] for key in same}
    assert list(changed.values()) == [
        {"positive_factor"}, {"positive_factor"}, {"base_tau", "effective_share"}, {"hardness"},
        {"intensity"}, {"centre"}, {"base_tau"},
    ]  # fmt: skip


def test_the_positives_temperature_over_the_negatives_has_one_range_for_bsl_and_dsl():
    for point in tried.points(64):
        bsl = tried.settings_of(tried.BSL, point, {**BEST, "tau_neg": BEST["tau"]})
        factor = tried.settings_of(tried.GAMMA_FACTOR, point, BEST)["positive_factor"]
        assert bsl["tau_pos"] / bsl["tau_neg"] == pytest.approx(factor, rel=1e-3)
        assert 0.8 <= factor <= 1.6


def test_forms_have_no_final_runs_but_those_that_are_tested():
    assert all(step.stage != "final" for step in plan.steps(["e"]))
    tested = {form: set() for form in tried.TESTED_FORMS}
    for step in plan.steps(["f"]):
        if step.stage == "final":
            tested[step.cell.loss].add(step.selection)
    assert tested == {tried.GAMMA_FACTOR: {IID}, tried.FACTOR: {IID, POPULARITY}}


def test_dsls_branches_are_off_in_a_stated_share_and_span_their_ranges():
    found = [tried.settings_of(DSL, point, BEST) for point in tried.points(64)]
    for name, (off, low, high) in (
        ("alpha", tried.ALPHA), ("beta", tried.BETA), ("gamma", tried.GAMMA),
    ):  # fmt: skip
        values = [settings[name] for settings in found]
        assert sum(value == 0 for value in values) == 64 * off
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high >= max(values) > high - 0.1 * (high - low)


@pytest.mark.parametrize("loss", [*LOSSES, *tried.FORMS])
def test_a_run_takes_the_settings(loss):
    job = every_trial(Cell("ml-100k-rs", MF, loss))[8]
    values = {**training._values(job, "data"), "data_path": "dataset"}
    config = Config(Cell("ml-100k", MF, loss).model, "ml-100k", config_dict=values)
    assert config.warnings == []
    assert all(config[name] == value for name, value in job["settings"].items())


def test_graph_backbones_try_settings_around_mfs_choice():
    choice = {"learning_rate": 0.1, "tau": 0.1, "alpha": 0.5, "beta": -3.0, "gamma": 1.0}
    found = [tried.settings_around(choice, point) for point in tried.points(64)]
    for name, low, high in (("tau", 0.1 / 1.5, 0.15), ("beta", -4.5, -1.5), ("gamma", 0.6, 1.4)):
        values = [settings[name] for settings in found]
        assert low - 1e-4 <= min(values) < max(values) <= high + 1e-4
    assert {settings["alpha"] for settings in found} == {0.5}
    around_sl = tried.settings_around({"learning_rate": 0.1, "tau": 0.1}, tried.points(1)[0])
    assert set(around_sl) == {"learning_rate", "tau"}


# A store without training ------------------------------------------------------------------------

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
            for job in plan.first_jobs(runs, cell):
                runs.add(trial_row(job))
        for selection in (IID, POPULARITY):
            for job in plan.second_jobs(runs, cell, selection):
                runs.add(trial_row(job))
            for job in plan.final_jobs(runs, cell, selection) if final else ():
                runs.add(final_row(job, store))
    return runs


@pytest.fixture
def store(tmp_path):
    return tmp_path / "dsl_study.jsonl"


@pytest.fixture
def runs(store):
    """SL and DSL on a shifted set and on one with both tests."""
    cells = [Cell(name, MF, loss) for name in (SHIFTED, TWO) for loss in (SL, DSL)]
    return fill(Runs(), store, cells)


def test_the_most_important_runs_come_first_and_wait_for_what_they_depend_on():
    runs, taken = Runs(), set()

    def take(stage, loss, number, selection=POPULARITY):
        job = plan.next_job(runs, plan.PARTS, taken)
        found = (job["stage"], job["dataset"], job["loss"], job["trial"], job["selection"])
        assert found == (stage, SHIFTED, loss, number, selection)
        taken.add(plan.key_of(job))
        return job

    first = [take("trial", SL, number, None) for number in range(6)]
    for job in first[:5]:
        runs.add(trial_row(job))
    # The last one is under way, and what else is there of SL and DSL depends on it.
    waiting = plan.next_job(runs, plan.PARTS, taken)
    assert (waiting["dataset"], waiting["loss"], waiting["trial"]) == (
        "amazon2014-cd-popularity", SL, 0,
    )  # fmt: skip
    runs.add(trial_row(first[5]))
    for number in range(6, 12):
        runs.add(trial_row(take("trial", SL, number)))
    job = take("final", SL, 7)
    assert job["seed"] == 2021 and job["epochs"] == 18
    assert job["settings"] == plan.chosen(runs, SL_CELL, POPULARITY)["settings"]
    for _ in range(4):
        take("final", SL, 7)
    take("trial", DSL, 6)
    assert plan.next_job(runs, plan.PARTS, taken, (TWO,))["dataset"] == TWO
    assert plan.next_job(runs, plan.PARTS, taken, losses=[tried.TALOS])["loss"] == tried.TALOS


def test_parts_are_those_of_the_study_in_their_order():
    steps = list(plan.steps())
    assert [step.part for step in steps] == sorted(step.part for step in steps)
    of_a = [step for step in steps if step.part == "a"]
    of_shift = [s.cell.loss for s in of_a if (s.stage, s.selection) == ("second", POPULARITY)]
    assert of_shift == [SL, DSL] * 4 + [KAPPA, TEMPERATURE] * 4 + [tried.BSL, tried.TALOS] * 4
    first = [step.cell.loss for step in of_a if step.stage == "first"]
    assert first == [SL] * 4 + [tried.TALOS] * 4  # the others share SL's
    unaware = of_a[-24:]  # two stages for as many as losses and ready shifted sets
    assert {(s.cell.dataset, s.cell.loss) for s in unaware} == {
        (name, loss) for name in (SHIFTED, "amazon2014-cd-popularity") for loss in LOSSES[:6]
    }
    assert {s.selection for s in unaware} == {IID}
    assert all(s.selection != IID or s.cell.dataset.endswith("-ps") for s in of_a[:-24])
    graphs = {(step.cell.backbone, step.cell.loss) for step in steps if step.part == "c"}
    assert graphs == {(b, loss) for b in (tried.LIGHTGCN, tried.XSIMGCL) for loss in (SL, DSL)}
    assert {step.cell.loss for step in steps if step.part == "d"} == {tried.PSL, tried.SLATK}
    assert {step.cell.loss for step in steps if step.part == "e"} == set(tried.FORMS)
    one_by_one = [(s.cell.dataset, s.selection, s.stage) for s in steps if s.part == "g"]
    assert sorted(one_by_one) == sorted(
        (name, kind, "option") for name, found in DATA.items() for kind in found.tests
    )
    assert {step.cell.loss for step in steps if step.part == "g"} == {DSL}
    in_steps = [s for s in steps if s.part == "h"]
    for stage, wanted in (("option", (SL, DSL, tried.BSL)), ("final", tried.IN_STEPS.values())):
        found = {(s.cell.dataset, s.selection, s.cell.loss) for s in in_steps if s.stage == stage}
        assert found == {
            (name, kind, loss) for name in DATA for kind in DATA[name].tests for loss in wanted
        }


def test_each_selection_has_its_own_trial_and_epoch_and_equal_choices_share_their_runs(store):
    runs = fill(Runs(), store, [Cell(TWO, MF, SL)])
    found = {kind: plan.final_jobs(runs, Cell(TWO, MF, SL), kind) for kind in (IID, POPULARITY)}
    assert [(job["trial"], job["epochs"]) for job in found[IID]] == [(3, 14)] * 5
    assert [(job["trial"], job["epochs"]) for job in found[POPULARITY]] == [(7, 18)] * 5
    assert [job["seed"] for job in found[IID]] == list(plan.SEEDS)
    same = Runs()
    for job in plan.first_jobs(same, SL_CELL):
        both = {kind: {"best_epoch": 4, "ndcg@20": -job["trial"]} for kind in (IID, POPULARITY)}
        same.add(trial_row(job, both))
    for kind in (IID, POPULARITY):
        assert plan.final_jobs(same, SL_CELL, kind) == []  # the second round has not run
        for job in plan.second_jobs(same, SL_CELL, kind):
            same.add(trial_row(job, {k: {"best_epoch": 4, "ndcg@20": -9} for k in DATA_KINDS}))
    first, second = (plan.final_jobs(same, SL_CELL, kind) for kind in (IID, POPULARITY))
    assert first == second and first[0]["trial"] == 0


def test_a_selection_does_not_see_the_other_ones_second_round():
    runs = Runs()
    for job in plan.first_jobs(runs, SL_CELL):
        runs.add(trial_row(job))
    for job in plan.second_jobs(runs, SL_CELL, POPULARITY):
        runs.add(trial_row(job, {kind: {"best_epoch": 4, "ndcg@20": 0.9} for kind in DATA_KINDS}))
    assert plan.chosen(runs, SL_CELL, IID) is None
    for job in plan.second_jobs(runs, SL_CELL, IID):
        runs.add(trial_row(job))
    assert plan.chosen(runs, SL_CELL, IID)["trial"] == 3
    assert plan.chosen(runs, SL_CELL, POPULARITY)["valid"][POPULARITY]["ndcg@20"] == 0.9


def test_options_one_by_one_wait_for_sls_choice_and_change_nothing_else(runs):
    cell = Cell(TWO, MF, DSL)
    assert plan.option_jobs(Runs(), cell, IID) == []
    for kind in DATA_KINDS:
        best = plan.chosen(runs, cell._replace(loss=SL), kind)
        jobs = plan.option_jobs(runs, cell, kind)
        assert len(jobs) == len(tried.ONE_BY_ONE[kind]) == len({plan.key_of(job) for job in jobs})
        for job, options in zip(jobs, tried.ONE_BY_ONE[kind], strict=True):
            assert job["settings"] == {**best["settings"], **tried.OFF, **options}
            assert (job["stage"], job["seed"]) == ("option", tried.TRIAL_SEED)
            settings = training.trial_settings(job, "data")  # no early stopping
            assert settings["epochs"] == settings["stopping_step"] == tried.OPTION_EPOCHS
        (first, *_) = plan.second_jobs(runs, cell, kind)
        assert training.trial_settings(first, "data")["stopping_step"] == plan.PATIENCE
        before = plan.chosen(runs, cell, kind)
        for job in jobs:  # however good, no selection takes one
            good = {kind: {"best_epoch": 1, "ndcg@20": 0.9} for kind in DATA_KINDS}
            runs.add(trial_row(job, good))
        assert plan.chosen(runs, cell, kind) == before
    assert all(step.part != "g" or step.cell.dataset != TWO for step, _ in plan.left(runs))


def _in_steps(runs, store, kind, best):
    """Each loss's own runs at SL's choice, and the final runs of what they choose.

    Args:
        best: loss -> number of its best run.
    """
    start = Cell(TWO, MF, SL)
    for loss in (DSL, SL, tried.BSL):
        for job in plan.option_jobs(runs, start._replace(loss=loss), kind):
            quality = 0.2 if job["trial"] == best[loss] else 0.1
            runs.add(trial_row(job, {k: {"best_epoch": 7, "ndcg@20": quality} for k in DATA_KINDS}))
    for loss in best:
        cell = start._replace(loss=tried.IN_STEPS[loss])
        for job in plan.final_jobs(runs, cell, kind):
            runs.add(final_row(job, store))


def test_in_steps_each_loss_has_as_many_runs_of_its_own(runs):
    for kind, count in ((IID, 6), (POPULARITY, 12)):
        best = plan.chosen(runs, Cell(TWO, MF, SL), kind)["settings"]
        of_kind = {loss: tried.options_at(loss, best, kind) for loss in (SL, tried.BSL, DSL)}
        for loss, found in of_kind.items():
            assert len({str(settings) for settings in found}) == len(found) == count + 1
            assert found[:7] == tried.options_at(loss, best, IID)  # what is there already, first
            step = plan.Step("h", Cell(TWO, MF, loss), "option", kind)
            assert dict(plan.left(Runs(), ("h",)))[step] == count + (loss == DSL)


def test_in_steps_each_loss_has_sls_choice_and_six_runs_of_its_own(runs, store):
    best = plan.chosen(runs, Cell(TWO, MF, SL), IID)["settings"]
    rate, tau = best["learning_rate"], best["tau"]
    assert tried.options_at(SL, best, IID)[0] == best
    assert tried.options_at(DSL, best, IID)[0] == {**best, **tried.OFF}
    assert tried.options_at(tried.BSL, best, IID)[0] == {
        "learning_rate": rate, "tau_neg": tau, "tau_pos": tau,
    }  # fmt: skip
    for loss in (SL, tried.BSL, DSL):
        cell = Cell(TWO, MF, loss)
        jobs = plan.option_jobs(runs, cell, IID)
        assert [job["trial"] for job in jobs] == list(range(0 if loss == DSL else 1, 7))
        assert len({plan.key_of(job) for job in jobs}) == len(jobs)
        assert {job["epochs"] for job in jobs} == {tried.OPTION_EPOCHS}
        assert plan.chosen(runs, cell._replace(loss=tried.IN_STEPS[loss]), IID) is None
        assert cell._replace(loss=tried.IN_STEPS[loss]).model == f"MF_{loss}"
    closer = tried.options_at(SL, best, IID)[1:]
    for name, factor in (("learning_rate", 1.5), ("tau", 1.15)):
        ratios = [found[name] / best[name] for found in closer]
        assert 1 / factor <= min(ratios) * 1.001 < 1 < max(ratios) <= 1.001 * factor
    before = plan.chosen(runs, Cell(TWO, MF, DSL), IID)
    of_ratio = pytest.approx(1.25 * tau, rel=1e-3)
    _in_steps(runs, store, IID, {DSL: 6, SL: 0, tried.BSL: 4})
    for loss, number, settings in (
        (DSL, 6, {**best, **tried.OFF, "gamma": 0.5, "positive_factor": 1.25}),
        (SL, 0, best),
        (tried.BSL, 4, {"learning_rate": rate, "tau_neg": tau, "tau_pos": of_ratio}),
    ):
        jobs = plan.final_jobs(runs, Cell(TWO, MF, tried.IN_STEPS[loss]), IID)
        assert [job["seed"] for job in jobs] == list(plan.SEEDS)
        assert jobs[0]["settings"] == settings
        assert (jobs[0]["trial"], jobs[0]["epochs"], jobs[0]["selection"]) == (number, 8, IID)
    assert plan.chosen(runs, Cell(TWO, MF, DSL), IID) == before
    assert plan.chosen(runs, Cell(TWO, MF, tried.IN_STEPS[SL]), POPULARITY) is None


def test_the_users_of_two_selections_of_one_trial_and_epoch_have_files_of_their_own(store):
    row = {**plan.first_jobs(Runs(), SL_CELL)[0], "stage": "final"}
    files = {
        comparison.users_file({**row, "selection": selection}, store)
        for selection in (None, *DATA_KINDS)
    }
    assert len(files) == 3


def test_in_steps_a_loss_that_gains_nothing_keeps_sls_choice(runs, store):
    _in_steps(runs, store, IID, dict.fromkeys((DSL, SL, tried.BSL)))  # none is better: a tie
    for loss in (DSL, SL, tried.BSL):
        assert plan.chosen(runs, Cell(TWO, MF, tried.IN_STEPS[loss]), IID)["trial"] == 0


def test_what_losses_in_steps_choose_is_compared(runs, store, monkeypatch):
    for loss, quality in ((SL, 0.1), (tried.BSL, 0.15), (DSL, 0.2)):
        monkeypatch.setitem(QUALITY, tried.IN_STEPS[loss], {IID: quality, POPULARITY: quality})
    _in_steps(runs, store, IID, {DSL: 6, SL: 0, tried.BSL: 4})
    study = tables.Study(runs, store)
    _, _, line = tables.steps_table(study)
    name, test, sl, bsl, dsl, *gains = (cell.strip() for cell in line.strip("|").split("|"))
    assert (name, test) == (TWO, "i.i.d.")
    assert sl.endswith("(SL's choice)") and bsl.endswith("(tau_pos / tau_neg 1.25)")
    assert dsl.endswith("(gamma 0.5, positive_factor 1.25)")
    assert [gain.split()[0] for gain in gains] == ["+100.0", "+50.0", "+33.3"]
    assert "DSL is above SL on 1 of 1 sets" in report.verdict(study, tables.STEPWISE)[1]


def test_the_table_of_options_is_over_sl_with_as_many_epochs(runs, store):
    assert len(tables.options_table(tables.Study(runs, store), IID)) == 2  # the head alone
    for name, value in ((SHIFTED, 0.06), (TWO, 0.055)):
        for job in plan.option_jobs(runs, Cell(name, MF, DSL), POPULARITY):
            number = job["trial"]
            if (name, number) != (TWO, 2):
                quality = 0.05 if number == 0 else value  # the first one is SL
                runs.add(trial_row(job, {POPULARITY: {"best_epoch": 1, "ndcg@20": quality}}))
    head, _, *lines = tables.options_table(tables.Study(runs, store), POPULARITY)
    assert head == f"| options | {SHIFTED} | {TWO} | mean |"
    assert len(lines) == len(tried.ONE_BY_ONE[POPULARITY])
    assert lines[0] == "| none: SL | 0.0500 | 0.0500 |  |"
    assert lines[1] == "| gamma 0.5 | +20.0 % | +10.0 % | +15.0 % |"
    assert lines[2] == "| gamma 1 | +20.0 % |  |  |"
    assert lines[3].startswith("| beta 1, gamma 1 |")


def test_a_trial_that_failed_counts_and_is_not_chosen():
    runs = Runs()
    for job in plan.first_jobs(runs, SL_CELL):
        runs.add(trial_row(job))
    for job in plan.second_jobs(runs, SL_CELL, POPULARITY):
        row = trial_row(job)
        if job["trial"] == 7:
            del row["valid"]
            row["failed"] = "the loss is nan"
        runs.add(row)
    assert plan.chosen(runs, SL_CELL, POPULARITY)["trial"] in (6, 8)


def test_a_loss_that_is_sl_without_its_options_may_end_as_sl():
    runs = fill(Runs(), Path("/nowhere"), [SL_CELL], final=False)
    cell = Cell(SHIFTED, MF, DSL)
    assert plan.first_jobs(runs, SL_CELL)[3]["settings"].items() <= plan.trials(
        runs, cell)[3]["settings"].items()  # fmt: skip
    for job in plan.second_jobs(runs, cell, POPULARITY):
        runs.add(trial_row(job, {kind: {"best_epoch": 4, "ndcg@20": 0.0} for kind in DATA_KINDS}))
    best = plan.chosen(runs, cell, POPULARITY)
    assert best["trial"] == 5 and best["settings"]["gamma"] == best["settings"]["beta"] == 0
    jobs = plan.final_jobs(runs, cell, POPULARITY)
    assert {job["loss"] for job in jobs} == {DSL} and jobs[0]["settings"] == best["settings"]


def test_a_test_metric_changes_no_choice(runs, store):
    before = {cell: plan.chosen(runs, cell, POPULARITY)["trial"] for cell in runs.cells}
    for row in runs.by_key.values():
        assert ("tests" in row) == (row["stage"] == "final")
        if row["stage"] == "final":
            row["tests"] = {test: {"ndcg@20": 0.9} for test in row["tests"]}
    more = final_row({**plan.first_jobs(runs, SL_CELL)[0], "stage": "final", "seed": 9}, store)
    runs.add(more)
    assert {c: plan.chosen(runs, c, POPULARITY)["trial"] for c in runs.cells} == before


def test_graph_backbones_wait_for_mf(runs):
    cell = Cell(SHIFTED, tried.LIGHTGCN, DSL)
    assert plan.first_jobs(Runs(), cell) == []
    jobs = plan.first_jobs(runs, cell)
    choice = plan.chosen(runs, cell._replace(backbone=MF), POPULARITY)["settings"]
    assert len(jobs) == plan.TRIALS_AROUND and plan.budget(cell) == 6
    assert jobs[0]["settings"] == tried.settings_around(choice, tried.points(1)[0])


# Numbers -----------------------------------------------------------------------------------------


def _result(values, seeds=(1, 2), digest="abc"):
    """(S, N) NDCG@20 by seed and user."""
    users = {seed: np.asarray(row, float) for seed, row in zip(seeds, values, strict=True)}
    runs = {
        seed: {"users": {IID: digest}, "tests": {IID: {"ndcg@20": found.mean()}}}
        for seed, found in users.items()
    }
    return comparison.Result(runs, users, IID)


def test_the_gain_is_that_of_the_means_and_its_interval_of_users():
    rng = np.random.default_rng(0)
    other = rng.uniform(0.1, 0.3, (2, 400))
    ours = 1.1 * other + rng.normal(0, 0.02, (2, 400))
    found = comparison.gain(_result(ours), _result(other))
    assert found.seeds == 2 and found.relative == pytest.approx(ours.mean() / other.mean() - 1)
    first, second = ours.mean(axis=0), other.mean(axis=0)
    draws = np.random.default_rng(1).integers(0, 400, (3000, 400))
    relative = first[draws].mean(axis=1) / second[draws].mean(axis=1) - 1
    assert [found.low, found.high] == pytest.approx(np.quantile(relative, [0.025, 0.975]), abs=2e-3)
    assert found.p_users < 1e-6 < found.p_seeds


def test_only_common_seeds_are_compared_and_other_users_are_refused():
    values = np.random.default_rng(0).uniform(0.1, 0.2, (2, 50))
    found = comparison.gain(_result(2 * values), _result(values[1:], seeds=(2,)))
    assert found.seeds == 1 and found.relative == pytest.approx(1.0)
    assert comparison.gain(_result(values), _result(values, seeds=(3, 4))) is None
    with pytest.raises(ValueError, match="tested on other users"):
        comparison.gain(_result(values), _result(values, digest="xyz"))


def test_p_values_are_corrected_over_the_table():
    gains = [comparison.Gain(5, 0.1, 0.05, 0.15, p, None) for p in (0.01, 0.04)]
    found = comparison.corrected([gains[0], None, gains[1]])
    assert [gain and gain.p_users for gain in found] == [0.02, None, 0.04]


# The page ----------------------------------------------------------------------------------------


def test_the_page_says_where_dsl_wins_and_where_it_does_not(runs, store):
    study = tables.Study(runs, store)
    lines = report.verdict(study)
    assert "DSL is above SL on 2 of 2 sets, on 2 significantly" in lines[0]
    assert "mean gain +20.0 % (aim +9.3 %)" in lines[0]
    assert "i.i.d. tests, MF: DSL is above SL on 0 of 1" in lines[1]
    assert f"Not above SL, or not significantly: {TWO}, MF, i.i.d. (+0.0 %" in lines[2]
    fill(runs, store, [Cell(SHIFTED, MF, tried.BSL)])
    table = tables.main_table(tables.Study(runs, store))
    row = next(line for line in table if line.startswith(f"| {SHIFTED} | MF | popularity"))
    assert "| BSL 0.0" in row and row.count(r"< 0.001 \*\*\*") == 3


def test_forms_are_compared_on_validation(runs, store, monkeypatch):
    monkeypatch.setitem(QUALITY, tried.FACTOR, {IID: 0.11, POPULARITY: 0.054})
    fill(runs, store, [Cell(TWO, MF, tried.FACTOR)])
    for row in runs.by_key.values():
        row.pop("tests", None)
    table = tables.forms_table(tables.Study(runs, store))
    assert [line for line in table if TWO in line] == [
        f"| {TWO} | i.i.d. | 0.1000 | +7.0 % |  |  |  |  |  |  |",
        f"| {TWO} | popularity | 0.0600 | -10.0 % |  |  |  |  |  |  |",
    ]


def test_a_rival_ahead_of_dsl_is_named(runs, store, monkeypatch):
    monkeypatch.setitem(QUALITY, tried.TALOS, {IID: 0.2, POPULARITY: 0.01})
    fill(runs, store, [Cell(TWO, MF, tried.TALOS)])
    [said] = report._behind_others(tables.Study(runs, store))
    assert said.startswith(f"On {TWO}, MF, i.i.d., Talos is ahead of DSL: DSL over it -50.0 %")


@pytest.mark.parametrize(
    "filled",
    [
        "nothing",
        pytest.param("a trial", marks=pytest.mark.slow),
        pytest.param("trials", marks=pytest.mark.slow),
        pytest.param("some", marks=pytest.mark.slow),
    ],
)
def test_the_page_is_written_from_any_store(filled, runs, store, monkeypatch):
    monkeypatch.setattr(
        pictures, "save_svg", lambda figure, path, height: path.write_text("<svg/>")
    )
    if filled != "some":
        jobs = plan.first_jobs(Runs(), SL_CELL)
        runs = Runs(map(trial_row, jobs[: {"nothing": 0, "a trial": 1, "trials": 6}[filled]]))
    page = store.with_suffix(".md")
    page.write_text("# By hand\n")
    for _ in range(2):
        report.write_page(runs, store)
    text = page.read_text()
    assert text.startswith("# By hand") and text.count("## Every loss") == 1
    assert "- Part c: 32 of 32 steps" in text
    first = text.partition("## In steps")[0]
    assert ("nothing has been tested yet" in first) == (filled != "some")
    assert store.with_name("dsl_study_front.svg").exists() == (filled != "nothing")
    links = re.findall(r"\((dsl_study\w+\.svg)\)", text)
    assert len(links) == 2
    assert all((store.parent / link).exists() for link in links) == (filled != "nothing")
    if filled == "some":
        assert "| SL; DSL | 12 | 12 | 0 |" in text


@pytest.mark.slow
def test_pictures_have_every_loss_and_parameter(runs, store):
    study = tables.Study(runs, store)
    drawn, height = pictures.front(study)
    assert height == 3 and [trace.name for trace in drawn.data if trace.showlegend] == [SL, DSL]
    tests = next(trace for trace in drawn.data if trace.name == DSL and "lines" in trace.mode)
    assert len(tests.x) == 2 and max(tests.y) > 0.05
    axes = {trace.yaxis for trace in pictures.sensitivity(study).data}
    assert len(axes) == 6


# Running -----------------------------------------------------------------------------------------


def test_only_what_is_missing_runs_and_a_failed_run_has_no_line(store, monkeypatch, capsys):
    asked = []

    def run_alone(job, data, path):
        asked.append(job["trial"])
        if len(asked) == 2:
            raise RuntimeError("failed")
        return {**trial_row(job), "seconds": 1.0}

    monkeypatch.setattr(dsl_study, "run_alone", run_alone)
    monkeypatch.setattr(dsl_study, "prepare", lambda name, data: None)
    monkeypatch.setattr(plan, "steps", lambda parts: [plan.Step("a", SL_CELL, "first")])
    dsl_study.run_missing("data", ["a"], 1, None, store)
    kept = [json.loads(line)["trial"] for line in store.read_text().splitlines()]
    assert asked == list(range(6)) and kept == [0, *range(2, 6)]
    dsl_study.run_missing("data", ["a"], 2, 0, store)
    assert len(asked) == 6  # no minute is left
    dsl_study.run_missing("data", ["a"], 2, 5, store)
    assert asked[6:] == [1]
    said = capsys.readouterr()
    assert "failed" in said.err and f"trial, {SHIFTED}, MF, SL, trial 3, iid 0.1000" in said.out


def test_a_training_goes_on_while_either_validation_gains(monkeypatch):
    """RecBole's early stopping on what it gets to see: the last gain is the shifted one's."""
    scores = {IID: [1, 2, *[1] * 20], POPULARITY: [1, 1, 1, 3, *[2] * 20]}
    trainer = object.__new__(training.TwoValidations)
    trainer.recorder = SimpleNamespace(epochs_done=[])
    trainer.eval_collector = trainer.evaluator = None
    trainer.curves = {IID: [], POPULARITY: []}

    def iid_epoch(self, loader, show_progress):
        now = {"ndcg@20": scores[IID][len(self.recorder.epochs_done)]}
        self.recorder.epochs_done.append({"valid": now})
        return now["ndcg@20"], {}

    monkeypatch.setattr(training.PairTrainer, "_valid_epoch", iid_epoch)
    trainer.measure = lambda *_, **__: (
        {"ndcg@20": scores[POPULARITY][len(trainer.curves[POPULARITY])]},
        None,
    )
    best, waited, stop, epochs = -math.inf, 0, False, 0
    while not stop:
        score, _ = trainer._valid_epoch(None)
        best, waited, stop, _ = early_stopping(score, best, waited, plan.PATIENCE)
        epochs += 1
    assert epochs == 4 + plan.PATIENCE + 1
    assert [epoch["ndcg@20"] for epoch in trainer.curves[POPULARITY]] == scores[POPULARITY][:10]


@pytest.fixture
def shop(own_folder, monkeypatch):
    """A data set of the study: 60 users by 40 items, popularity falling off, two test rows each."""
    rng = np.random.default_rng(0)
    train, test = [], []
    for user in range(60):
        items = rng.permutation(np.unique(rng.geometric(0.06, 40) % 40))
        train += [(user, item) for item in items[2:]]
        test += [(user, item) for item in items[:2]]
    home = own_folder / "dataset" / "shop"
    home.mkdir(parents=True)
    for part, rows in (("train", train), ("test", test)):
        write(home / f"shop.{part}.inter", rows)
    ready = DataSet((POPULARITY,), {"sample_num": "all"})
    monkeypatch.setitem(DATA, "shop", ready)
    split = DataSet((IID, POPULARITY), {"sample_num": "all"}, "shop", study_data._PS)
    monkeypatch.setitem(DATA, "shop-ps", split)
    return home


def write(path, rows):
    lines = [f"u{user}\ti{item}\n" for user, item in rows]
    path.write_text("user_id:token\titem_id:token\n" + "".join(lines))


def lines_of(name, *parts):
    texts = [Path(f"dataset/{name}/{name}.{part}.inter").read_text() for part in parts]
    return [line for text in texts for line in text.splitlines()[1:]]


def test_the_rows_of_the_trials_are_training_rows(shop):
    study_data.prepare("shop", "dataset")
    parts, train = study_data.SELECTION_PARTS, lines_of("shop", "train")
    assert sorted(lines_of("shop-selection", *parts)) == sorted(train)
    shares = [len(lines_of("shop-selection", part)) / len(train) for part in parts]
    assert [round(share, 1) for share in shares] == [0.8, 0.1, 0.1]
    assert not set(train) & set(lines_of("shop", "test"))


def test_a_shifted_split_is_made_of_all_rows_and_its_trials_of_the_training_rows(shop):
    study_data.prepare("shop-ps", "dataset")
    parts = DATA["shop-ps"].parts
    assert sorted(lines_of("shop-ps", *parts)) == sorted(lines_of("shop", "train", "test"))
    assert parts[1] == "valid" and not lines_of("shop-ps", "valid")
    trials = lines_of("shop-ps-selection", *study_data.SELECTION_PARTS)
    assert sorted(trials) == sorted(lines_of("shop-ps", "train"))


def one_trial(name="shop", epochs=6, loss=DSL, number=9):
    """The line of a trial, without its seconds."""
    job = {**every_trial(Cell(SHIFTED, MF, loss))[number], "dataset": name}
    study_data.prepare(name, "dataset")
    found = training.trial({**job, "epochs": epochs}, "dataset")
    return {key: value for key, value in found.items() if key != "epoch_seconds"}


@pytest.mark.slow
def test_no_trial_reads_a_test_row(shop):
    """Sentinel: with test rows of other users and items, or no test file, all is equal."""
    found = one_trial()
    assert "tests" not in found and "test" not in found
    write(shop / "shop.test.inter", [(user + 50, user + 9) for user in range(30)])
    assert one_trial() == found
    (shop / "shop.test.inter").unlink()
    assert one_trial() == found
    other = (shop / "shop.train.inter").read_text().splitlines(keepends=True)
    (shop / "shop.train.inter").write_text("".join(other[:-30]))
    assert one_trial() != found  # it does read train


@pytest.mark.slow
@pytest.mark.parametrize("loss", [DSL, tried.BSL, tried.FACTOR, tried.HARDNESS, tried.CENTRE])
def test_the_shared_first_round_is_sls(loss, shop):
    assert one_trial(loss=loss, number=2, epochs=3) == one_trial(loss=SL, number=2, epochs=3)


@pytest.mark.slow
def test_a_trial_has_both_validations_of_every_epoch_and_the_best_of_each(shop, monkeypatch):
    found = one_trial(epochs=40)
    lengths = {len(curve) for curve in found["curves"].values()}
    [epochs] = lengths
    assert found["curves"][IID] != found["curves"][POPULARITY]
    latest = 0
    for kind, curve in found["curves"].items():
        best = found["valid"][kind]
        assert round(best["ndcg@20"], 5) == max(curve) == curve[best["best_epoch"]]
        latest = max(latest, best["best_epoch"])
    assert epochs in (40, latest + plan.PATIENCE + 2)  # RecBole stops after more than patience


@pytest.mark.slow
def test_the_iid_validation_of_a_trial_is_that_of_a_run(shop):
    import recbole_dsl

    found = one_trial(epochs=4, loss=SL, number=4)
    job = plan.first_jobs(Runs(), SL_CELL)[4]
    values = {
        **training._values({**job, "dataset": "shop", "epochs": 4}, "dataset"),
        "benchmark_filename": study_data.SELECTION_PARTS, "mask_at_test": "train",
    }  # fmt: skip
    run = recbole_dsl.run("MF_SL", "shop-selection", config_dict=values)
    best = found["valid"][IID]
    assert run["best_epoch"] == best["best_epoch"]
    assert run["valid"] == {name: best[name] for name in run["valid"]}
    if best["best_epoch"] == found["valid"][POPULARITY]["best_epoch"]:
        assert run["test"]["ndcg@20"] == found["valid"][POPULARITY]["ndcg@20"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shop", "shop-ps"])
def test_a_final_run_trains_on_all_training_rows_and_keeps_what_each_user_got(name, shop):
    study_data.prepare(name, "dataset")
    job = plan.first_jobs(Runs(), SL_CELL)[4]
    job = {**job, "stage": "final", "dataset": name, "epochs": 3, "seed": 2021}
    found = training.final(job, "dataset", "users.npz")
    assert tuple(found["tests"]) == tuple(found["users"]) == DATA[name].tests
    result = json.loads(Path("result.json").read_text())
    assert result["splits"]["train"]["rows"] == len(lines_of(name, "train"))
    assert result["splits"]["valid"]["rows"] == 0 and len(result["epochs"]) == 3
    with np.load("users.npz") as values:
        for test, metrics in found["tests"].items():
            assert values[test].mean() == pytest.approx(metrics["ndcg@20"], rel=1e-5)
            assert sum(found["groups"][test].values()) == pytest.approx(metrics["ndcg@20"])


@pytest.mark.slow
def test_the_command_runs_a_process_and_keeps_its_answer(tmp_path, monkeypatch):
    """In a process of its own, with the study's real data sets: ml-100k comes with RecBole."""
    study_data.prepare(TWO, tmp_path)
    job = plan.first_jobs(Runs(), Cell(TWO, MF, SL))[0]
    row = dsl_study.run_alone({**job, "epochs": 1}, tmp_path, tmp_path / "dsl_study.jsonl")
    assert row["valid"][IID]["ndcg@20"] > row["valid"][POPULARITY]["ndcg@20"] > 0
    final = {**job, "stage": "final", "seed": 2021, "epochs": 1}
    row = dsl_study.run_alone(final, tmp_path, tmp_path / "dsl_study.jsonl")
    with np.load(comparison.users_file(row, tmp_path / "dsl_study.jsonl")) as values:
        assert sorted(values) == [IID, POPULARITY]
    with pytest.raises(RuntimeError, match="unknown dataset 'ml-100k-ps-selection'"):
        dsl_study.run_alone({**job, "dataset": TWO}, tmp_path / "nowhere", tmp_path / "x.jsonl")
