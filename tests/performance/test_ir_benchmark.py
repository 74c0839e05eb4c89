"""ir_benchmark.py: equal numbers of trials, and a second round that lies next to the best ones."""

import ir_benchmark_jobs as jobs_of
import ir_benchmark_plan as plan
import pytest
from ir_benchmark import STORE
from ir_benchmark_picture import figure
from ir_benchmark_tables import checks_table, results, table
from stored_runs import read_store

CELL = ("amazon2014-health", "MF")


def _rows(loss, dataset, best):
    """The finished first round of a loss, whose best trial is given."""
    for job in jobs_of.selection_jobs(dataset, "MF", [loss], {}):
        yield {**job, "valid": {"ndcg@20": 0.2 if job["settings"] == best else 0.1}}


@pytest.mark.parametrize("dataset", ["amazon2014-health", "amazon2014-electronic-popularity"])
@pytest.mark.parametrize("loss", plan.LOSSES)
def test_each_loss_gets_eight_trials_and_four_next_to_any_best_one(loss, dataset):
    first = plan.trials(dataset, loss)
    assert len(first) == 8
    for best in first:
        rows = list(_rows(loss, dataset, best))
        jobs = list(jobs_of.further_jobs(rows, dataset, "MF", [loss], {}))
        settings = [job["settings"] for job in jobs]
        assert len(settings) == 4 and not any(found in first for found in settings)
        assert all(found.keys() == best.keys() for found in settings)
        assert not list(jobs_of.further_jobs(rows[1:], dataset, "MF", [loss], {}))  # one is missing
        assert not list(jobs_of.further_jobs(rows, dataset, "MF", [loss], {"epochs": 1}))


def test_the_second_round_goes_on_where_the_best_lies_at_the_edge():
    best = {"learning_rate": 0.01, "tau": 0.3}
    jobs = jobs_of.further_jobs(list(_rows("SL", CELL[0], best)), *CELL, ["SL"], {})
    assert [job["settings"] for job in jobs] == [
        {"learning_rate": 0.01, "tau": 0.35},
        {"learning_rate": 0.03, "tau": 0.3},
        {"learning_rate": 0.03, "tau": 0.35},
        {"learning_rate": 0.03, "tau": 0.25},
    ]


def _with_finals(dataset, best):
    """A finished first round of SL, final runs of the given best trial, and of another one."""
    rows = list(_rows("SL", dataset, best))
    rows += [
        {**row, "stage": "final", "seed": seed, "test": {"recall@20": 0.3, "ndcg@20": value}}
        for row, value in ((rows[0], 0.9), (next(r for r in rows if r["settings"] == best), 0.3))
        for seed in jobs_of.SEEDS
    ]
    return [{**row, "best_epoch": 4} for row in rows]


def test_the_table_shows_the_final_runs_of_the_choice_alone():
    rows = _with_finals(CELL[0], {"learning_rate": 0.01, "tau": 0.2})
    lines = table("", list(results(rows, *CELL)))
    assert len(lines) == 8 and "0.3000 ± 0.0000" in lines[-2] and "0.9000" not in lines[-2]
    (result,) = results(rows, *CELL)
    assert result.against_published() == pytest.approx(0.3 / 0.1261 - 1)


def test_a_check_runs_the_choice_with_another_cost_and_changes_no_result():
    dataset, best = "amazon2014-electronic-popularity", {"learning_rate": 0.1, "tau": 0.1}
    rows = _with_finals(dataset, best)
    cell, cost = (dataset, "MF", ["SL"]), {"train_neg_sample_args": "{block: 1}"}
    jobs = list(jobs_of.check_jobs(rows, *cell, cost))
    assert [job["seed"] for job in jobs] == list(jobs_of.SEEDS)
    final = next(jobs_of.final_jobs(rows, *cell))
    assert jobs[0] == {**final, "stage": "check", "cost": cost}
    assert not list(jobs_of.check_jobs(rows, *cell, {}))  # the final runs themselves

    before = list(results(rows, dataset, "MF"))
    tested = {"recall@20": 0.9, "ndcg@20": 0.9}
    rows += [{**job, "settings": final["settings"] | {"tau": 0.15}, "test": tested} for job in jobs]
    assert checks_table(rows, before) == []  # of another choice
    rows += [{**job, "test": {"recall@20": 0.4, "ndcg@20": 0.33}} for job in jobs[:-1]]
    assert checks_table(rows, before) == []  # a seed is missing
    rows.append({**jobs[-1], "test": {"recall@20": 0.4, "ndcg@20": 0.33}})
    head, _, line, _ = checks_table(rows, before)
    assert "with | Recall@20" in head and "train_neg_sample_args: {block: 1}" in line
    # averaged over all users, as the published figure is, and 10 % above the final runs' 0.3
    assert "0.3748 ± 0.0000 | 0.3092 ± 0.0000 | +10.0 %" in line
    assert list(results(rows, dataset, "MF")) == before


def test_the_picture_has_our_mean_and_the_published_value_of_each_table():
    rows = read_store(STORE)
    cells = [("amazon2014-health", backbone) for backbone in ("MF", "LightGCN")]
    tables = {f"{dataset}, {name}": list(results(rows, dataset, name)) for dataset, name in cells}
    drawn, height = figure(tables, {"amazon2014-health, LightGCN": {"SL": 0.12, "PSL": 0.13}})
    assert height == 1 and len(drawn.data) == 5
    assert [trace.showlegend for trace in drawn.data] == [True, True, False, False, True]
    assert drawn.data[4].y == ("SL", "PSL") and drawn.data[4].x == (0.12, 0.13)
    assert drawn.data[4].xaxis == drawn.data[3].xaxis != drawn.data[1].xaxis  # LightGCN's panel
    for title, (theirs, ours) in zip(tables, (drawn.data[:2], drawn.data[2:4]), strict=True):
        text = "\n".join(table(title, tables[title]))
        assert len(ours.x) == len(plan.LOSSES) and set(theirs.y) < set(ours.y)
        for loss, mean, spread in zip(ours.y, ours.x, ours.error_x.array, strict=True):
            row = next(line for line in text.split("\n") if line.startswith(f"| {loss} |"))
            assert f"| {mean:.4f} ± {spread:.4f} |" in row
            assert loss not in theirs.y or f"| {theirs.x[theirs.y.index(loss)]:.4f} |" in row


def test_trials_with_settings_that_are_not_tried_any_more_choose_nothing():
    rows = list(
        _rows("DSL", CELL[0], {"learning_rate": 0.01, "tau": 0.2, "beta": 0.0, "gamma": 0.5})
    )
    older = dict(rows[0], settings={**rows[0]["settings"], "beta": 1.0, "gamma": 1.0})
    older["valid"] = {"ndcg@20": 0.9}
    assert jobs_of.chosen([*rows, older], *CELL, "DSL")["valid"]["ndcg@20"] == 0.2


@pytest.mark.parametrize(
    ("dataset", "shift"), [(CELL[0], None), ("amazon2014-electronic-popularity", 1.0)]
)
def test_validation_is_drawn_as_the_test_is(dataset, shift):
    rows = list(_rows("SL", dataset, plan.trials(dataset, "SL")[3]))
    further = list(jobs_of.further_jobs(rows, dataset, "MF", ["SL"], {}))
    assert {job["schedule"].get("valid_shift") for job in [*rows, *further]} == {shift}
    final = jobs_of.final_jobs([dict(row, best_epoch=4) for row in rows], dataset, "MF", ["SL"])
    assert all(job["schedule"] == {"benchmark_valid": 0, "epochs": 5} for job in final)
