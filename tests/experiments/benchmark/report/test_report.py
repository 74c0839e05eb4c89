"""What a benchmark writes: every figure against its own arithmetic, every format read back."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from browsing import opened

from recbole_dsl.cli import benchmark
from recbole_dsl.evaluation import per_user
from recbole_dsl.experiments.benchmark.report import formats, write


@pytest.fixture
def written(filled):
    summaries, paths = write.write(*filled)
    assert [path.name for path in paths] == list(write.FILES)
    return summaries


def _users(filled, label, seeds=(0, 1), test_set="iid"):
    tables = []
    for seed in seeds:
        record = filled.records[f"{label}-{seed}"]
        path = filled.folder / record["folder"] / record["user_metrics"]
        tables.append(per_user.read(path)[test_set]["ndcg@5"])
    return np.mean(tables, axis=0)


def test_csv_has_means_deviations_and_corrected_tests(filled, written):
    table = pd.read_csv(filled.folder / "table.csv")
    keys = ["test_set", "model", "metric"]
    assert len(table) == 2 * 3 * 2 + 3 and not table.duplicated(keys).any()
    table = table.set_index(keys)
    values = [filled.records[f"B|x-{seed}"]["tests"]["iid"]["ndcg@5"] for seed in (0, 1)]
    row = table.loc["iid", "B|x", "ndcg@5"]
    assert row["mean"] == pytest.approx(np.mean(values))
    assert row["std"] == pytest.approx(np.std(values, ddof=1))
    assert (row["seeds"], row["parameters"], row["seconds"]) == (2, 1234, 3.4)
    reference = [filled.records[f"A_SL-{seed}"]["tests"]["iid"]["ndcg@5"] for seed in (0, 1)]
    assert row["p_seeds"] == pytest.approx(scipy.stats.ttest_rel(reference, values).pvalue)
    assert np.isnan(table.loc["iid", "C_%", "ndcg@5"]["p_seeds"])  # one seed ran
    raw = [
        scipy.stats.ttest_rel(_users(filled, "A_SL"), _users(filled, "B|x")).pvalue,
        # C_% has seed 0 alone, so that the two are compared on that one.
        scipy.stats.ttest_rel(_users(filled, "A_SL", (0,)), _users(filled, "C_%", (0,))).pvalue,
    ]
    small, large = sorted(raw)
    expected = {small: 2 * small, large: max(2 * small, large)}
    for label, p in zip(("B|x", "C_%"), raw, strict=True):
        row = table.loc["iid", label, "ndcg@5"]
        assert row["n_users"] == 50 and row["p_users"] == pytest.approx(p, rel=1e-9, abs=0)
        assert row["p_holm_users"] == pytest.approx(expected[p], rel=1e-9, abs=0)
        assert row["difference_users"] > 0 and row["d_z_users"] > 1
    compared = [f"{name}_{over}" for name in ("n", "p") for over in ("users", "seeds")]
    assert table.loc["iid", "A_SL", "ndcg@5"][compared].isna().all()  # not with itself
    assert np.isnan(table.loc["iid", "B|x", "giniindex@5"]["p_users"])


def test_markdown_marks_the_best_in_each_metrics_own_direction(filled, written):
    text = (filled.folder / "table.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| A_SL", "| C_%"))]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    reference, other = cells[:2]
    assert reference[2].startswith("**0.5") and not other[2].startswith("**")
    assert reference[3] == "0.5000 ± 0.0000" or reference[3].startswith("**0.5000")
    assert reference[3].startswith("**"), "Gini of 0.5 is better than 0.6: smaller is better"
    assert other[2].endswith(r" \*\*\*") and r"B\|x" in text
    assert "C_% on tiny, seed 1: last line" in text


def test_latex_reads_back(filled, written):
    text = (filled.folder / "table.tex").read_text()
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    lines = [line.removesuffix(r"\\").split("&") for line in body.strip().splitlines()]
    rows = [[cell.strip() for cell in line] for line in lines]
    assert [row[0] for row in rows] == [r"A\_SL", "B|x", r"C\_\%"]
    assert {len(row) for row in rows} == {6}
    table = pd.read_csv(filled.folder / "table.csv").set_index(["test_set", "model", "metric"])
    for label, row in zip(("A_SL", "B|x", "C_%"), rows, strict=True):
        number = re.search(r"\d\.\d+", row[2])[0]
        mean = table.loc["iid", label, "ndcg@5"]["mean"]
        assert float(number) == pytest.approx(mean, abs=5e-5)
    assert r"\textbf{" in rows[0][2] and r"$\pm$" in rows[0][2]
    assert r"\textsuperscript{***}" in rows[1][2]
    assert not re.search(r"(?<!\\)[%_#]", body)


def test_the_terminal_gets_bold_only_where_it_can(written):
    plain, bold = (formats.terminal(written, bold=flag) for flag in (False, True))
    assert "\x1b[" not in plain and "\x1b[1m0.5" in bold
    assert re.sub(r"\x1b\[\d+m", "", bold) == plain
    assert "Holm's correction over 2 models" in plain and "seeds 0, 1" in plain
    assert "Some runs are missing: A_SL has 2, B|x has 2, C_% has 1" in plain


@pytest.mark.slow
def test_the_page_draws_all_plots_without_an_error_or_the_network(filled, written):
    with opened(filled.folder / "report.html") as (page, errors):
        assert errors == []
        headings = page.locator("h2").all_inner_texts()
        assert headings == [
            "Results, iid test", "Results, popularity test", "Metrics by model",
            "A_SL against the others, ndcg@5, iid test",
            "A_SL against the others, ndcg@5, popularity test",
            "Training", "By item popularity", "Accuracy against time", "Failed runs",
        ]  # fmt: skip
        plots = page.locator(".plotly-graph-div")
        assert plots.count() == 1 + 2 + 2 + 2
        points = [plots.nth(at).locator(".scatterlayer .point").count() for at in range(7)]
        assert points == [6, 0, 0, 3, 3, 3, 3]  # the tail, where nothing was measured, has none
        assert plots.nth(1).locator(".scatterlayer .js-line").count() == 5  # a line each run
        assert plots.nth(0).locator(".errorbar").count() == 6
        assert page.locator("td b").first.inner_text().startswith("0.5")
    with opened(filled.folder / "report.html", width=400) as (page, errors):
        assert errors == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_report_alone_makes_the_same_files_again_and_says_what_failed(filled, written, capsys):
    before = {name: (filled.folder / name).read_text() for name in write.FILES[:3]}
    for name in write.FILES:
        (filled.folder / name).unlink()
    assert benchmark.main(["--report", f"--output={filled.folder}"]) == 1
    said = capsys.readouterr()
    assert {name: (filled.folder / name).read_text() for name in before} == before
    assert "failed: C_% on tiny, seed 1: last line" in said.err
    assert "tiny, iid test" in said.out and (filled.folder / "report.html").is_file()


def test_report_without_a_benchmark_is_a_usage_error(tmp_path, capsys):
    assert benchmark.main(["--report", f"--output={tmp_path}/none"]) == 2
    assert "there is no benchmark in" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def _reported(filled, capsys):
    """Exit code and lines of --report on what is in the folder."""
    code = benchmark.main(["--report", f"--output={filled.folder}"])
    said = capsys.readouterr()
    return code, said.out.splitlines() + said.err.splitlines()


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "other", "missing"])
def test_damaged_values_by_user_are_one_line(damage, filled, capsys):
    path = sorted(filled.folder.glob("runs/*/r.users.npz"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {"flipped": content, "cut": content[:-50], "empty": b"", "other": b"x" * 500}
    path.unlink() if damage == "missing" else path.write_bytes(damaged[damage])
    code, lines = _reported(filled, capsys)
    assert code == 2 and len(lines) == 1
    words = "is missing" if damage == "missing" else r"is damaged \(.*\)"
    assert re.search(rf"^error: .*r.users.npz {words}: take the line of key .*-\d out", lines[0])


@pytest.mark.parametrize("name", ["test", "valid", "epochs", "versions", "user_metrics", "folder"])
def test_a_record_without_something_is_one_line(name, filled, capsys):
    path = filled.folder / "results.jsonl"
    first, *others = path.read_text().splitlines()
    record = {key: value for key, value in json.loads(first).items() if key != name}
    path.write_text("\n".join([json.dumps(record), *others, ""]))
    code, lines = _reported(filled, capsys)
    assert code == 2 and len(lines) == 1
    assert lines[0].endswith(f"results.jsonl, line 1, is no record of a run: {name} is missing")


def test_a_record_with_other_metrics_is_one_line(filled, capsys):
    path = filled.folder / "results.jsonl"
    lines = path.read_text().splitlines()
    record = json.loads(lines[1])
    del record["tests"]["popularity"]["ndcg@5"]
    path.write_text("\n".join([lines[0], json.dumps(record), *lines[2:], ""]))
    code, lines = _reported(filled, capsys)
    assert code == 2 and len(lines) == 1
    assert lines[0].endswith("B|x on tiny, seed 0, has no ndcg@5 of popularity")


def test_a_report_without_results_is_one_line(filled, capsys):
    (filled.folder / "results.jsonl").unlink()
    code, lines = _reported(filled, capsys)
    assert code == 1 and len(lines) == 1 and "results.jsonl: No such file or directory" in lines[0]
