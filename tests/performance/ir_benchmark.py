"""Our losses on the published splits of IR-Benchmark, beside the published figures.

    python tests/performance/ir_benchmark.py --data=FOLDER --dataset=amazon2014-health --jobs=2

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `recbole_dsl import`.

1. Selection: every loss gets eight trials, listed in ir_benchmark_plan.py, and then four more next
   to its best ones, with one seed, on 90 % of the training rows; the other 10 % choose the epoch
   and the trial. They are drawn as the test rows are: at random, or uniform over items
   (valid_shift) where the test is. Nothing here reads a test metric.
2. Final: the chosen settings and number of epochs on all training rows, three seeds, tested once.
3. Checks, which choose nothing: with --check KEY=VALUE the final runs once more with this in place
   of --cost, to see what the saving costs; with --as_published once more as the published runs were
   tested, see ir_benchmark_as_published.py.

Each finished run is a line of ir_benchmark.jsonl beside this file; a second call does what is
missing. Lines without `protocol` are of the first study, with six trials and one learning rate.
docs/results/ir_benchmark.md is written from the lines of this one and published.csv.
"""

import argparse
import statistics
from pathlib import Path

import ir_benchmark_as_published as as_published
from ir_benchmark_jobs import check_jobs, final_jobs, further_jobs, selection_jobs
from ir_benchmark_picture import figure
from ir_benchmark_plan import LOSSES
from ir_benchmark_tables import checks_table, readme_table, results, table
from measuring import RESULTS, write_page
from quality_picture import save_svg
from stored_runs import ROOT, read_store, run_all

STORE, PAGE = Path(__file__).with_suffix(".jsonl"), RESULTS / "ir_benchmark.md"
BACKBONES = ("MF", "LightGCN", "XSimGCL")


def write_tables(rows):
    """Replace the tables and the picture of the page, and the README's table; the text stays."""
    datasets = sorted({row["dataset"] for row in rows}, key=len)
    cells = [(dataset, backbone) for dataset in datasets for backbone in BACKBONES]
    tables = {f"{x[0]}, {x[1]}": found for x in cells if (found := list(results(rows, *x)))}
    means = {title: _means(rows, title, complete) for title, complete in tables.items()}
    drawn, height = figure(tables, means)
    save_svg(drawn, PAGE.with_suffix(".svg"), height=60 + 380 * height)
    lines = ["![NDCG@20 here and as published](ir_benchmark.svg)", ""]
    for title, complete in tables.items():
        lines += table(title, complete) + checks_table(rows, complete)
        lines += as_published.table(rows, *title.split(", "), complete)
    write_page(PAGE, "tables", lines)
    if health := tables.get("amazon2014-health, MF"):
        write_page(ROOT / "README.md", "published", readme_table(table("", health)))


def _means(rows, title, complete):
    """Loss -> mean NDCG@20 when tested as published."""
    found = as_published.tested(rows, *title.split(", "), complete)
    return {result.best["loss"]: statistics.mean(values) for result, _, values in found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the imported data sets")
    parser.add_argument("--dataset", default="amazon2014-health")
    parser.add_argument("--backbone", default="MF")
    parser.add_argument("--losses", default=";".join(LOSSES), help="separated by semicolons")
    parser.add_argument("--cost", nargs="*", default=[], help="settings of all runs, KEY=VALUE")
    parser.add_argument("--check", nargs="*", default=[], help="final runs again, with KEY=VALUE")
    parser.add_argument("--as_published", action="store_true", help="tested as published, too")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    given = parser.parse_args()
    losses, cost, check = given.losses.split(";"), _settings(given.cost), _settings(given.check)
    cell = (given.dataset, given.backbone, losses)
    run_all(list(selection_jobs(*cell, cost)), given.data, given.jobs, STORE)
    run_all(list(further_jobs(read_store(STORE), *cell, cost)), given.data, given.jobs, STORE)
    run_all(list(final_jobs(read_store(STORE), *cell)), given.data, given.jobs, STORE)
    if check:
        run_all(list(check_jobs(read_store(STORE), *cell, check)), given.data, given.jobs, STORE)
    if given.as_published:
        as_published.write_data(given.data, given.dataset)
        jobs = list(as_published.jobs(read_store(STORE), *cell))
        run_all(jobs, given.data, given.jobs, STORE, as_published.row_of)
    write_tables(read_store(STORE))


def _settings(pairs):
    return dict(pair.split("=", 1) for pair in pairs)


if __name__ == "__main__":
    main()
