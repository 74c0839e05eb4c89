"""Does DSL win? Every loss with the same budget of trials, under i.i.d. and under shifted tests.

    python tests/performance/dsl_study.py --data=FOLDER --jobs=2 --parts=a,b --minutes=300

FOLDER holds the data sets that `recbole_dsl import` made of IR-Benchmark's files; what else is
needed (splits by popularity, the rows of the trials) is written beside them.

1. Trials: each (data, backbone, loss) gets the same number, with one seed, on training rows alone:
   80 % of them train, 10 % drawn at random and 10 % drawn uniformly over items validate, both after
   each epoch. Each of the two validation sets makes a selection: a trial and its epoch.
2. Final runs: the chosen settings and number of epochs on all training rows, with fresh seeds,
   tested once. The i.i.d. selection is for the i.i.d. test, the shifted one for the shifted test.

A trial stops when neither validation set has gained for five epochs. Parts: (a) MF on shifted sets,
(b) MF on i.i.d. sets, (c) graph backbones around MF's choice, (d) PSL and SL@K, (e) forms of DSL,
on validation alone, (f) two of these forms, tested, (g) options of DSL one by one at SL's choice,
on validation alone, (h) the best of these, and of as many runs there of SL and of BSL, tested. The
most important runs come first. Each finished run is a line of dsl_study.jsonl; a second call does
what is missing, and --minutes=0 writes the page alone. NDCG@20 of each user of a final run is in
dsl_study_users.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import dsl_study_report
from dsl_study_comparison import users_file
from dsl_study_data import DATA, prepare
from dsl_study_jobs import Runs, key_of, left, next_job
from dsl_study_plan import ALL_LOSSES, PARTS, steps
from stored_runs import read_store

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STORE = HERE / "dsl_study.jsonl"


def run_alone(job, data, store):
    """The line of one run, made by a process of its own with one thread.

    Raises:
        RuntimeError: it failed; its last words.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder) / "job.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(job))
        command = [sys.executable, str(HERE / "dsl_study_training.py"), str(asked)]
        command += [str(Path(data).resolve()), str(answer)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{key_of(job)}\n{done.stderr[-2000:]}")
        row = {**job, **json.loads(answer.read_text())}
        values = answer.with_suffix(".npz")
        if values.exists():
            kept = users_file(row, store)
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(values.read_bytes())
    return {**row, "seconds": round(time.perf_counter() - started, 1)}


def run_missing(data, parts, workers, minutes, store=STORE, **which):
    """Run what the store lacks, the most important first; a line each as it finishes.

    Args:
        which: datasets and losses that get runs, as for :func:`dsl_study_jobs.next_job`.
        minutes: no run starts later than this; those under way finish. None: no limit.
    """
    end = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    runs, taken, running, ready = Runs(read_store(store)), set(), {}, set()
    with ThreadPoolExecutor(workers) as pool:
        while True:
            while len(running) < workers and time.monotonic() < end:
                job = next_job(runs, parts, taken, **which)
                if job is None:
                    break
                if job["dataset"] not in ready:
                    prepare(job["dataset"], data)
                    ready.add(job["dataset"])
                taken.add(key_of(job))
                running[pool.submit(run_alone, job, data, store)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                del running[future]
                try:
                    row = future.result()
                except RuntimeError as error:  # it has no line, and the next call tries it again
                    print(error, file=sys.stderr)
                    continue
                runs.add(row)
                with store.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(f"{row['seconds']:7.1f} s  {_said(row)}", flush=True)


def _said(row):
    words = [row["stage"], row["dataset"], row["backbone"], row["loss"], f"trial {row['trial']}"]
    words += [f"seed {row['seed']}"] if row["stage"] == "final" else []
    if "failed" in row:
        return ", ".join([*words, row["failed"]])
    values = row["tests"] if row["stage"] == "final" else row["valid"]
    return ", ".join([*words, *(f"{k} {v['ndcg@20']:.4f}" for k, v in values.items())])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of the imported data sets")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts, in this order")
    parser.add_argument("--datasets", default=",".join(DATA), help="which of the data sets")
    parser.add_argument(
        "--losses", default=";".join(ALL_LOSSES), help="which losses and forms, between ;"
    )
    parser.add_argument("--minutes", type=float, help="start no run after this many")
    parser.add_argument("--store", type=Path, default=STORE, help="the runs (default: here)")
    given = parser.parse_args()
    parts, datasets = given.parts.split(","), given.datasets.split(",")
    losses = [loss.strip() for loss in given.losses.split(";")]
    for name, words, known in (
        ("parts", parts, PARTS), ("datasets", datasets, DATA), ("losses", losses, ALL_LOSSES),
    ):  # fmt: skip
        if unknown := set(words) - set(known):
            parser.error(
                f"--{name} must be of {'; '.join(known)}, got {'; '.join(sorted(unknown))}"
            )
    run_missing(
        given.data, parts, given.jobs, given.minutes, given.store, datasets=datasets, losses=losses
    )
    runs = Runs(read_store(given.store))
    dsl_study_report.write_page(runs, given.store)
    missing = sum(count for _, count in left(runs, parts))
    print(f"{missing} runs of {len(list(steps(parts)))} steps are left")


if __name__ == "__main__":
    main()
