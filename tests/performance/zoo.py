"""Our models and RecBole's on ml-100k with their default settings, on an i.i.d. and a shifted test.

    python tests/performance/zoo.py --jobs=2

One call of `recbole_dsl benchmark` (three seeds, half an hour on 2 cores; a second call does what
is missing), then from its results docs/results/zoo.md with all tables and zoo.svg, the short table
of docs/results/index.md and that of docs/guide/popularity_shift.md. `--report` runs nothing. The
store is zoo/ beside this file; the values by user are not kept in the repository, so that only the
machine that ran it can test anew.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import zoo_picture
from measuring import RESULTS, machine, markdown_table, write_page
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


def run(jobs, report):
    """The benchmark, or its report alone."""
    command = [sys.executable, "-m", "recbole_dsl", *COMMAND, f"--jobs={jobs}"]
    command += [f"--output={STORE.relative_to(ROOT)}", "--keep_checkpoints"]
    ended = subprocess.run([*command, "--report"] if report else command, cwd=ROOT).returncode
    if ended not in (0, 1):  # 1: some runs have failed, and the table says which
        raise SystemExit(ended)


def by_model(store):
    """Model -> its finished runs, in the order of MODELS, from a benchmark's results."""
    found = {model: [] for model in MODELS}
    for line in (store / "results.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["status"] == "ok":
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
    write_page(RESULTS / "zoo.md", "zoo", [machine(), "", tables.strip()])
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
    run(arguments.jobs, arguments.report)
    write_pages()


if __name__ == "__main__":
    main()
