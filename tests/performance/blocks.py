"""What sharing draws, and row-sparse Adam, do to accuracy.

    python tests/performance/blocks.py --data=FOLDER --dataset=amazon2014-health --jobs=2

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `python -m recbole_dsl import`. Each
run trains on 90 % of the training rows under the preset ir_benchmark.yaml and reports the best
validation NDCG@20 on the other 10 %; no test metric is read. Runs differ in the block size
(`train_neg_sample_args: {block: N}`) or the optimiser, and in the seed. Each finished run is a line
of blocks.jsonl beside this file; a second call does what is missing. Tables:
docs/results/blocks.md.
"""

import argparse
from pathlib import Path

from measuring import RESULTS, markdown_table, write_page
from stored_runs import read_store, run_all, selected

HERE = Path(__file__).parent
STORE = HERE / "blocks.jsonl"
BLOCKS = (1, 8, 32, 128, 1024)
SEEDS = (2020, 2021, 2022)


def settings_of(block, learner="adam", **more):
    """Settings of a run, as they stand in the store."""
    return {"train_neg_sample_args": f"{{block: {block}}}", "learner": learner, **more}


def variants(blocks):
    """Label -> settings, in the order of the table's rows."""
    found = {f"`block: {block}`": settings_of(block) for block in blocks}
    sparse = f"`block: {max(blocks)}`, `learner: sparse_adam`"
    found[sparse] = settings_of(max(blocks), "sparse_adam")
    return found


def table(rows, dataset, model, blocks):
    """Validation NDCG@20 and epochs by variant, those that have run with at least two seeds.

    The last column is paired by seed.
    """
    lines, reference = [], None
    for label, settings in variants(blocks).items():
        found = selected(rows, dataset, model, settings, reference)
        if found is None:
            continue
        reference = reference or found["values"]
        seeds = str(len(found["values"]))
        lines.append([label, found["shown"], seeds, f"{found['epochs']:.0f}", found["against"]])
    first = next(iter(variants(blocks)))
    head = [f"{dataset}, {model}", "valid NDCG@20", "seeds", "best epoch", f"against {first}"]
    return [*markdown_table(head, lines), ""] if lines else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the imported data sets")
    parser.add_argument("--dataset", default="amazon2014-health")
    parser.add_argument("--models", default="MF_SL,MF_DSL")
    parser.add_argument("--blocks", default=",".join(map(str, BLOCKS)))
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    arguments = parser.parse_args()
    blocks = [int(block) for block in arguments.blocks.split(",")]
    jobs = [
        {
            "stage": "selection", "dataset": arguments.dataset, "model": model,
            "seed": int(seed), "settings": settings,
        }
        for seed in arguments.seeds.split(",")
        for model in arguments.models.split(",")
        for settings in variants(blocks).values()
    ]  # fmt: skip
    run_all(jobs, arguments.data, arguments.jobs, STORE)
    rows = read_store(STORE)
    pairs = dict.fromkeys((row["dataset"], row["model"]) for row in rows)
    lines = [line for pair in pairs for line in table(rows, *pair, BLOCKS)]
    write_page(RESULTS / "blocks.md", "accuracy", lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
