"""Our losses on the published splits of IR-Benchmark, beside the published figures.

    python tests/performance/ir_benchmark.py --data=FOLDER --dataset=amazon2014-health --jobs=2

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `python -m recbole_dsl import`.

1. Selection: every model gets six trials, listed in TRIALS, with one seed, on 90 % of the training
   rows; the other 10 % choose the epoch and the trial. Nothing here reads a test metric.
2. Final: the chosen settings and number of epochs on all training rows, three seeds, tested once.

Each finished run is a line of ir_benchmark.jsonl beside this file; a second call does what is
missing.
The table, ir_benchmark.md, is written from those lines and published.csv.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PRESET = ROOT / "properties/presets/ir_benchmark.yaml"
STORE, TABLE = HERE / "ir_benchmark.jsonl", HERE / "ir_benchmark.md"
SELECTION_SEED, SEEDS = 2020, (2020, 2021, 2022)
MARK = "<!-- tables, written by ir_benchmark.py -->"
_METRICS = ("recall@20", "ndcg@20")

# The published averages run over all users, also those without test rows: users with / all.
AVERAGED_OVER_ALL_USERS = {
    "amazon2014-electronic-popularity": 0.937,
    "amazon2014-cd-popularity": 0.936,
}

_TAUS = [{"tau": tau} for tau in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35)]
TRIALS = {
    "BPR": [{"tau": tau} for tau in (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)],
    "SL": _TAUS,
    "BSL": [
        {"tau_pos": pos, "tau_neg": neg}
        for pos, neg in (
            (0.2, 0.2),
            (0.25, 0.25),
            (0.2, 0.25),
            (0.3, 0.25),
            (0.25, 0.2),
            (0.3, 0.3),
        )
    ],
    "PSL": [{"surrogate": "relu", **tau} for tau in _TAUS],
    "AdvInfoNCE": _TAUS,
    "SLatK": [
        {"tau": tau, "tau_weight": weight} for tau in (0.2, 0.25) for weight in (2.0, 3.0, 5.0)
    ],
    "DSL": [{"tau": tau, "beta": beta} for tau in (0.2, 0.25, 0.3) for beta in (0.0, 1.0)],
}

# The larger data sets: two trials a model and two seeds, what a CPU has time for.
_FEW = {
    "amazon2014-electronic": ([0.2, 0.25], [(0.25, 0.2), (0.3, 0.25)]),
    "amazon2014-electronic-popularity": ([0.1, 0.15], [(0.125, 0.1), (0.18, 0.15)]),
}


def seeds(dataset):
    """Seeds of the final runs."""
    return SEEDS[:2] if dataset in _FEW else SEEDS


def trials(dataset, loss):
    """What a loss tries on a data set: a list of settings."""
    if dataset not in _FEW:
        return TRIALS[loss]
    taus, pairs = _FEW[dataset]
    if loss == "BSL":
        return [{"tau_pos": pos, "tau_neg": neg} for pos, neg in pairs]
    fixed = {key: value for key, value in TRIALS[loss][0].items() if key != "tau"}
    return [{**fixed, "tau": tau} for tau in taus]


def read_store(path=STORE):
    """Every finished run."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def selected(rows, dataset, model, settings, reference=None):
    """What the selection runs of a model with these settings found on validation.

    Args:
        rows: of a store.
        reference: seed -> NDCG@20 to compare with seed by seed, since a seed also draws the
            validation rows and so moves all settings; None: these runs' own.
    Returns:
        dict or None, where fewer than two seeds have run: ``values``, seed -> NDCG@20; ``shown``,
        their mean and deviation; ``against``, the mean difference in percent; ``epochs``, the mean
        number to the best.
    """
    wanted = (dataset, model, settings)
    runs = [row for row in rows if (row["dataset"], row["model"], row["settings"]) == wanted]
    values = {row["seed"]: row["valid"]["ndcg@20"] for row in runs}
    if len(values) < 2:
        return None
    reference = reference or values
    ratios = [values[seed] / reference[seed] - 1 for seed in values if seed in reference]
    mean, spread = statistics.mean(values.values()), statistics.stdev(values.values())
    return {
        "values": values,
        "shown": f"{mean:.4f} ± {spread:.4f}",
        "against": f"{100 * statistics.mean(ratios):+.1f} %",
        "epochs": statistics.mean(row["best_epoch"] + 1 for row in runs),
    }


def train(job, data):
    """One run in a process of its own: the job with its validation metric, epochs and test."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        settings = {
            "model": job["model"],
            "dataset": job["dataset"],
            "config_files": PRESET,
            "data_path": f"{Path(data).resolve()}/",
            "checkpoint_dir": folder,
            "result_file": result,
            "seed": job["seed"],
            "show_progress": False,
            **job["settings"],
            **job.get("schedule", {}),
        }
        command = [sys.executable, str(ROOT / "run_recbole_dsl.py")]
        command += [f"--{key}={value}" for key, value in settings.items()]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-500:]}{done.stderr[-2000:]}")
        report = json.loads(result.read_text())
    row = dict(job, best_epoch=report["best_epoch"], seconds=round(report["seconds"], 1))
    row["epochs"] = len(report["epochs"])
    row["versions"] = report["versions"]
    if job["stage"] == "selection":
        row["valid"] = report["valid"]
    else:
        row["test"] = report["test"]
    return row


def run_all(jobs, data, workers, path=STORE):
    """Run what the store lacks, a line each as it finishes; a failed run is shown and left out."""
    done = {_key(row) for row in read_store(path)}
    todo = [job for job in jobs if _key(job) not in done]
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(train, job, data): job for job in todo}
        for future in tqdm(as_completed(running), total=len(todo), unit="run"):
            try:
                row = future.result()
            except RuntimeError as error:
                print(error, file=sys.stderr)
                continue
            with path.open("a") as store:
                store.write(json.dumps(row) + "\n")


def _key(row):
    parts = (row["stage"], row["dataset"], row["model"], row["seed"], row["settings"])
    return json.dumps(parts, sort_keys=True)


def chosen(rows, dataset, model):
    """The selection run with the best validation NDCG@20, None before there is one."""
    runs = [
        row
        for row in rows
        if (row["stage"], row["dataset"], row["model"]) == ("selection", dataset, model)
    ]
    return max(runs, key=lambda row: row["valid"]["ndcg@20"], default=None)


def final_jobs(rows, dataset, models):
    """The chosen settings of each model on all training rows, one job a seed."""
    for model in models:
        best = chosen(rows, dataset, model)
        if best is None:
            continue
        schedule = {"benchmark_valid": 0, "epochs": best["best_epoch"] + 1}
        for seed in seeds(dataset):
            yield {
                "stage": "final", "dataset": dataset, "model": model, "seed": seed,
                "settings": best["settings"], "schedule": schedule,
            }  # fmt: skip


def published():
    """(dataset, split, backbone, loss) -> published row; PSL stands for its relu form."""
    with (HERE / "published.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {(r["dataset"], r["split"], r["backbone"], r["loss"]): r for r in rows}


def _spread(values):
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def table(rows, dataset, backbone):
    """The Markdown table of one data set and backbone, [] before its runs are complete."""
    name, split = dataset.removesuffix("-popularity"), "iid"
    if name != dataset:
        split = "popularity"
    factor = AVERAGED_OVER_ALL_USERS.get(dataset, 1.0)
    printed = published()
    lines = []
    for loss in TRIALS:
        finals = [
            row
            for row in rows
            if (row["stage"], row["dataset"], row["model"])
            == ("final", dataset, f"{backbone}_{loss}")
        ]
        best = chosen(rows, dataset, f"{backbone}_{loss}")
        if len(finals) < len(seeds(dataset)):
            continue
        theirs = printed.get((name, split, backbone, f"{loss}-relu")) or printed.get(
            (name, split, backbone, loss)
        )
        ours = {key: [row["test"][key] * factor for row in finals] for key in _METRICS}
        cells = [loss, ", ".join(f"{k} {v}" for k, v in best["settings"].items())]
        cells += [str(best["best_epoch"] + 1), f"{best['valid']['ndcg@20']:.4f}"]
        cells += [_spread(ours[key]) for key in _METRICS]
        if theirs:
            ratio = statistics.mean(ours["ndcg@20"]) / float(theirs["ndcg@20"]) - 1
            cells += [theirs["recall@20"], theirs["ndcg@20"], f"{100 * ratio:+.1f} %"]
        else:
            cells += ["", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    if not lines:
        return []
    head = ["loss", "chosen on validation", "epochs", "valid NDCG@20", "Recall@20", "NDCG@20"]
    head += ["published Recall@20", "published NDCG@20", "our NDCG@20 against it"]
    rule = "|" + "---|" * len(head)
    return [f"### {dataset}, {backbone}", "", f"| {' | '.join(head)} |", rule, *lines, ""]


def write_table(rows):
    """Replace the tables in the page, below its mark; the text above it is written by hand."""
    datasets = sorted({row["dataset"] for row in rows}, key=len)
    lines = [line for d in datasets for b in ("MF", "LightGCN") for line in table(rows, d, b)]
    text = TABLE.read_text().split(MARK)[0] if TABLE.exists() else ""
    TABLE.write_text(text + MARK + "\n\n" + "\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the imported data sets")
    parser.add_argument("--dataset", default="amazon2014-health")
    parser.add_argument("--backbones", default="MF,LightGCN")
    parser.add_argument("--losses", default=",".join(TRIALS))
    parser.add_argument("--block", type=int, default=1, help="rows that share a draw of negatives")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    arguments = parser.parse_args()
    losses = arguments.losses.split(",")
    extra = {}
    if arguments.block > 1:
        extra["train_neg_sample_args"] = f"{{block: {arguments.block}}}"
    if arguments.dataset in _FEW:
        extra["stopping_step"] = 5
    models = [f"{b}_{x}" for b in arguments.backbones.split(",") for x in losses]
    selection = [
        {
            "stage": "selection", "dataset": arguments.dataset, "model": model,
            "seed": SELECTION_SEED, "settings": {**settings, **extra},
        }
        for model in models
        for settings in trials(arguments.dataset, model.split("_")[1])
    ]  # fmt: skip
    run_all(selection, arguments.data, arguments.jobs)
    finals = list(final_jobs(read_store(), arguments.dataset, models))
    run_all(finals, arguments.data, arguments.jobs)
    write_table(read_store())


if __name__ == "__main__":
    main()
