"""ir_benchmark.py: equal numbers of trials, and a second round that lies next to the best ones."""

import ir_benchmark as study
import pytest

CELL = ("amazon2014-health", "MF")


def _rows(loss, dataset, best):
    """The finished first round of a loss, whose best trial is given."""
    for job in study.selection_jobs(dataset, "MF", [loss], {}):
        yield {**job, "valid": {"ndcg@20": 0.2 if job["settings"] == best else 0.1}}


@pytest.mark.parametrize("dataset", ["amazon2014-health", "amazon2014-electronic-popularity"])
@pytest.mark.parametrize("loss", study.LOSSES)
def test_each_loss_gets_eight_trials_and_four_next_to_any_best_one(loss, dataset):
    first = study.trials(dataset, loss)
    assert len(first) == 8
    for best in first:
        rows = list(_rows(loss, dataset, best))
        jobs = list(study.further_jobs(rows, dataset, "MF", [loss], {}))
        settings = [job["settings"] for job in jobs]
        assert len(settings) == 4 and not any(found in first for found in settings)
        assert all(found.keys() == best.keys() for found in settings)
        assert not list(study.further_jobs(rows[1:], dataset, "MF", [loss], {}))  # one is missing
        assert not list(study.further_jobs(rows, dataset, "MF", [loss], {"epochs": 1}))


def test_the_second_round_goes_on_where_the_best_lies_at_the_edge():
    best = {"learning_rate": 0.01, "tau": 0.3}
    jobs = study.further_jobs(list(_rows("SL", CELL[0], best)), *CELL, ["SL"], {})
    assert [job["settings"] for job in jobs] == [
        {"learning_rate": 0.01, "tau": 0.35},
        {"learning_rate": 0.03, "tau": 0.3},
        {"learning_rate": 0.03, "tau": 0.35},
        {"learning_rate": 0.03, "tau": 0.25},
    ]


def test_the_table_shows_the_final_runs_of_the_choice_alone():
    best = {"learning_rate": 0.01, "tau": 0.2}
    rows = list(_rows("SL", CELL[0], best))
    rows += [
        {**row, "stage": "final", "seed": seed, "test": {"recall@20": 0.3, "ndcg@20": value}}
        for row, value in ((rows[0], 0.9), (next(r for r in rows if r["settings"] == best), 0.3))
        for seed in study.SEEDS
    ]
    rows = [{**row, "best_epoch": 4} for row in rows]
    lines = study.table(rows, *CELL)
    assert len(lines) == 8 and "0.3000 ± 0.0000" in lines[-2] and "0.9000" not in lines[-2]
