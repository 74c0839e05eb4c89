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


def _users(filled, label, seeds=(0, 1), test_set="iid"):
    tables = []
    for seed in seeds:
        record = filled.records[f"{label}-{seed}"]
        path = filled.folder / record["folder"] / record["user_metrics"]
        tables.append(per_user.read(path)[test_set]["ndcg@5"])
    return np.mean(tables, axis=0)


def test_csv_has_means_deviations_and_corrected_tests(reported):
    filled, _ = reported
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
        assert row["difference_users"] < 0 and row["d_z_users"] < -1
        assert row["low_users"] < row["difference_users"] < row["high_users"] < 0
    compared = [f"{name}_{over}" for name in ("n", "p") for over in ("users", "seeds")]
    assert table.loc["iid", "A_SL", "ndcg@5"][compared].isna().all()  # not with itself
    assert np.isnan(table.loc["iid", "B|x", "giniindex@5"]["p_users"])


def test_markdown_marks_the_best_in_each_metrics_own_direction(reported):
    filled, _ = reported
    text = (filled.folder / "table.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| A_SL", "| C_%"))]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    reference, other = cells[:2]
    assert reference[2].startswith("**0.5") and not other[2].startswith("**")
    assert reference[3] == "0.5000 ± 0.0000" or reference[3].startswith("**0.5000")
    assert reference[3].startswith("**"), "Gini of 0.5 is better than 0.6: smaller is better"
    assert other[2].endswith(r" \*\*\*") and r"B\|x" in text
    assert "C_% on tiny, seed 1: last line" in text


def test_the_report_says_on_which_machines_seconds_were_measured(filled):
    def said(records):
        for key, record in records.items():
            filled.records[key].clear()
            filled.records[key].update(record)
        write.write(*filled)
        text = (filled.folder / "table.md").read_text()
        return [line for line in text.splitlines() if line.startswith("Seconds were ")]

    start = "Seconds were measured on"
    ok = {key: r for key, r in filled.records.items() if r["status"] == "ok"}
    assert said({}) == [f"{start} 2 cores of X, 1 thread; 2 of 5 runs do not say on what."]
    one = {"processor": "X", "cores": 2, "threads": 1, "gpu": None}
    named = {key: {**record, "machine": one} for key, record in ok.items()}
    assert said(named) == [f"{start} 2 cores of X, 1 thread."]
    named["A_SL-1"]["machine"] = {"processor": "Y", "cores": 8, "threads": 4, "gpu": "H"}
    assert said(named) == [f"{start} 2 cores of X, 1 thread; H, 8 cores of Y, 4 threads."]
    none = {key: {k: v for k, v in r.items() if k != "machine"} for key, r in named.items()}
    assert said(none) == []


def test_latex_reads_back(reported):
    filled, _ = reported
    text = (filled.folder / "table.tex").read_text()
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    lines = [line.removesuffix(r"\\").split("&") for line in body.strip().splitlines()]
    rows = [[cell.strip() for cell in line] for line in lines]
    assert [row[0] for row in rows] == [r"A\_SL", r"B\textbar{}x", r"C\_\%"]
    assert {len(row) for row in rows} == {3}
    table = pd.read_csv(filled.folder / "table.csv").set_index(["test_set", "model", "metric"])
    for label, row in zip(("A_SL", "B|x", "C_%"), rows, strict=True):
        for test_set, cell in zip(("iid", "popularity"), row[1:], strict=True):
            number = re.search(r"\d\.\d+", cell)[0]
            mean = table.loc[test_set, label, "ndcg@5"]["mean"]
            assert float(number) == pytest.approx(mean, abs=5e-5)
    assert r"\textbf{" in rows[0][1] and r"$\pm$" in rows[0][1]
    assert r"\rlap{$^{*}$}" in rows[1][1]
    assert not re.search(r"(?<!\\)[%_#]", body)


def test_the_terminal_gets_bold_only_where_it_can(reported):
    _, written = reported
    plain, bold = (formats.terminal(written, bold=flag) for flag in (False, True))
    assert "\x1b[" not in plain and "\x1b[1m0.5" in bold
    assert re.sub(r"\x1b\[\d+m", "", bold) == plain
    assert "Holm's correction over 2 models" in plain and "seeds 0, 1" in plain
    assert "Some runs are missing: A_SL has 2, B|x has 2, C_% has 1" in plain


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 500])
def test_the_page_draws_all_plots_without_an_error_or_the_network(reported, width):
    filled, _ = reported
    with opened(filled.folder / "report.html", width=width) as (page, errors):
        assert errors == []
        headings = page.locator("h2:visible").all_inner_texts()
        assert headings == [
            "Results, iid test", "Results, popularity test",
            "Differences from A_SL, ndcg@5, iid test",
            "Differences from A_SL, ndcg@5, popularity test", "ndcg@5 by model",
            "ndcg@5 by item popularity", "Gain over A_SL in ndcg@5, by item popularity",
            "ndcg@5 against time", "Training", "Failed runs",
        ]  # fmt: skip
        plots = page.locator(".plotly-graph-div:visible")
        assert plots.count() == 2 + 1 + 2 + 2 + 2 + 2
        points = [plots.nth(at).locator(".scatterlayer .point").count() for at in range(11)]
        # the tail, where nothing was measured, has none
        assert points == [2, 2, 6, 3, 3, 2, 2, 3, 3, 0, 0]
        assert plots.nth(9).locator(".scatterlayer .js-line").count() == 5  # a line each run
        assert plots.nth(2).locator(".errorbar").count() == 6
        ticks = plots.nth(9).locator(".xaxislayer-above text").all_text_contents()
        assert ticks == ["1", "2", "3"]  # whole epochs, counted from 1
        assert page.locator("td b").first.inner_text().startswith("0.5")
        assert page.evaluate("document.body.scrollWidth <= window.innerWidth")
        page.select_option(".choices select", "giniindex@5")
        page.wait_for_selector("h2:visible >> text=giniindex@5 by model")
        assert errors == [] and page.locator("h2:visible", has_text="Differences").count() == 2
        assert page.evaluate("document.body.scrollWidth <= window.innerWidth")
    assert (filled.folder / "report.html").stat().st_size < 1_500_000


@pytest.mark.slow
def test_the_verdict_has_the_numbers_of_the_tables_on_the_page(reported):
    filled, _ = reported
    with opened(filled.folder / "report.html") as (page, _):
        first, second = page.locator(".verdict").all_inner_texts()
        table = page.locator("section", has_text="Differences from A_SL, ndcg@5, iid test").first
        rows = [row.split("\t") for row in table.locator("tr").all_inner_texts()]
        best = page.locator("td b").nth(1).inner_text().split()[0]  # after that of validation
    assert first.startswith(f"A_SL has the highest ndcg@5 on tiny, iid test: {best}, ")
    assert second.startswith("A_SL has the highest ndcg@5 on tiny, popularity test: ")
    means = {label: _users(filled, label, seeds).mean() for label, seeds in
             (("B|x", (0, 1)), ("C_%", (0,)))}  # fmt: skip
    nearest = max(means, key=means.get)
    row = next(row for row in rows if row[0] == nearest)
    assert rows[0][:3] == ["model", "difference", "95 % interval"]
    ends = sorted(f"{-float(end):.4f}" for end in row[2].split(" to "))
    assert f"{-float(row[1]):.4f} (" in first and f"ahead of {nearest}, the next" in first
    assert f"(95 % interval {ends[0]} to {ends[1]})" in first


def test_columns_choose_the_metrics_of_the_paper(filled, capsys):
    code, _ = _reported(filled, capsys, "--columns=GiniIndex@5,ndcg@5")
    text = (filled.folder / "table.tex").read_text()
    assert code == 1 and r"Gini@5\,$\downarrow$ & NDCG@5" in text  # 1: a run has failed
    before = text
    code, lines = _reported(filled, capsys, "--columns=ndcg@50")
    assert code == 2 and lines == [
        "error: --columns: ndcg@50 is not measured: ndcg@5, giniindex@5; did you mean ndcg@5?"
    ]
    assert (filled.folder / "table.tex").read_text() == before


def test_report_alone_makes_the_same_files_again_and_says_what_failed(filled, capsys):
    write.write(*filled)
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


def _reported(filled, capsys, *words):
    """Exit code and lines of --report on what is in the folder."""
    code = benchmark.main(["--report", f"--output={filled.folder}", *words])
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
