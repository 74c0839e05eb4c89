"""Numbers, tables, pictures and page of dsl_study.py, of any store."""

import re

import dsl_study_comparison as comparison
import dsl_study_jobs as jobs
import dsl_study_pictures as pictures
import dsl_study_report as report
import dsl_study_settings as tried
import dsl_study_tables as tables
import dsl_study_validation as validation
import numpy as np
import pytest
from dsl_study_data import IID, POPULARITY
from dsl_study_jobs import Runs
from dsl_study_plan import Cell
from dsl_study_results import Study
from dsl_study_settings import DSL, MF, SL
from study_stores import QUALITY, SHIFTED, SL_CELL, TWO, fill, fill_in_steps, trial_row

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
    study = Study(runs, store)
    lines = report.verdict(study)
    assert "DSL is above SL on 2 of 2 sets, on 2 significantly" in lines[0]
    assert "mean gain +20.0 % (aim +9.3 %)" in lines[0]
    assert "i.i.d. tests, MF: DSL is above SL on 0 of 1" in lines[1]
    assert f"Not above SL, or not significantly: {TWO}, MF, i.i.d. (+0.0 %" in lines[2]
    fill(runs, store, [Cell(SHIFTED, MF, tried.BSL)])
    table = tables.main_table(Study(runs, store))
    row = next(line for line in table if line.startswith(f"| {SHIFTED} | MF | popularity"))
    assert "| BSL 0.0" in row and row.count(r"< 0.001 \*\*\*") == 3


def test_a_selection_that_does_not_know_of_the_shift_is_shown_for_mf_alone(runs, store):
    cells = [Cell(SHIFTED, backbone, SL) for backbone in (MF, tried.LIGHTGCN)]
    study = Study(fill(runs, store, cells), store)
    assert {key[1] for key in study.tests(lambda test: IID)} == {MF, tried.LIGHTGCN}
    found = list(report._OnlyShifted(study).tests(lambda test: IID))
    assert {key[1] for key in found} == {MF} and {key[3] for key in found} == {POPULARITY}


def test_forms_are_compared_on_validation(runs, store, monkeypatch):
    monkeypatch.setitem(QUALITY, tried.FACTOR, {IID: 0.11, POPULARITY: 0.054})
    fill(runs, store, [Cell(TWO, MF, tried.FACTOR)])
    for row in runs.by_key.values():
        row.pop("tests", None)
    table = validation.forms_table(Study(runs, store))
    others = "  |" * (len(tried.FORMS) - 1)
    assert [line for line in table if TWO in line] == [
        f"| {TWO} | i.i.d. | 0.1000 | +7.0 % |{others}",
        f"| {TWO} | popularity | 0.0600 | -10.0 % |{others}",
    ]


def test_a_rival_ahead_of_dsl_is_named(runs, store, monkeypatch):
    monkeypatch.setitem(QUALITY, tried.TALOS, {IID: 0.2, POPULARITY: 0.01})
    fill(runs, store, [Cell(TWO, MF, tried.TALOS)])
    [said] = report._behind_others(Study(runs, store))
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
        found = jobs.first_jobs(Runs(), SL_CELL)
        runs = Runs(map(trial_row, found[: {"nothing": 0, "a trial": 1, "trials": 6}[filled]]))
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
    study = Study(runs, store)
    drawn, height = pictures.front(study)
    assert height == 3 and [trace.name for trace in drawn.data if trace.showlegend] == [SL, DSL]
    tests = next(trace for trace in drawn.data if trace.name == DSL and "lines" in trace.mode)
    assert len(tests.x) == 2 and max(tests.y) > 0.05
    axes = {trace.yaxis for trace in pictures.sensitivity(study).data}
    assert len(axes) == 6


def test_what_losses_in_steps_choose_is_compared(runs, store, monkeypatch):
    for loss, quality in ((SL, 0.125), (tried.BSL, 0.15), (DSL, 0.2)):
        monkeypatch.setitem(QUALITY, tried.IN_STEPS[loss], {IID: quality, POPULARITY: quality})
    fill_in_steps(runs, store, IID, {DSL: 6, SL: 0, tried.BSL: 4})
    study = Study(runs, store)
    _, _, line = tables.steps_table(study)
    name, test, sl, bsl, dsl, *gains = (cell.strip() for cell in line.strip("|").split("|"))
    assert (name, test) == (TWO, "i.i.d.")
    assert sl.endswith("(SL's choice)") and bsl.endswith("(tau_pos / tau_neg 1.25)")
    assert dsl.endswith("(gamma 0.5, positive_factor 1.25)")
    assert [gain.split()[0] for gain in gains] == ["+60.0", "+20.0", "+33.3", "+100.0"]
    assert "DSL is above SL on 1 of 1 sets" in report.verdict(study, tables.STEPWISE)[1]


def test_the_table_of_options_is_over_sl_with_as_many_epochs(runs, store):
    assert len(validation.options_table(Study(runs, store), IID)) == 2  # the head alone
    for name, value in ((SHIFTED, 0.06), (TWO, 0.055)):
        for job in jobs.option_jobs(runs, Cell(name, MF, DSL), POPULARITY):
            number = job["trial"]
            if (name, number) != (TWO, 2):
                quality = 0.05 if number == 0 else value  # the first one is SL
                runs.add(trial_row(job, {POPULARITY: {"best_epoch": 1, "ndcg@20": quality}}))
    head, _, *lines = validation.options_table(Study(runs, store), POPULARITY)
    assert head == f"| options | {SHIFTED} | {TWO} | mean |"
    assert len(lines) == len(tried.ONE_BY_ONE[POPULARITY]) + len(tried.COUNT_OPTIONS)
    assert [line.split("|")[1].strip() for line in lines[-4:]] == [
        f"co-occurrence, beta {beta}, gamma 1" for beta in (10, -5, -10, -20)
    ]
    assert lines[0] == "| none: SL | 0.0500 | 0.0500 |  |"
    assert lines[1] == "| gamma 0.5 | +20.0 % | +10.0 % | +15.0 % |"
    assert lines[2] == "| gamma 1 | +20.0 % |  |  |"
    assert lines[3].startswith("| beta 1, gamma 1 |")
