"""The choice of each loss once more, tested as IR-Benchmark's released code tests.

It shows what that protocol does to the figures. Nothing of ours is chosen by it.

Facts of that code (run_nni.py, dataset/dataset.py and metrics/metrics.py of commit dff27f3 and
utils/experiments.py of 1c98c52; IR-Benchmark-SLatK, for KDD 2025, is the same in these):

- Every fifth of 200 epochs is validated, and the best one is tested, on one seed.
- I.i.d.: it trains on the rows that are left when 10 % of each user's are held out for validation,
  and does not train on all afterwards. At test the training items are masked, those 10 % are not.
- Under shift it is called with `--no_valid`: it trains on all rows, and the test rows are the
  validation rows, so that the test chooses the epoch.
"""

import shutil
import statistics
from pathlib import Path

import pandas as pd
from ir_benchmark_jobs import PROTOCOL, SEEDS, chosen, found, model_name
from ir_benchmark_plan import split_of
from ir_benchmark_tables import spread, tests_of
from measuring import markdown_table
from stored_runs import row_of as row_of_run

STAGE = "as published"
HELD_OUT, SPLIT_SEED = 0.1, 2020
EPOCHS, EVERY = 200, 5
# Of the published search, with tau on our scale; what a loss has besides these is not restricted.
GRID = {"learning_rate": (0.1, 0.01, 0.001), "tau": (0.01, 0.05, 0.1, 0.2, 0.5)}


def jobs(rows, dataset, backbone, losses):
    """One job a loss and seed; none before its trials have run.

    I.i.d. each loss has its choice and number of epochs. Under shift it has that of its trials on
    the published grid which validates best, and the test chooses its epoch, as in that code.
    """
    for loss in losses:
        best = _choice(rows, dataset, backbone, loss)
        if best is None:
            continue
        epochs, every = best["best_epoch"] + 1, best["best_epoch"] + 1
        if split_of(dataset) == "popularity":
            epochs, every = EPOCHS, EVERY
        for seed in SEEDS:
            yield {
                "protocol": PROTOCOL, "stage": STAGE, "dataset": dataset,
                "model": model_name(backbone, loss), "loss": loss, "seed": seed,
                "settings": best["settings"], "cost": best["cost"],
                "schedule": {
                    "dataset": data_name(dataset), "benchmark_filename": "[train, valid, test]",
                    "epochs": epochs, "eval_step": every, "stopping_step": epochs,
                },
            }  # fmt: skip


def _choice(rows, dataset, backbone, loss):
    if split_of(dataset) != "popularity":
        return chosen(rows, dataset, backbone, loss)
    on_grid = [row for row in rows if _on_grid(row["settings"])]
    return chosen(on_grid, dataset, backbone, loss)


def _on_grid(settings):
    return all(settings[key] in values for key, values in GRID.items() if key in settings)


def data_name(dataset):
    """The data set that :func:`write_data` makes."""
    return f"{dataset}-as-published"


def write_data(data, dataset):
    """Make the data set whose validation part is the test rows, since RecBole masks only training
    items there; for an i.i.d. test without 10 % of each user's training rows, one at least."""
    source, folder = Path(data) / dataset, Path(data) / data_name(dataset)
    if folder.exists():
        return
    train = pd.read_csv(source / f"{dataset}.train.inter", sep="\t", dtype=str)
    if split_of(dataset) == "iid":
        shuffled = train.sample(frac=1, random_state=SPLIT_SEED)
        by_user = shuffled.groupby("user_id:token")["item_id:token"]
        held_out = (by_user.transform("size") * HELD_OUT).astype(int).clip(lower=1)
        train = shuffled[by_user.cumcount() >= held_out].sort_index()
    made = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    train.to_csv(made / f"{folder.name}.train.inter", sep="\t", index=False)
    for part in ("valid", "test"):
        shutil.copy(source / f"{dataset}.test.inter", made / f"{folder.name}.{part}.inter")
    made.rename(folder)


def row_of(job, report):
    """The job's line: the metrics of the best epoch measured, and NDCG@20 of each."""
    row = row_of_run(job, {**report, "test": report["valid"]})
    measured = [epoch["valid"] for epoch in report["epochs"] if epoch.get("valid")]
    return {**row, "ndcg@20": [round(metrics["ndcg@20"], 6) for metrics in measured]}


def tested(rows, dataset, backbone, results):
    """(result, runs, their NDCG@20) of each loss with a published figure whose seeds have all run.

    Args:
        results: the complete losses of this data set and backbone.
    """
    for result in results:
        loss = result.best["loss"]
        best = _choice(rows, dataset, backbone, loss)
        runs = found(rows, STAGE, dataset, backbone, loss)
        runs = [row for row in runs if row["settings"] == best["settings"]]
        if result.published is not None and len(runs) == len(SEEDS):
            yield result, runs, tests_of(runs, dataset)["ndcg@20"]


def table(rows, dataset, backbone, results):
    """The Markdown table of these runs beside ours and the published ones; no lines without one."""
    cells = []
    for result, runs, values in tested(rows, dataset, backbone, results):
        figures = statistics.mean(result.test["ndcg@20"]), result.published["ndcg@20"]
        against = [f"{100 * (statistics.mean(values) / figure - 1):+.1f} %" for figure in figures]
        settings = ", ".join(f"{key} {value}" for key, value in runs[0]["settings"].items())
        epochs = ", ".join(str(row["best_epoch"] + 1) for row in runs)
        shown = [spread(values), against[0], f"{figures[1]:.4f}", against[1]]
        cells.append([result.best["loss"], settings, epochs, *shown])
    head = ["loss, tested as published", "settings", "epochs", "NDCG@20", "against its row above"]
    head += ["published NDCG@20", "against it"]
    return [*markdown_table(head, cells), ""] if cells else []
