"""Which runs of dsl_study.py come next, and what trials choose, which no test row changes."""

from pathlib import Path

import dsl_study_comparison as comparison
import dsl_study_jobs as jobs
import dsl_study_plan as plan
import dsl_study_settings as tried
import dsl_study_training as training
import pytest
from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_jobs import Runs
from dsl_study_plan import Cell
from dsl_study_settings import DSL, KAPPA, LOSSES, MF, SL, TEMPERATURE
from study_stores import (
    DATA_KINDS,
    SHIFTED,
    SL_CELL,
    TWO,
    fill,
    fill_in_steps,
    final_row,
    trial_row,
)


def test_the_most_important_runs_come_first_and_wait_for_what_they_depend_on():
    runs, taken = Runs(), set()

    def take(stage, loss, number, selection=POPULARITY):
        job = jobs.next_job(runs, plan.PARTS, taken)
        found = (job["stage"], job["dataset"], job["loss"], job["trial"], job["selection"])
        assert found == (stage, SHIFTED, loss, number, selection)
        taken.add(jobs.key_of(job))
        return job

    first = [take("trial", SL, number, None) for number in range(6)]
    for job in first[:5]:
        runs.add(trial_row(job))
    # The last one is under way, and what else is there of SL and DSL depends on it.
    waiting = jobs.next_job(runs, plan.PARTS, taken)
    assert (waiting["dataset"], waiting["loss"], waiting["trial"]) == (
        "amazon2014-cd-popularity", SL, 0,
    )  # fmt: skip
    runs.add(trial_row(first[5]))
    for number in range(6, 12):
        runs.add(trial_row(take("trial", SL, number)))
    job = take("final", SL, 7)
    assert job["seed"] == 2021 and job["epochs"] == 18
    assert job["settings"] == jobs.chosen(runs, SL_CELL, POPULARITY)["settings"]
    for _ in range(4):
        take("final", SL, 7)
    take("trial", DSL, 6)
    assert jobs.next_job(runs, plan.PARTS, taken, (TWO,))["dataset"] == TWO
    assert jobs.next_job(runs, plan.PARTS, taken, losses=[tried.TALOS])["loss"] == tried.TALOS


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
    one_by_one = [s for s in steps if s.part == "g"]
    for loss, half in ((DSL, one_by_one[:9]), (tried.COUNTS, one_by_one[9:])):
        assert {step.cell.loss for step in half} == {loss}
        assert sorted((s.cell.dataset, s.selection, s.stage) for s in half) == sorted(
            (name, kind, "option") for name, found in DATA.items() for kind in found.tests
        )
    in_steps = [s for s in steps if s.part == "h"]
    for stage, wanted in (("option", (SL, DSL, tried.BSL)), ("final", tried.IN_STEPS.values())):
        found = {(s.cell.dataset, s.selection, s.cell.loss) for s in in_steps if s.stage == stage}
        assert found == {
            (name, kind, loss) for name in DATA for kind in DATA[name].tests for loss in wanted
        }


def test_each_selection_has_its_own_trial_and_epoch_and_equal_choices_share_their_runs(store):
    runs = fill(Runs(), store, [Cell(TWO, MF, SL)])
    found = {kind: jobs.final_jobs(runs, Cell(TWO, MF, SL), kind) for kind in (IID, POPULARITY)}
    assert [(job["trial"], job["epochs"]) for job in found[IID]] == [(3, 14)] * 5
    assert [(job["trial"], job["epochs"]) for job in found[POPULARITY]] == [(7, 18)] * 5
    assert [job["seed"] for job in found[IID]] == list(plan.SEEDS)
    same = Runs()
    for job in jobs.first_jobs(same, SL_CELL):
        both = {kind: {"best_epoch": 4, "ndcg@20": -job["trial"]} for kind in (IID, POPULARITY)}
        same.add(trial_row(job, both))
    for kind in (IID, POPULARITY):
        assert jobs.final_jobs(same, SL_CELL, kind) == []  # the second round has not run
        for job in jobs.second_jobs(same, SL_CELL, kind):
            same.add(trial_row(job, {k: {"best_epoch": 4, "ndcg@20": -9} for k in DATA_KINDS}))
    first, second = (jobs.final_jobs(same, SL_CELL, kind) for kind in (IID, POPULARITY))
    assert first == second and first[0]["trial"] == 0


def test_a_selection_does_not_see_the_other_ones_second_round():
    runs = Runs()
    for job in jobs.first_jobs(runs, SL_CELL):
        runs.add(trial_row(job))
    for job in jobs.second_jobs(runs, SL_CELL, POPULARITY):
        runs.add(trial_row(job, {kind: {"best_epoch": 4, "ndcg@20": 0.9} for kind in DATA_KINDS}))
    assert jobs.chosen(runs, SL_CELL, IID) is None
    for job in jobs.second_jobs(runs, SL_CELL, IID):
        runs.add(trial_row(job))
    assert jobs.chosen(runs, SL_CELL, IID)["trial"] == 3
    assert jobs.chosen(runs, SL_CELL, POPULARITY)["valid"][POPULARITY]["ndcg@20"] == 0.9


def test_options_one_by_one_wait_for_sls_choice_and_change_nothing_else(runs):
    cell = Cell(TWO, MF, DSL)
    assert jobs.option_jobs(Runs(), cell, IID) == []
    for kind in DATA_KINDS:
        best = jobs.chosen(runs, cell._replace(loss=SL), kind)
        found = jobs.option_jobs(runs, cell, kind)
        assert len(found) == len(tried.ONE_BY_ONE[kind]) == len({jobs.key_of(job) for job in found})
        for job, options in zip(found, tried.ONE_BY_ONE[kind], strict=True):
            assert job["settings"] == {**best["settings"], **tried.OFF, **options}
            assert (job["stage"], job["seed"]) == ("option", tried.TRIAL_SEED)
            settings = training.trial_settings(job, "data")  # no early stopping
            assert settings["epochs"] == settings["stopping_step"] == tried.OPTION_EPOCHS
        (first, *_) = jobs.second_jobs(runs, cell, kind)
        assert training.trial_settings(first, "data")["stopping_step"] == plan.PATIENCE
        before = jobs.chosen(runs, cell, kind)
        for job in found:  # however good, no selection takes one
            good = {kind: {"best_epoch": 1, "ndcg@20": 0.9} for kind in DATA_KINDS}
            runs.add(trial_row(job, good))
        assert jobs.chosen(runs, cell, kind) == before
        for job in jobs.option_jobs(runs, cell._replace(loss=tried.COUNTS), kind):
            runs.add(trial_row(job))
    assert all(step.part != "g" or step.cell.dataset != TWO for step, _ in jobs.left(runs))


def test_options_by_counts_are_beside_dsls_and_in_no_losses_steps(runs):
    cell = Cell(TWO, MF, tried.COUNTS)
    for kind in DATA_KINDS:
        best = jobs.chosen(runs, cell._replace(loss=SL), kind)
        found = jobs.option_jobs(runs, cell, kind)
        assert [job["settings"] for job in found] == [
            {**best["settings"], **tried.OFF, **options} for options in tried.COUNT_OPTIONS
        ]
        step = plan.Step("g", cell, "option", kind)
        assert dict(jobs.left(Runs(), ("g",)))[step] == len(found) == 4
    assert all(step.cell.loss != tried.COUNTS for step in plan.steps(("h",)))


def test_in_steps_each_loss_has_as_many_runs_of_its_own(runs):
    for kind, count in ((IID, 6), (POPULARITY, 12)):
        best = jobs.chosen(runs, Cell(TWO, MF, SL), kind)["settings"]
        of_kind = {loss: tried.options_at(loss, best, kind) for loss in (SL, tried.BSL, DSL)}
        for loss, found in of_kind.items():
            assert len({str(settings) for settings in found}) == len(found) == count + 1
            assert found[:7] == tried.options_at(loss, best, IID)  # what is there already, first
            step = plan.Step("h", Cell(TWO, MF, loss), "option", kind)
            assert dict(jobs.left(Runs(), ("h",)))[step] == count + (loss == DSL)


def test_in_steps_each_loss_has_sls_choice_and_six_runs_of_its_own(runs, store):
    best = jobs.chosen(runs, Cell(TWO, MF, SL), IID)["settings"]
    rate, tau = best["learning_rate"], best["tau"]
    assert tried.options_at(SL, best, IID)[0] == best
    assert tried.options_at(DSL, best, IID)[0] == {**best, **tried.OFF}
    assert tried.options_at(tried.BSL, best, IID)[0] == {
        "learning_rate": rate, "tau_neg": tau, "tau_pos": tau,
    }  # fmt: skip
    for loss in (SL, tried.BSL, DSL):
        cell = Cell(TWO, MF, loss)
        found = jobs.option_jobs(runs, cell, IID)
        assert [job["trial"] for job in found] == list(range(0 if loss == DSL else 1, 7))
        assert len({jobs.key_of(job) for job in found}) == len(found)
        assert {job["epochs"] for job in found} == {tried.OPTION_EPOCHS}
        assert jobs.chosen(runs, cell._replace(loss=tried.IN_STEPS[loss]), IID) is None
        assert cell._replace(loss=tried.IN_STEPS[loss]).model == f"MF_{loss}"
    closer = tried.options_at(SL, best, IID)[1:]
    for name, factor in (("learning_rate", 1.5), ("tau", 1.15)):
        ratios = [found[name] / best[name] for found in closer]
        assert 1 / factor <= min(ratios) * 1.001 < 1 < max(ratios) <= 1.001 * factor
    before = jobs.chosen(runs, Cell(TWO, MF, DSL), IID)
    of_ratio = pytest.approx(1.25 * tau, rel=1e-3)
    fill_in_steps(runs, store, IID, {DSL: 6, SL: 0, tried.BSL: 4})
    for loss, number, settings in (
        (DSL, 6, {**best, **tried.OFF, "gamma": 0.5, "positive_factor": 1.25}),
        (SL, 0, best),
        (tried.BSL, 4, {"learning_rate": rate, "tau_neg": tau, "tau_pos": of_ratio}),
    ):
        found = jobs.final_jobs(runs, Cell(TWO, MF, tried.IN_STEPS[loss]), IID)
        assert [job["seed"] for job in found] == list(plan.SEEDS)
        assert found[0]["settings"] == settings
        assert (found[0]["trial"], found[0]["epochs"], found[0]["selection"]) == (number, 8, IID)
    assert jobs.chosen(runs, Cell(TWO, MF, DSL), IID) == before
    assert jobs.chosen(runs, Cell(TWO, MF, tried.IN_STEPS[SL]), POPULARITY) is None


def test_the_users_of_two_selections_of_one_trial_and_epoch_have_files_of_their_own(store):
    row = {**jobs.first_jobs(Runs(), SL_CELL)[0], "stage": "final"}
    files = {
        comparison.users_file({**row, "selection": selection}, store)
        for selection in (None, *DATA_KINDS)
    }
    assert len(files) == 3


def test_in_steps_a_loss_that_gains_nothing_keeps_sls_choice(runs, store):
    fill_in_steps(runs, store, IID, dict.fromkeys((DSL, SL, tried.BSL)))  # none is better: a tie
    for loss in (DSL, SL, tried.BSL):
        assert jobs.chosen(runs, Cell(TWO, MF, tried.IN_STEPS[loss]), IID)["trial"] == 0


def test_a_trial_that_failed_counts_and_is_not_chosen():
    runs = Runs()
    for job in jobs.first_jobs(runs, SL_CELL):
        runs.add(trial_row(job))
    for job in jobs.second_jobs(runs, SL_CELL, POPULARITY):
        row = trial_row(job)
        if job["trial"] == 7:
            del row["valid"]
            row["failed"] = "the loss is nan"
        runs.add(row)
    assert jobs.chosen(runs, SL_CELL, POPULARITY)["trial"] in (6, 8)


def test_a_loss_that_is_sl_without_its_options_may_end_as_sl():
    runs = fill(Runs(), Path("/nowhere"), [SL_CELL], final=False)
    cell = Cell(SHIFTED, MF, DSL)
    assert jobs.first_jobs(runs, SL_CELL)[3]["settings"].items() <= jobs.trials(
        runs, cell)[3]["settings"].items()  # fmt: skip
    for job in jobs.second_jobs(runs, cell, POPULARITY):
        runs.add(trial_row(job, {kind: {"best_epoch": 4, "ndcg@20": 0.0} for kind in DATA_KINDS}))
    best = jobs.chosen(runs, cell, POPULARITY)
    assert best["trial"] == 5 and best["settings"]["gamma"] == best["settings"]["beta"] == 0
    found = jobs.final_jobs(runs, cell, POPULARITY)
    assert {job["loss"] for job in found} == {DSL} and found[0]["settings"] == best["settings"]


def test_a_test_metric_changes_no_choice(runs, store):
    before = {cell: jobs.chosen(runs, cell, POPULARITY)["trial"] for cell in runs.cells}
    for row in runs.by_key.values():
        assert ("tests" in row) == (row["stage"] == "final")
        if row["stage"] == "final":
            row["tests"] = {test: {"ndcg@20": 0.9} for test in row["tests"]}
    more = final_row({**jobs.first_jobs(runs, SL_CELL)[0], "stage": "final", "seed": 9}, store)
    runs.add(more)
    assert {c: jobs.chosen(runs, c, POPULARITY)["trial"] for c in runs.cells} == before


def test_graph_backbones_wait_for_mf(runs):
    cell = Cell(SHIFTED, tried.LIGHTGCN, DSL)
    assert jobs.first_jobs(Runs(), cell) == []
    found = jobs.first_jobs(runs, cell)
    choice = jobs.chosen(runs, cell._replace(backbone=MF), POPULARITY)["settings"]
    assert len(found) == plan.TRIALS_AROUND and jobs.budget(cell) == 6
    assert found[0]["settings"] == tried.settings_around(choice, tried.points(1)[0])
