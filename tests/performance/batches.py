"""Larger batches: which learning rate keeps their accuracy, and what they do to an epoch's time.

    python tests/performance/batches.py --data=FOLDER --dataset=amazon2014-health --jobs=2

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `python -m recbole_dsl import`. Each
run trains on 90 % of the training rows under the preset ir_benchmark.yaml and reports the best
validation NDCG@20 on the other 10 %; no test metric is read. Runs differ in `train_batch_size`, in
`learning_rate`, left alone or raised by the root of the batch's growth or by all of it, and in the
seed. Each finished run is a line of batches.jsonl beside this file; a second call does what is
missing. Epochs are timed apart, in turn, one after another. Tables: docs/results/batches.md.
"""

import argparse
import math
import statistics
import sys
import tempfile
from pathlib import Path

from measuring import RESULTS, in_turn, machine, markdown_table, write_page
from step import Step
from stored_runs import read_store, run_all, selected

from recbole_dsl.common import memory

HERE = Path(__file__).parent
STORE = HERE / "batches.jsonl"
SMALLEST, RATE = 1024, 0.01  # the preset's
BATCHES = (1024, 2048, 4096, 8192)
RULES = {"the same": 0.0, "by the root": 0.5, "in proportion": 1.0}
SEEDS = (2020, 2021, 2022)


def variants():
    """(batch, rule) -> settings of a run as they stand in the store; one rule for the smallest."""
    return {
        (batch, rule): {
            "train_batch_size": batch,
            "learning_rate": round(RATE * math.pow(batch / SMALLEST, power), 4),
        }
        for batch in BATCHES
        for rule, power in RULES.items()
        if batch > SMALLEST or not power
    }


def epoch_seconds(arguments, model):
    """Batch size -> seconds of each of some epochs, the sizes in turn."""
    sys.argv = sys.argv[:1]  # RecBole's trainers look there
    memory.keep_large_blocks()
    with tempfile.TemporaryDirectory() as arguments.scratch:
        steps = {batch: Step(arguments, model, train_batch_size=batch) for batch in BATCHES}

        def epoch(step):
            return lambda: [step.train(batch) for batch in step.loader]

        return in_turn({batch: epoch(step) for batch, step in steps.items()}, rounds=3)


def table(rows, dataset, model, seconds):
    """Validation NDCG@20 by batch size and rule, against the smallest batch seed by seed."""
    lines, reference = [], None
    for (batch, rule), settings in variants().items():
        found = selected(rows, dataset, model, settings, reference)
        if found is None:
            continue
        reference = reference or found["values"]
        rate = f"{settings['learning_rate']:g}" + (f", {rule}" if batch > SMALLEST else "")
        epochs, each = found["epochs"], statistics.median(seconds[batch])
        cells = [f"{batch:,}", rate, found["shown"], found["against"]]
        lines.append([*cells, f"{epochs:.0f}", f"{each:.2f}", f"{each * epochs:.0f}"])
    head = [
        "`train_batch_size`", "`learning_rate`", "valid NDCG@20", f"against {SMALLEST:,}",
        "best epoch", "s an epoch", "s to the best",
    ]  # fmt: skip
    runs = len({row["seed"] for row in rows if (row["dataset"], row["model"]) == (dataset, model)})
    return [f"{dataset}, {model}, {runs} seeds:", "", *markdown_table(head, lines), ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the imported data sets")
    parser.add_argument("--dataset", default="amazon2014-health")
    parser.add_argument("--model", default="LightGCN_SL")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    arguments = parser.parse_args()
    jobs = [
        {
            "stage": "selection", "dataset": arguments.dataset, "model": arguments.model,
            "seed": int(seed), "settings": settings,
        }
        for seed in arguments.seeds.split(",")
        for settings in variants().values()
    ]  # fmt: skip
    run_all(jobs, arguments.data, arguments.jobs, STORE)
    seconds = epoch_seconds(arguments, arguments.model)
    rows = read_store(STORE)
    lines = table(rows, arguments.dataset, arguments.model, seconds)
    name = f"{arguments.dataset} {arguments.model}"
    write_page(RESULTS / "batches.md", name, [*lines, f"Epochs timed on {machine()}"])
    print("\n".join(lines))


if __name__ == "__main__":
    main()
