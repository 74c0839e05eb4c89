"""Runs of `recbole_dsl run`, each in a process of its own and a line of a store that grows."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).parent.parent.parent
PRESET = ROOT / "properties/presets/ir_benchmark.yaml"


def read_store(path):
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
            **job.get("cost", {}),
            **job["settings"],
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
    """A line of the store: the job with its validation or test metrics, epochs, versions and
    machine."""
    row = dict(job, best_epoch=report["best_epoch"], seconds=round(report["seconds"], 1))
    row["epochs"] = len(report["epochs"])
    row.update({name: report[name] for name in ("versions", "machine")})
    if job["stage"] == "selection":
        row["valid"] = report["valid"]
    else:
        row["test"] = report["test"]
    return row


def run_all(jobs, data, workers, path, row_of=row_of):
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
