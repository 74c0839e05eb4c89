"""zoo.py: its tables are those of the runs it keeps, and the pages show them."""

import json

import pytest
import zoo
from measuring import RESULTS


def _row(model, seed, quality, status="ok"):
    groups = {"head": quality / 2, "mid": quality / 4, "tail": quality / 4}
    shown = {"ndcg@10": groups, "recall@10": {**groups, "tail": quality / 8}}
    tests = {test: {"ndcg@10": quality, "recall@10": 2 * quality} for test in zoo.TESTS}
    return {
        "key": f"{model}-{seed}", "label": model, "seed": seed, "status": status, "tests": tests,
        "seconds": 12.34 * seed,
        "valid": {"mrr@10": 3 * quality},
        "groups": {"item_popularity": {"metrics": dict.fromkeys(zoo.TESTS, shown)}},
    }  # fmt: skip


@pytest.fixture
def runs(tmp_path):
    rows = [_row(model, seed, 0.1 * seed) for model in zoo.SHOWN for seed in (1, 2, 3)]
    rows.append(_row("BPR", 4, 0.9, status="failed"))
    (tmp_path / "plan.json").write_text(json.dumps({"runs": [{"key": row["key"]} for row in rows]}))
    rows.append(_row("BPR", 5, 0.9))  # of another plan
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return zoo.by_model(tmp_path)


def test_the_short_table_has_means_over_the_finished_runs(runs):
    head, _, *lines = zoo.short_table(runs)
    assert len(lines) == len(zoo.SHOWN) and head.count("|") == lines[0].count("|")
    both = "0.2000 ± 0.1000 | 0.4000 ± 0.2000"
    assert lines[-1] == f"| `BPR` (RecBole) | 0.6000 ± 0.3000 | {both} | {both} | 0.0250 | 25 |"
    assert lines[0].startswith("| `LightGCN_DSL` |")


def test_the_groups_of_a_test_add_up(runs):
    _, _, *lines = zoo.groups_table(runs)
    assert lines[0] == "| `LightGCN_DSL` | 0.1000 | 0.0500 | 0.0500 | 0.1000 | 0.0500 | 0.0500 |"


def test_the_store_has_every_model_with_three_seeds_and_the_pages_show_it():
    runs = zoo.by_model(zoo.STORE)
    assert tuple(runs) == zoo.MODELS
    assert {tuple(sorted(row["seed"] for row in rows)) for rows in runs.values()} == {
        (2020, 2021, 2022)
    }
    shown = (RESULTS / "index.md").read_text(encoding="utf-8")
    assert "\n".join(zoo.short_table(runs)) in shown
    guide = RESULTS.parent / "guide" / "popularity_shift.md"
    assert "\n".join(zoo.groups_table(runs)) in guide.read_text(encoding="utf-8")
    page = (RESULTS / "zoo.md").read_text(encoding="utf-8")
    for rows in runs.values():
        for test in zoo.TESTS:
            assert zoo._mean(row["tests"][test]["ndcg@10"] for row in rows) in page
