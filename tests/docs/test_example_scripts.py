"""Every script of examples/ runs in an empty folder and says what it should."""

import csv
import os
import re
import subprocess
import sys

import pytest
from quick import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
pytestmark = pytest.mark.slow


def _printed(name, folder, *words):
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py"), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _numbers(text, name):
    """Line's first word -> the number after ``name``."""
    return {
        line.split()[0]: float(re.search(rf"{re.escape(name)} ([\d.]+)", line)[1])
        for line in text.splitlines()
        if name in line
    }


def test_own_data_to_recommendations(own_folder):
    text = _printed("own_data", own_folder)
    with (own_folder / "recommendations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert f"{len(rows):,} rows for 943 users" in text and len(rows) == 943 * 20
    seen = set()
    for line in (own_folder / "ratings.csv").read_text().splitlines()[1:]:
        seen.add(tuple(line.split(",")[:2]))
    assert not seen & {(row["user"], row["item"]) for row in rows}
    assert [row["rank"] for row in rows[:20]] == [str(rank) for rank in range(1, 21)]


def test_own_data_reads_the_file_that_it_is_given(own_folder):
    rows = [f"u{u};i{(u * 7 + k) % 30}" for u in range(40) for k in range(8)]
    (own_folder / "mine.csv").write_text("customer;product\n" + "\n".join(rows) + "\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/own_data.py"), "mine.csv"],
        cwd=own_folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0 and "UsageError" in done.stderr  # a semicolon in a .csv
    (own_folder / "mine.csv").write_text((own_folder / "mine.csv").read_text().replace(";", ","))
    assert "for 40 users" in _printed("own_data", own_folder, "mine.csv")
    assert not (own_folder / "ratings.csv").exists()


def test_losses_in_a_two_tower_learn(own_folder):
    found = _numbers(_printed("two_tower", own_folder), "Recall@20")
    assert set(found) == {"by", "SoftmaxLoss", "DSLLoss"}
    assert min(found["SoftmaxLoss"], found["DSLLoss"]) > 5 * found["by"]
    assert not list(own_folder.iterdir())  # no log, no checkpoint


@pytest.mark.parametrize(
    ("example", "models", "least"),
    [("own_loss", {"MF_Hinge", "MF_SL"}, 0.2), ("own_backbone", {"Tower_SL", "Tower_DSL"}, 0.1)],
)
def test_classes_of_ones_own_learn(example, models, least, own_folder):
    found = _numbers(_printed(example, own_folder), "NDCG@10")
    assert set(found) == models and min(found.values()) > least


def test_groups_of_both_tests_add_up(own_folder):
    lines = _printed("shifted_test", own_folder).splitlines()
    assert [line.split()[:2] for line in lines] == [
        [model, test] for model in ("MF_SL", "MF_BPR") for test in ("iid", "popularity")
    ]
    for line in lines:
        overall, *parts = map(float, re.findall(r"\d\.\d{4}", line))
        assert len(parts) == 3 and overall == pytest.approx(sum(parts), abs=2e-4)
    iid, shifted = (float(re.search(r"\d\.\d{4}", line)[0]) for line in lines[:2])
    assert iid > shifted


def test_benchmark_with_tuning_writes_its_report(own_folder):
    text = _printed("benchmark", own_folder)
    folder = own_folder / "saved/example"
    for name in ("report.html", "table.md", "table.tex"):
        assert (folder / name).exists()
    table = (folder / "table.md").read_text()
    assert "MF_SL" in table and "MF_BPR" in table and "MF_SL" in text


def test_every_example_is_tested_here():
    assert EXAMPLES == [
        "benchmark", "own_backbone", "own_data", "own_loss", "shifted_test", "two_tower",
    ]  # fmt: skip
