"""Group metrics at the end of whole runs: result file, log, and validation left as it is."""

import json
import re
from pathlib import Path

import pytest
from quick import QUICK, QUICK_PAIR

from recbole_dsl.experiments.single_run import run

TWO_TESTS = {
    "epochs": 2,
    "eval_args": {"split": {"PS": [0.7, 0.1, 0.2]}},
    "test_sets": ["iid", "popularity"],
}
GROUPS = {"item_popularity": {"head": 1, "mid": 1, "tail": 1}, "user_field": "gender"}


def _settings(model):
    return {**(QUICK_PAIR if "_" in model else QUICK), **TWO_TESTS}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["MF_SL", "BPR"])
def test_a_run_ends_with_groups_for_each_test_set_and_validation_has_none(model, own_folder):
    settings = {**_settings(model), "state": "INFO"}
    result = run(model, "ml-100k", config_dict={**settings, "group_metrics": GROUPS})
    written = json.loads(Path(result["checkpoint"]).with_suffix(".json").read_text())
    assert written["groups"] == result["groups"] and list(result["groups"]) == list(GROUPS)
    items, users = result["groups"].values()
    assert set(items) == {"groups", "users", "metrics", "fairness"}
    assert set(items["groups"][0]) == {"name", "size", "share", "edges"}
    for test in ("iid", "popularity"):
        overall = result["tests"][test]
        parts = items["metrics"][test]["ndcg@10"]
        assert list(parts) == ["head", "mid", "tail"]
        assert sum(parts.values()) == pytest.approx(overall["ndcg@10"], abs=1e-12)
        assert list(items["fairness"][test]) == ["recall@10"]
        assert list(users["metrics"][test]) == list(users["fairness"][test]) == list(overall)
        assert list(users["metrics"][test]["mrr@10"]) == ["F", "M"]
    assert items["metrics"]["iid"] != items["metrics"]["popularity"]
    assert result["test"] == result["tests"]["iid"]

    plain = run(model, "ml-100k", config_dict={**settings, "group_metrics": None})
    assert "groups" not in plain
    for key in ("tests", "test", "valid", "best_epoch"):
        assert plain[key] == result[key]
    losses = [[epoch["train_loss"] for epoch in done["epochs"]] for done in (plain, result)]
    assert losses[0] == losses[1]
    assert [e["valid"] for e in plain["epochs"]] == [e["valid"] for e in result["epochs"]]

    logs = sorted((own_folder / "log").rglob("*.log"), key=lambda path: path.stat().st_mtime)
    text = logs[0].read_text()
    for title in ("item_popularity, test iid", "user_field gender, test popularity"):
        assert title in text and title not in logs[1].read_text()
    head = items["groups"][0]
    shown = f"{head['share']:.3f} +{head['edges'][0]} to {head['edges'][1]} "
    assert re.search(rf"head +{head['size']} +{shown}", text)
    tail = items["fairness"]["iid"]["recall@10"]
    shown = f"worst {tail['worst_group']} {tail['worst']:.4f}, spread {tail['spread']:.4f}"
    assert f"recall@10: {shown}" in text


@pytest.mark.slow
def test_group_metrics_listed_as_metrics_are_measured_in_validation_too():
    settings = {**_settings("MF_SL"), "metrics": ["Recall", "ItemPopularityGroups"]}
    settings.update(valid_metric="recall@10", test_sets=None)
    result = run("MF_SL", "ml-100k", config_dict=settings, saved=False)
    for epoch in result["epochs"]:
        assert 0 <= epoch["valid"]["recall_item_popularity_tail@10"] <= 1
    metrics = result["groups"]["item_popularity"]["metrics"]["test"]
    assert result["test"]["hit_item_popularity_mid@10"] == metrics["hit@10"]["mid"]


@pytest.mark.slow
def test_a_run_without_test_rows_has_groups_and_no_figures():
    split = {"test_sets": None, "eval_args": {"split": {"RS": [8, 2, 0]}}}
    settings = {**_settings("MF_SL"), **split}
    result = run("MF_SL", "ml-100k", config_dict=settings, saved=False)
    assert result["test"] is None
    assert result["groups"]["item_popularity"]["metrics"] == {}
    assert len(result["groups"]["item_popularity"]["groups"]) == 3
