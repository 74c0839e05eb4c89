"""Our losses on the published splits of IR-Benchmark, beside the published figures.

    python tests/performance/ir_benchmark.py --data=FOLDER --dataset=amazon2014-health --jobs=2

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `recbole_dsl import`.

1. Selection: every loss gets eight trials, listed in :func:`trials`, and then four more next to its
   best ones, :func:`further_trials`, with one seed, on 90 % of the training rows; the other 10 %
   choose the epoch and the trial. Nothing here reads a test metric.
2. Final: the chosen settings and number of epochs on all training rows, three seeds, tested once.

Each finished run is a line of ir_benchmark.jsonl beside this file; a second call does what is
missing. Lines without `protocol` are of the first study, with six trials and one learning rate.
docs/results/ir_benchmark.md is written from the lines of this one and published.csv.
"""

import argparse
import csv
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from measuring import RESULTS, markdown_table, write_page
from tqdm import tqdm

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PRESET = ROOT / "properties/presets/ir_benchmark.yaml"
STORE, TABLE = HERE / "ir_benchmark.jsonl", RESULTS / "ir_benchmark.md"
SELECTION_SEED, SEEDS, PROTOCOL = 2020, (2020, 2021, 2022), 2
IN_README = ("SL", "BSL, row", "PSL", "SLatK", "Talos", "DSL")
_METRICS = ("recall@20", "ndcg@20")

# The published averages run over all users, also those without test rows: users with / all.
AVERAGED_OVER_ALL_USERS = {
    "amazon2014-electronic-popularity": 0.937,
    "amazon2014-cd-popularity": 0.936,
}

# By kind of split: learning rates, and SL's temperatures; the first round takes those in between.
RATES = {"iid": (0.001, 0.003, 0.01, 0.03), "popularity": (0.003, 0.01, 0.1, 0.3)}
TAUS = {
    "iid": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35),
    "popularity": (0.05, 0.07, 0.1, 0.15, 0.2, 0.25),
}
FURTHER = 4  # trials of the second round


def split_of(dataset):
    """The kind of a published split."""
    return "popularity" if dataset.endswith("-popularity") else "iid"


def own_settings(split):
    """Loss -> what it can try, each the same to all backbones: a list for each of its settings.

    The first and the last value of a list are for the second round alone.
    """
    taus = TAUS[split]
    weights = (1e-5, 0.0, 1e-4, 1e-3, 1e-2, 1e-1)  # nothing is below 0; 1e-5 is next to it
    dsl = {"beta": -3.0 if split == "popularity" else 1.0, "gamma": 1.0}
    return {
        "BPR": [[{"score": "dot", "reg_weight": weight} for weight in weights]],
        "SL": [[{"tau": tau} for tau in taus]],
        "BSL, paired": [[{"form": "paired", "tau_pos": 0.2, "tau_neg": tau} for tau in taus]],
        "BSL, row": [[{"tau_pos": round(1.25 * tau, 4), "tau_neg": tau} for tau in taus]],
        "PSL": [[{"surrogate": "relu", "tau": tau} for tau in taus]],
        "AdvInfoNCE": [[{"tau": tau} for tau in taus]],
        "SLatK": [
            [{"tau": tau} for tau in taus[1:5]],
            [{"tau_weight": weight} for weight in (1.5, 2.25, 3.0, 4.0)],
        ],
        "Talos": [[{"tau": tau / 2} for tau in taus]],
        "DSL": [[{"tau": tau, **dsl} for tau in taus]],
    }


LOSSES = tuple(own_settings("iid"))


def _axes(dataset, loss):
    split = split_of(dataset)
    return [[{"learning_rate": rate} for rate in RATES[split]], *own_settings(split)[loss]]


def _merged(parts):
    return {key: value for part in parts for key, value in part.items()}


def trials(dataset, loss):
    """What a loss tries first on a data set: two learning rates by four settings of its own."""
    return [_merged(parts) for parts in itertools.product(*(a[1:-1] for a in _axes(dataset, loss)))]


def further_trials(dataset, loss, ranked):
    """Four more settings: neighbours of the best ones that have not been tried, nearest first.

    Args:
        ranked: the settings of the first round, the best first.
    """
    axes, chosen = _axes(dataset, loss), []
    tried = trials(dataset, loss)
    for settings in ranked:
        new = [near for near in _neighbours(axes, settings) if near not in [*tried, *chosen]]
        chosen += new
    return chosen[:FURTHER]


def _neighbours(axes, settings):
    """Settings one place away on some axes, those that differ on the fewest first."""
    places = [next(i for i, x in enumerate(a) if x.items() <= settings.items()) for a in axes]
    steps = itertools.product((0, 1, -1), repeat=len(axes))
    for step in sorted(steps, key=lambda step: sum(map(abs, step))):
        moved = [place + by for place, by in zip(places, step, strict=True)]
        if all(0 <= place < len(axis) for place, axis in zip(moved, axes, strict=True)):
            yield _merged(axis[place] for place, axis in zip(moved, axes, strict=True))


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


def report_of(job, data):
    """The result file of one run, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        settings = {
            "model": job["model"],
            "dataset": job["dataset"],
            "config_files": job.get("config_files", PRESET),
            "data_path": f"{Path(data).resolve()}/",
            "checkpoint_dir": folder,
            "result_file": result,
            "seed": job["seed"],
            "show_progress": False,
            **job["settings"],
            **job.get("cost", {}),
            **job.get("schedule", {}),
        }
        command = [sys.executable, str(ROOT / "run_recbole_dsl.py")]
        command += [f"--{key}={value}" for key, value in settings.items() if value is not None]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-500:]}{done.stderr[-2000:]}")
        return json.loads(result.read_text())


def row_of(job, report):
    """A line of the store: the job with its validation or test metrics, epochs and versions."""
    row = dict(job, best_epoch=report["best_epoch"], seconds=round(report["seconds"], 1))
    row["epochs"] = len(report["epochs"])
    row["versions"] = report["versions"]
    if job["stage"] == "selection":
        row["valid"] = report["valid"]
    else:
        row["test"] = report["test"]
    return row


def run_all(jobs, data, workers, path=STORE, row_of=row_of):
    """Run what the store lacks, a line each as it finishes; a failed run is shown and left out.

    Args:
        row_of: (job, result file) -> the job's line.
    """
    done = {_key(row) for row in read_store(path)}
    todo = [job for job in jobs if _key(job) not in done]
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(report_of, job, data): job for job in todo}
        for future in tqdm(as_completed(running), total=len(todo), unit="run"):
            try:
                row = row_of(running[future], future.result())
            except RuntimeError as error:
                print(error, file=sys.stderr)
                continue
            with path.open("a") as store:
                store.write(json.dumps(row) + "\n")


def _key(row):
    names = ("protocol", "stage", "dataset", "model", "loss", "start", "seed", "settings", "cost")
    return json.dumps([row.get(name) for name in names], sort_keys=True)


def found(rows, stage, dataset, backbone, loss):
    """The finished runs of a stage of this study."""
    wanted = (PROTOCOL, stage, dataset, model_name(backbone, loss), loss)
    names = ("protocol", "stage", "dataset", "model", "loss")
    return [row for row in rows if tuple(row.get(name) for name in names) == wanted]


def model_name(backbone, loss):
    """MF and "BSL, row" -> MF_BSL."""
    return f"{backbone}_{loss.split(',')[0]}"


def chosen(rows, dataset, backbone, loss):
    """The trial with the best validation NDCG@20, None before there is one."""
    runs = found(rows, "selection", dataset, backbone, loss)
    return max(runs, key=lambda row: row["valid"]["ndcg@20"], default=None)


def _trial_job(dataset, backbone, loss, settings, cost):
    return {
        "protocol": PROTOCOL, "stage": "selection", "dataset": dataset,
        "model": model_name(backbone, loss), "loss": loss, "seed": SELECTION_SEED,
        "settings": settings, "cost": cost, "schedule": {"stopping_step": 5},
    }  # fmt: skip


def selection_jobs(dataset, backbone, losses, cost):
    """The first trials of each loss, one job each."""
    for loss in losses:
        for settings in trials(dataset, loss):
            yield _trial_job(dataset, backbone, loss, settings, cost)


def further_jobs(rows, dataset, backbone, losses, cost):
    """The trials of each loss next to its best ones; none before all of the first are there."""
    for loss in losses:
        first = trials(dataset, loss)
        runs = found(rows, "selection", dataset, backbone, loss)
        runs = [row for row in runs if row["settings"] in first and row["cost"] == cost]
        if len(runs) == len(first):
            runs.sort(key=lambda row: row["valid"]["ndcg@20"], reverse=True)
            for settings in further_trials(dataset, loss, [row["settings"] for row in runs]):
                yield _trial_job(dataset, backbone, loss, settings, cost)


def final_jobs(rows, dataset, backbone, losses):
    """The chosen settings of each loss on all training rows, one job a seed."""
    for loss in losses:
        best = chosen(rows, dataset, backbone, loss)
        if best is None:
            continue
        schedule = {"benchmark_valid": 0, "epochs": best["best_epoch"] + 1}
        for seed in SEEDS:
            yield {**_job(best), "stage": "final", "seed": seed, "schedule": schedule}


def _job(row):
    names = ("protocol", "dataset", "model", "loss", "settings", "cost")
    return {name: row[name] for name in names}


def published():
    """(dataset, split, backbone, loss) -> published row."""
    with (HERE / "published.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {(r["dataset"], r["split"], r["backbone"], r["loss"]): r for r in rows}


def _spread(values):
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def _line(best, finals, theirs, factor):
    """A row of the table."""
    ours = {key: [row["test"][key] * factor for row in finals] for key in _METRICS}
    cells = [best["loss"], ", ".join(f"{k} {v}" for k, v in best["settings"].items())]
    cells += [str(best["best_epoch"] + 1), f"{best['valid']['ndcg@20']:.4f}"]
    cells += [_spread(ours[key]) for key in _METRICS]
    if theirs is None:
        return [*cells, "", "", ""]
    ratio = statistics.mean(ours["ndcg@20"]) / float(theirs["ndcg@20"]) - 1
    return [*cells, theirs["recall@20"], theirs["ndcg@20"], f"{100 * ratio:+.1f} %"]


def table(rows, dataset, backbone):
    """The Markdown table of one data set and backbone: the losses whose runs are complete."""
    name = dataset.removesuffix("-popularity")
    factor, printed = AVERAGED_OVER_ALL_USERS.get(dataset, 1.0), published()
    lines, costs = [], set()
    for loss in LOSSES:
        best = chosen(rows, dataset, backbone, loss)
        finals = found(rows, "final", dataset, backbone, loss)
        finals = [row for row in finals if row["settings"] == best["settings"]]
        if len(finals) < len(SEEDS):
            continue
        base = loss.split(",")[0]
        names = [(name, split_of(dataset), backbone, x) for x in (base, f"{base}-relu")]
        theirs = next((printed[x] for x in names if x in printed), None)
        lines.append(_line(best, finals, theirs, factor))
        costs.add(", ".join(f"{k}: {v}" for k, v in finals[0]["cost"].items()))
    if not lines:
        return []
    head = ["loss", "chosen on validation", "epochs", "valid NDCG@20", "Recall@20", "NDCG@20"]
    head += ["published Recall@20", "published NDCG@20", "our NDCG@20 against it"]
    title = f"### {dataset}, {backbone}"
    return [title, "", *(f"With {cost}." for cost in costs), "", *markdown_table(head, lines), ""]


def readme_table(lines):
    """The README's rows, of the lines of a table: test NDCG@20, and as published."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head = next(row for row in cells if row[0] == "loss")
    at = [head.index(name) for name in ("loss", "NDCG@20", "published NDCG@20")]
    found = [[row[place] for place in at] for row in cells if row[0] in IN_README]
    return markdown_table(["loss", "test NDCG@20", "published"], found)


def write_table(rows):
    """Replace the tables in the page, and that of the README; the text around them stays."""
    datasets = sorted({row["dataset"] for row in rows}, key=len)
    backbones = ("MF", "LightGCN", "XSimGCL")
    write_page(TABLE, "tables", [x for d in datasets for b in backbones for x in table(rows, d, b)])
    if lines := table(rows, "amazon2014-health", "MF"):
        write_page(ROOT / "README.md", "published", readme_table(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the imported data sets")
    parser.add_argument("--dataset", default="amazon2014-health")
    parser.add_argument("--backbone", default="MF")
    parser.add_argument("--losses", default=";".join(LOSSES), help="separated by semicolons")
    parser.add_argument("--cost", nargs="*", default=[], help="settings of all runs, KEY=VALUE")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    given = parser.parse_args()
    losses, cost = given.losses.split(";"), dict(pair.split("=", 1) for pair in given.cost)
    cell = (given.dataset, given.backbone, losses)
    run_all(list(selection_jobs(*cell, cost)), given.data, given.jobs)
    run_all(list(further_jobs(read_store(), *cell, cost)), given.data, given.jobs)
    run_all(list(final_jobs(read_store(), *cell)), given.data, given.jobs)
    write_table(read_store())


if __name__ == "__main__":
    main()
