"""ir_benchmark_as_published.py: trained and tested on what IR-Benchmark's released code has."""

import ir_benchmark_as_published as as_published
import ir_benchmark_jobs as jobs_of
import pandas as pd
import pytest
from ir_benchmark_tables import results

IID, SHIFTED = "amazon2014-electronic", "amazon2014-electronic-popularity"
COST = {"train_neg_sample_args": "{block: 1024}"}


def _trials(dataset, values):
    """The first round of SL, whose trials validate at 0.1, or at values[(learning rate, tau)]."""
    for job in jobs_of.selection_jobs(dataset, "MF", ["SL"], COST):
        value = values.get(tuple(job["settings"].values()), 0.1)
        yield {**job, "valid": {"ndcg@20": value}, "best_epoch": 11}


def _jobs(rows, dataset):
    return list(as_published.jobs(rows, dataset, "MF", ["SL"]))


def test_an_iid_test_has_the_choice_and_its_epochs_and_is_read_once():
    jobs = _jobs(list(_trials(IID, {(0.003, 0.25): 0.2})), IID)
    assert [job["seed"] for job in jobs] == list(jobs_of.SEEDS)
    assert jobs[0]["settings"] == {"learning_rate": 0.003, "tau": 0.25} and jobs[0]["cost"] == COST
    schedule = jobs[0]["schedule"]
    assert (schedule["epochs"], schedule["eval_step"]) == (12, 12)
    assert schedule["dataset"] == "amazon2014-electronic-as-published"


def test_under_shift_the_test_chooses_the_epoch_of_a_trial_on_the_published_grid():
    rows = list(_trials(SHIFTED, {(0.1, 0.15): 0.3, (0.1, 0.2): 0.2}))
    rows.append({**rows[0], "settings": {"learning_rate": 0.3, "tau": 0.1}})
    rows[-1]["valid"] = {"ndcg@20": 0.4}
    job = _jobs(rows, SHIFTED)[0]
    # not tau 0.15, nor a rate of 0.3
    assert job["settings"] == {"learning_rate": 0.1, "tau": 0.2}
    assert (job["schedule"]["epochs"], job["schedule"]["eval_step"]) == (200, 5)
    assert job["schedule"]["stopping_step"] == 200  # never
    assert _jobs([], SHIFTED) == []


def _write(folder, name, part, rows):
    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(rows, columns=["user_id:token", "item_id:token"])
    frame.to_csv(folder / f"{name}.{part}.inter", sep="\t", index=False)


def _read(data, dataset, part):
    name = as_published.data_name(dataset)
    frame = pd.read_csv(data / name / f"{name}.{part}.inter", sep="\t")
    return list(frame.itertuples(index=False, name=None))


@pytest.mark.parametrize(("dataset", "left"), [(IID, {1: 1, 2: 9, 3: 23}), (SHIFTED, {3: 25})])
def test_the_data_set_has_the_test_rows_as_validation_part(tmp_path, dataset, left):
    train = [(user, item) for user, n in ((1, 2), (2, 10), (3, 25)) for item in range(n)]
    test = [(1, 90), (2, 91), (3, 92)]
    for part, rows in (("train", train), ("test", test)):
        _write(tmp_path / dataset, dataset, part, rows)
    as_published.write_data(tmp_path, dataset)
    kept = _read(tmp_path, dataset, "train")
    assert _read(tmp_path, dataset, "valid") == _read(tmp_path, dataset, "test") == test
    assert set(kept) <= set(train) and len(set(kept)) == len(kept)
    counts = pd.Series([user for user, _ in kept]).value_counts().to_dict()
    assert {user: counts[user] for user in left} == left
    assert (kept == train) == (dataset == SHIFTED)
    before = _read(tmp_path, dataset, "train")
    as_published.write_data(tmp_path, dataset)  # what is there stays
    assert _read(tmp_path, dataset, "train") == before


def _report(values):
    best = max(values)
    return {
        "best_epoch": 5 * values.index(best) + 4, "seconds": 1.0, "versions": {}, "machine": {},
        "valid": {"recall@20": 0.5, "ndcg@20": best}, "test": {"recall@20": 0.0, "ndcg@20": 0.0},
        "epochs": [
            {"valid": {"ndcg@20": values[at // 5]} if at % 5 == 4 else None}
            for at in range(5 * len(values))
        ],
    }  # fmt: skip


def test_a_line_has_the_best_epoch_and_the_table_compares_it_with_both_figures():
    rows = list(_trials(SHIFTED, {(0.1, 0.1): 0.3}))
    final = jobs_of.final_jobs(rows, SHIFTED, "MF", ["SL"])
    tested = {"recall@20": 0.2, "ndcg@20": 0.0142}
    rows += [{**job, "test": tested} for job in final]
    (result,) = results(rows, SHIFTED, "MF")

    runs = _jobs(rows, SHIFTED)
    found = [as_published.row_of(job, _report([0.01, 0.0142 * 1.1, 0.015])) for job in runs]
    assert found[0]["ndcg@20"] == [0.01, 0.01562, 0.015] and found[0]["best_epoch"] == 9
    assert found[0]["test"] == {"recall@20": 0.5, "ndcg@20": 0.0142 * 1.1}
    assert as_published.table(rows + found[:2], SHIFTED, "MF", [result]) == []  # a seed is missing
    lines = as_published.table(rows + found, SHIFTED, "MF", [result])
    # 10 % above the final runs; both averaged over all users, as the published 0.0142 is
    assert "| SL | learning_rate 0.1, tau 0.1 | 10, 10, 10 | 0.0146 ± 0.0000 | +10.0 %" in lines[2]
    assert lines[2].endswith("| 0.0142 | +3.1 % |")
    assert list(results(rows + found, SHIFTED, "MF")) == [result]  # they change no result
