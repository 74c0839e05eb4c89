"""Our models and RecBole's on ml-100k with their default settings, on an i.i.d. and a shifted test.

    python tests/performance/zoo.py --jobs=2

One call of `recbole_dsl benchmark` (three seeds, some 40 minutes on 2 cores), then from its results
the tables of docs/results/zoo.md, results/index.md and guide/popularity_shift.md, and zoo.svg.
`--report` writes these pages alone. The store is zoo/ beside this file, without the values by user
that significance needs: to measure anew elsewhere, empty it first.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import zoo_picture
from measuring import RESULTS, markdown_table, write_page
from quality_picture import save_svg

HERE = Path(__file__).parent.resolve()
ROOT = HERE.parent.parent
STORE = HERE / "zoo"
REFERENCE = "LightGCN_DSL"
BACKBONES = ("LightGCN", "MF", "XSimGCL")
LOSSES = ("DSL", "SL", "PSL", "Talos", "BPR")
STOCK = ("BPR", "LightGCN", "NGCF", "SimpleX", "EASE", "MultiVAE", "ItemKNN", "Pop")
MODELS = (*(f"{backbone}_{loss}" for backbone in BACKBONES for loss in LOSSES), *STOCK)
COMMAND = [
    "benchmark", f"--model={','.join(MODELS)}", "--dataset=ml-100k", "--seeds=2020..2022",
    "--eval_args={split: {PS: [0.7, 0.1, 0.2]}}", "--test_sets=[iid, popularity]",
    f"--reference={REFERENCE}",
]  # fmt: skip
TESTS = ("iid", "popularity")
SHOWN = ("LightGCN_DSL", "LightGCN_SL", "LightGCN_BPR", "BPR")  # in the guide


def run(jobs):
    """The benchmark."""
    command = [sys.executable, "-m", "recbole_dsl", *COMMAND, f"--jobs={jobs}"]
    command += [f"--output={STORE.relative_to(ROOT)}", "--keep_checkpoints"]
    ended = subprocess.run(command, cwd=ROOT).returncode
    if ended not in (0, 1):  # 1: some runs have failed, and the table says which
        raise SystemExit(ended)


def by_model(store):
    """Model -> its finished runs of the plan, in the order of MODELS, from a benchmark's folder."""
    plan = json.loads((store / "plan.json").read_text(encoding="utf-8"))
    keys = {planned["key"] for planned in plan["runs"]}  # the results keep earlier plans' runs too
    found = {model: [] for model in MODELS}
    for line in (store / "results.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["status"] == "ok" and row["key"] in keys:
            found[row["label"]].append(row)
    return {model: rows for model, rows in found.items() if rows}


def _mean(values):
    values = list(values)
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def _name(model):
    return f"`{model}`" if "_" in model else f"`{model}` (RecBole)"


def short_table(runs):
    """Both tests of each model in a line, its seconds, and Recall@10 within the tail under shift.

    Args:
        runs: of :func:`by_model`.
    """
    lines = []
    for model, rows in runs.items():
        tests = [
            _mean(row["tests"][test][metric] for row in rows)
            for test in TESTS
            for metric in ("ndcg@10", "recall@10")
        ]
        valid = _mean(row["valid"]["mrr@10"] for row in rows)
        groups = [row["groups"]["item_popularity"]["metrics"]["popularity"] for row in rows]
        tail = statistics.mean(found["recall@10"]["tail"] for found in groups)
        seconds = statistics.median(row["seconds"] for row in rows)
        shown = f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
        lines.append([_name(model), valid, *tests, f"{tail:.4f}", shown])
    head = [
        "model", "valid MRR@10", "i.i.d. test NDCG@10", "Recall@10", "popularity test NDCG@10",
        "Recall@10", "of the tail", "seconds",
    ]  # fmt: skip
    return markdown_table(head, lines)


def groups_table(runs):
    """NDCG@10 of both tests by item popularity; a test's three contributions add up."""
    lines = []
    for model in SHOWN:
        metrics = [row["groups"]["item_popularity"]["metrics"] for row in runs[model]]
        means = [
            f"{statistics.mean(found[test]['ndcg@10'][group] for found in metrics):.4f}"
            for test in TESTS
            for group in ("head", "mid", "tail")
        ]
        lines.append([_name(model), *means])
    head = ["model", "i.i.d.: head", "mid", "tail", "popularity: head", "mid", "tail"]
    return markdown_table(head, lines)


def write_pages():
    """What stands between the marks of the three pages, and the picture."""
    runs = by_model(STORE)
    tables = (STORE / "table.md").read_text(encoding="utf-8").removeprefix("# Benchmark\n")
    for metric in ("recall@10", "mrr@10", "hit@10", "precision@10"):  # comparisons by NDCG suffice
        tables = re.sub(rf"### The others against \w+, {metric}\n\n(\|.*\n)+\n?", "", tables)
    write_page(RESULTS / "zoo.md", "zoo", [tables.strip()])
    write_page(RESULTS / "index.md", "zoo", short_table(runs))
    guide = RESULTS.parent / "guide" / "popularity_shift.md"
    write_page(guide, "zoo", groups_table(runs))
    text = (RESULTS / "zoo.md").read_text(encoding="utf-8")
    save_svg(zoo_picture.figure(text), RESULTS / "zoo.svg", 900, 480)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    if not arguments.report:
        run(arguments.jobs)
    write_pages()


if __name__ == "__main__":
    main()
