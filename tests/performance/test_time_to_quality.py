"""time_to_quality.py: its numbers, its page from a store, and a run that gives what they need."""

import json
import math
import os
import xml.etree.ElementTree

import numpy as np
import pytest
import quality_picture as picture
import quality_report as report
import quality_training
import time_to_quality
from quality_methods import (
    ALS,
    FROM_ALS,
    LONGER,
    METHODS,
    RECBOLE_LIGHTGCN,
    Method,
    needs_implicit,
)

COMMON = {"dataset": "d", "machine": "2 cores of X", "threads": 2, "epochs": 200, "budget": 600}
SL, DSL = "MF_SL/random/1", "MF_DSL/spectral/1024"


def row(method, stage, ndcg, each, *, seed=2021, trial=0, ended="no gain", start=0.0):
    """A row of the store: an epoch takes ``each`` seconds."""
    return {
        **COMMON, "method": method, "stage": stage, "seed": seed, "ended": ended, "ndcg": ndcg,
        "settings": METHODS[method].trials[trial], "start_seconds": start,
        "seconds": [start + each * (epoch + 1) for epoch in range(len(ndcg))],
        "best_epoch": max(range(len(ndcg)), key=ndcg.__getitem__),
        "test": 1.3 * max(ndcg) if stage == "final" else None,
        "versions": {"torch": "2.13"}, "date": "2026-11-28",
    }  # fmt: skip


@pytest.fixture
def rows():
    """SL ends at 0.04 after 40 s, DSL at 0.041; ALS is quick; LightGCN has not ended in time."""
    found = []
    for method, ndcg, each, ended in (
        (SL, [0.02, 0.0385, 0.0396, 0.04, 0.039], 10, "no gain"),
        (DSL, [0.03, 0.039, 0.041, 0.041 - 1e-4], 2, "no gain"),
        (RECBOLE_LIGHTGCN, [0.02, 0.03, 0.0385], 200, "budget"),
        (ALS, [0.03, 0.0389, 0.0388], 1, "no gain"),
    ):
        found.append(row(method, "search", ndcg, each, seed=2020, ended=ended))
        found.append(row(method, "final", ndcg, each, ended=ended))
    return found


def cells(lines, method):
    """The cells of a method's line in the table."""
    line = next(line for line in lines if line.startswith(f"| `{method}`"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(0.0, 1.5), (0.1, 1.5), (0.2, 2.5), (0.3, 4.5), (0.15, 2.5), (0.31, math.inf)],
)
def test_seconds_to_a_value_are_those_of_the_first_epoch_that_has_it(value, seconds):
    curve = {"seconds": [1.5, 2.5, 3.5, 4.5], "ndcg": [0.1, 0.2, 0.15, 0.3]}
    assert report.seconds_to(curve, value) == seconds


def test_settings_are_chosen_by_the_highest_validation_and_by_the_soonest_within_a_percent():
    found = [
        row(SL, "search", [0.1, 0.2, 0.4], 10, trial=0),
        row(SL, "search", [0.3, 0.397], 10, trial=1),
        row(SL, "search", [0.395, 0.395], 5, trial=2),  # sooner, but not within a percent
        row(SL, "final", [0.9], 1, trial=3),
        row(DSL, "search", [0.9], 1, trial=3),
    ]
    trials = METHODS[SL].trials
    assert report.choices(found, SL) == {report.BEST: trials[0], report.SOONEST: trials[1]}
    assert report.choices(found, ALS) == {}


def test_the_test_metric_chooses_nothing(rows):
    before = [(entry.method, entry.settings) for entry in report.entries(rows)]
    more = row(SL, "final", [0.01], 1, trial=4)
    assert [(entry.method, entry.settings) for entry in report.entries([*rows, more])] == before


def test_the_table_has_seconds_to_the_shares_of_what_sl_reaches(rows):
    lines = report.table(report.entries(rows))
    assert cells(lines, SL)[3:6] == ["20.0", "30.0", "40.0"]  # 0.038, 0.0396, 0.04
    assert cells(lines, DSL)[3:6] == ["4.00", "6.00", "6.00"]
    assert cells(lines, RECBOLE_LIGHTGCN)[3:6] == ["600", "> 600", "> 600"]
    assert cells(lines, ALS)[3:6] == ["2.00", "never", "never"]
    assert cells(lines, SL)[6:10] == ["0.0400", "0.0520", "40.0", "10.00"]
    assert cells(lines, RECBOLE_LIGHTGCN)[8] == "600 (cut)"


def test_what_building_the_model_takes_counts_and_is_not_of_an_epoch():
    found = [row(SL, stage, [0.2, 0.3], 10, start=5.0) for stage in ("search", "final")]
    assert cells(report.table(report.entries(found)), SL)[5:] == [
        "25.0", "0.3000", "0.3900", "25.0", "10.00", "5.00",
    ]  # fmt: skip


def test_several_seeds_are_compared_seed_by_seed_and_their_median_is_shown(rows):
    for seed, each in ((2022, 4), (2023, 6)):
        rows.append(row(SL, "final", [0.02, 0.05], 10, seed=seed))
        rows.append(row(DSL, "final", [0.03, 0.05], each, seed=seed))
    found = report.entries(rows)
    assert report.targets(found)[1] == {2021: 0.04, 2022: 0.05, 2023: 0.05}
    assert cells(report.table(found), DSL)[5] == "8.00"  # of 6, 8 and 12


def test_aims_are_met_or_not_with_their_numbers(rows):
    als, lightgcn = report.aims(report.entries(rows))
    assert "**met**" in als and "`MF_DSL/spectral/1024` is there after 4.00 s, 2.0 times" in als
    assert "**met**" in lightgcn and "150.0 times sooner" in lightgcn
    assert "when its seconds were spent" in lightgcn
    for one in rows:
        if one["method"] == ALS:
            one["ndcg"] = [0.03, 0.05, 0.03]
    als, _ = report.aims(report.entries(rows))
    assert "**not met**" in als and "no DSL gets there" in als and "0.0410" in als
    assert "not measured" in report.aims([])[0]


def test_the_figure_has_all_libraries_and_each_of_our_variants(rows):
    drawn = picture.figure(report.entries(rows), "title")
    assert [trace.name for trace in drawn.data] == [
        SL, DSL, RECBOLE_LIGHTGCN, ALS, "random start, block 1", "spectral start, block 1024",
    ]  # fmt: skip
    assert [trace.xaxis for trace in drawn.data[4:]] == ["x2", "x3"]
    assert list(drawn.data[1].x) == [2, 4, 6, 8]


def test_the_report_is_written_from_the_store_a_section_for_each_machine(
    rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(picture, "save_svg", lambda figure, path: path.write_text("<svg/>"))
    store = tmp_path / "time_to_quality.jsonl"
    other = [{**one, "machine": "8 cores of Y"} for one in rows]
    store.write_text("".join(json.dumps(one) + "\n" for one in [*rows, *other]))
    for _ in range(2):
        time_to_quality.write_report(tmp_path, store)
    page = (tmp_path / "time_to_quality.md").read_text()
    assert page.count("| method |") == 2 and page.count("8 cores of Y, 2 threads") == 1
    assert "`MF_SL/random/1`: 0.0400 (seed 2021)" in page and "torch 2.13" in page
    assert (tmp_path / "time_to_quality-2.svg").exists() and "time_to_quality-2.svg" in page


def test_only_what_the_store_lacks_is_run_and_a_failed_run_is_left_out(tmp_path, monkeypatch):
    asked = []

    def run_alone(job, data, threads):
        asked.append((job["settings"], threads))
        if job["settings"] == METHODS[SL].trials[1]:
            raise RuntimeError("failed")
        return {**job, "ndcg": [0.1]}

    monkeypatch.setattr(time_to_quality, "run_alone", run_alone)
    store = tmp_path / "store.jsonl"
    jobs = list(time_to_quality.search_jobs([SL], 3, COMMON))
    time_to_quality.run_missing(jobs[:1], "data", store)
    time_to_quality.run_missing(jobs, "data", store)
    first, second, third = METHODS[SL].trials[:3]
    assert asked == [(first, 2), (second, 2), (third, 2)]
    kept = [json.loads(line)["settings"] for line in store.read_text().splitlines()]
    assert kept == [first, third]
    longer = time_to_quality.search_jobs([SL], 1, {**COMMON, "budget": 60})
    time_to_quality.run_missing(longer, "data", store, workers=2)
    assert asked[3:] == [(first, 1)]  # its half of the threads


def test_final_runs_are_those_of_the_chosen_settings(rows):
    rows.append(row(SL, "search", [0.0399], 1, trial=2))
    jobs = list(time_to_quality.final_jobs(rows, [SL, DSL], [7, 8], COMMON))
    chosen = [METHODS[SL].trials[0], METHODS[SL].trials[2], METHODS[DSL].trials[0]]
    assert [(job["seed"], job["settings"]) for job in jobs] == [
        (seed, settings) for seed in (7, 8) for settings in chosen
    ]
    assert all(job["stage"] == "final" for job in jobs)
    assert not list(time_to_quality.final_jobs(rows, [SL], [7], {**COMMON, "machine": "Y"}))


def test_every_method_has_equally_many_trials():
    assert len(METHODS) == 3 * 2 * 3 + 6
    for method in METHODS.values():
        assert len({json.dumps(trial) for trial in method.trials}) == 6
    assert METHODS[DSL].fixed == {
        "initialization": "spectral", "train_neg_sample_args": {"block": 1024},
    }  # fmt: skip


def test_dsl_tries_the_rates_and_temperatures_of_sl_and_its_positive_factor():
    for dsl, sl in zip(METHODS[DSL].trials, METHODS[DSL.replace("DSL", "SL")].trials, strict=True):
        assert {**sl, "positive_factor": dsl["positive_factor"]} == dsl
    factors = [trial["positive_factor"] for trial in METHODS[DSL].trials]
    assert sorted(factors) == [1.0] * 2 + [1.25] * 4 and 1.0 in factors[:3]


class Counting:
    """Trains nothing; its item vectors are the number of the epoch."""

    def fit(self, watch, epochs):
        for epoch in range(epochs):
            self.user_factors, self.item_factors = np.ones((1, 1)), np.full((1, 1), epoch)
            watch(epoch, 0.1, None)


@pytest.mark.parametrize(
    ("budget", "ended", "epochs"), [(60, "no gain", 6), (60, "epochs", 4), (0, "budget", 1)]
)
def test_implicit_is_stopped_as_recbole_stops_and_its_best_epoch_kept(budget, ended, epochs):
    model = Counting()
    scores = [0.1, 0.3, 0.3, 0.2, 0.2, 0.2, 0.9]

    def evaluate(user, item):
        return scores[int(item[0, 0])]

    watch = quality_training._Watch(model, evaluate, budget, patience=2)
    try:
        model.fit(watch, 4 if ended == "epochs" else 7)
    except quality_training._EnoughError:
        assert ended != "epochs"
    assert (watch.ended, len(watch.ndcg)) == (ended, epochs)
    assert watch.seconds == sorted(watch.seconds)
    if budget:
        assert watch.best_epoch == 2 and watch.best[1][0, 0] == 2.0  # of equal ones the later


@pytest.mark.slow
@pytest.mark.parametrize("name", [SL, "RecBole/BPR", ALS, FROM_ALS])
def test_a_run_has_a_curve_and_is_tested_once_at_its_end(name, monkeypatch):
    if needs_implicit(name):
        pytest.importorskip("implicit")
    few = {"train_neg_sample_args": {"sample_num": 10, "block": 1024}}
    monkeypatch.setitem(METHODS, SL, Method("MF_SL", few, METHODS[SL].trials))
    job = {
        "dataset": "ml-100k", "method": name, "settings": METHODS[name].trials[0], "seed": 1,
        "epochs": 2, "budget": 600.0, "stage": "search",
    }  # fmt: skip
    searched = quality_training.train(job, "dataset")
    final = quality_training.train({**job, "stage": "final"}, "dataset")
    assert searched["test"] is None and 0 < final["test"] < 1
    epochs = 2 * LONGER if name == ALS else 2
    assert len(final["seconds"]) == len(final["ndcg"]) == epochs and final["ended"] == "epochs"
    assert 0 <= final["start_seconds"] < final["seconds"][0] < final["seconds"][1]
    assert final["ndcg"][final["best_epoch"]] == max(final["ndcg"])
    assert searched["ndcg"] == pytest.approx(final["ndcg"])  # of one seed
    cut = quality_training.train({**job, "budget": 0.0}, "dataset")
    assert cut["ended"] == "budget" and len(cut["ndcg"]) == 1


def test_without_chromium_a_picture_is_one_line(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "CHROMIUM", None)
    with pytest.raises(SystemExit, match=r"^error: .*picture.svg is not drawn: .*needs Chromium"):
        picture.save_svg(picture.figure(report.entries(rows), ""), tmp_path / "picture.svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(
    picture.CHROMIUM is None and "RECBOLE_DSL_NEEDS_BROWSER" not in os.environ, reason="no Chromium"
)
def test_the_picture_is_an_svg_with_a_line_for_each_curve(rows, tmp_path):
    drawn = picture.figure(report.entries(rows), "title")
    picture.save_svg(drawn, tmp_path / "picture.svg")
    picture.save_svg(drawn, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "picture.svg").read_bytes()
    root = xml.etree.ElementTree.parse(tmp_path / "picture.svg").getroot()
    lines = root.findall(".//{*}g[@class='lines']/{*}path")
    assert root.tag.endswith("svg") and len(lines) == len(drawn.data)
