"""Seconds of training to a given validation NDCG@20: ours, RecBole's own models, and implicit.

    python tests/performance/time_to_quality.py --data=FOLDER --dataset=amazon2014-electronic

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `python -m recbole_dsl import`; other
data sets, as RecBole's ml-100k, are split 72/8/20. `pip install implicit` first; the picture needs
Playwright and Chromium, as the tests of pages do. quality_methods.py lists what is compared.

1. Search: six trials a method with one seed choose its settings by validation NDCG@20 (10 % of the
   training rows): those that end highest, and those that are soonest within 1 % of that. No test.
2. Final: both, once more, for every seed, one run after another; tested once, at the best epoch.

Each run is a process of its own and a line of time_to_quality.jsonl; a second call does what is
missing. Every call writes the page and its picture; `--report` does only that. `--methods` takes
patterns: `MF_*/spectral/*,implicit/*`. `--jobs=2` halves the search: its trials then have half of
the cores each, and their seconds choose between the settings of one method only. In a minute or
two, to see it work:

    python tests/performance/time_to_quality.py --dataset=ml-100k --trials=1 --epochs=2 \\
        --seeds=2021 --methods=MF_DSL/random/1,MF_SL/random/1,RecBole/LightGCN,implicit/* \\
        --output=/tmp/smoke
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

import quality_picture as picture
import quality_report as report
from measuring import page_of, write_page
from quality_methods import METHODS, needs_implicit
from quality_training import train
from stored_runs import read_store
from tqdm import tqdm

from recbole_dsl.common.machine import processor, usable_cores

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SEARCH_SEED, SEEDS = 2020, (2021, 2022, 2023)
NAME = "time_to_quality"


def run_alone(job, data, threads):
    """A run in a process of its own: the row that goes into the store.

    Raises:
        RuntimeError: the process failed; what it said.
    """
    with_implicit = needs_implicit(job["method"])
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1" if with_implicit else str(threads),  # as implicit asks for
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, __file__, f"--data={Path(data).resolve()}"]
        command += [f"--job={json.dumps(job)}", f"--output={result}"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{job}\n{done.stdout[-500:]}{done.stderr[-2000:]}")
        found = json.loads(result.read_text())
    if with_implicit:
        found["versions"]["implicit"] = importlib.metadata.version("implicit")
    return {**job, **found, "date": f"{date.today():%Y-%m-%d}"}


def run_missing(jobs, data, store, workers=1):
    """Run what the store lacks, a line each as it ends; a failed run is shown and left out.

    Args:
        workers: runs at once, which share a job's threads.
    """
    rows = read_store(store)
    todo = [job for job in jobs if not any(job.items() <= row.items() for row in rows)]
    with ThreadPoolExecutor(workers) as pool:
        running = [
            pool.submit(run_alone, job, data, max(job["threads"] // workers, 1)) for job in todo
        ]
        for future in tqdm(as_completed(running), total=len(todo), unit="run"):
            try:
                row = future.result()
            except RuntimeError as error:
                print(error, file=sys.stderr)
                continue
            with store.open("a") as file:
                file.write(json.dumps(row) + "\n")


def search_jobs(methods, trials, common):
    """The trials of every method."""
    for method in methods:
        for settings in METHODS[method].trials[:trials]:
            yield {
                **common, "stage": "search", "method": method, "settings": settings,
                "seed": SEARCH_SEED,
            }  # fmt: skip


def final_jobs(rows, methods, seeds, common):
    """The chosen settings of every method with every seed; the first seed of all methods first."""
    rows = [row for row in rows if common.items() <= row.items()]
    for seed in seeds:
        for method in methods:
            chosen = []
            for settings in report.choices(rows, method).values():
                if settings not in chosen:
                    chosen.append(settings)
                    yield {
                        **common, "stage": "final", "method": method, "settings": settings,
                        "seed": seed,
                    }  # fmt: skip


def write_report(folder, store):
    """The page and its pictures, a section and a picture for each set of conditions."""
    sections = {}
    for row in read_store(store):
        sections.setdefault(tuple(report.conditions(row).values()), []).append(row)
    for number, (key, rows) in enumerate(sections.items(), start=1):
        file = NAME + (f"-{number}" if number > 1 else "") + ".svg"
        title = f"{rows[0]['dataset']}, {rows[0]['machine']}"
        picture.save_svg(picture.figure(report.entries(rows), title), folder / file)
        name = ", ".join(str(part) for part in key)
        write_page(folder / f"{NAME}.md", name, report.section(rows, file))


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="dataset", help="folder of the imported data sets")
    parser.add_argument("--dataset", default="amazon2014-electronic")
    parser.add_argument("--methods", default="*", help="names or patterns, with commas")
    parser.add_argument("--trials", type=int, default=6, help="of each method, at most 6")
    parser.add_argument("--epochs", type=int, default=200, help="at most, a run")
    parser.add_argument("--budget", type=float, default=600.0, help="seconds of training, a run")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="of the final runs")
    cores = usable_cores()
    parser.add_argument("--threads", type=int, default=cores, help="of a run (default: all cores)")
    parser.add_argument("--jobs", type=int, default=1, help="trials at once; final runs stay alone")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of the store")
    parser.add_argument("--report", action="store_true", help="write page and picture, run nothing")
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    return parser


def main():
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.job:
        sys.argv = sys.argv[:1]  # RecBole's trainers look there
        arguments.output.write_text(json.dumps(train(arguments.job, arguments.data)))
        return
    store = arguments.output / f"{NAME}.jsonl"
    if not arguments.report:
        patterns = arguments.methods.split(",")
        methods = [name for name in METHODS if any(fnmatch(name, one) for one in patterns)]
        if not methods:
            parser.error(f"--methods={arguments.methods}: none of {', '.join(METHODS)}")
        if any(map(needs_implicit, methods)) and not importlib.util.find_spec("implicit"):
            parser.error("implicit is not installed: pip install implicit, or leave it out")
        arguments.output.mkdir(parents=True, exist_ok=True)
        cores = usable_cores()
        common = {
            "dataset": arguments.dataset, "machine": f"{cores} cores of {processor()}",
            "epochs": arguments.epochs, "budget": arguments.budget, "threads": arguments.threads,
        }  # fmt: skip
        run_missing(
            search_jobs(methods, arguments.trials, common), arguments.data, store, arguments.jobs
        )
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
        finals = list(final_jobs(read_store(store), methods, seeds, common))
        run_missing(finals, arguments.data, store)
    if not read_store(store):
        parser.error(f"{store} has no runs")
    write_report(page_of(store).parent, store)


if __name__ == "__main__":
    main()
