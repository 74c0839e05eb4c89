"""Splits: time and memory on 20,000,000 rows, and the shift beside published popularity splits.

    python tests/performance/splits.py                              about three minutes
    python tests/performance/splits.py --published FOLDER ...       also the published splits

Each FOLDER holds train.tsv.gz and test.tsv.gz of IR-Benchmark (a header, then user and item, a tab
between them). Writes docs/results/splits.md.
"""

import argparse
import multiprocessing
import random
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import RESULTS, in_turn, machine, markdown_table, ratio, write_page

from recbole_dsl.data.splitting import (
    describe,
    draw_by_item,
    popularity_split,
    random_split,
    temporal_split,
)
from recbole_dsl.data.splitting.write_files import write_split

PAGE = RESULTS / "splits.md"
RATIOS = [0.7, 0.1, 0.2]
ROWS, USERS, ITEMS = 20_000_000, 500_000, 100_000
CASES = {
    "PS": lambda u, i, t: popularity_split(u, i, RATIOS, seed=0),
    "PS, split_shift 0.5": lambda u, i, t: popularity_split(u, i, RATIOS, seed=0, shift=0.5),
    "PS, both test sets": lambda u, i, t: popularity_split(
        u, i, RATIOS, seed=0, test_sets=["iid", "popularity"]
    ),
    "GT, both test sets": lambda u, i, t: temporal_split(
        u, i, t, RATIOS, seed=0, test_sets=["iid", "temporal"]
    ),
    "RS": lambda u, i, t: random_split(u, i, RATIOS, seed=0),
}


def interactions(rows):
    """Users, items with a long tail, and times, of as many rows as asked for."""
    rng = np.random.default_rng(0)
    items = ((rng.pareto(1.0, rows) * 200) % ITEMS).astype(np.int32)
    return rng.integers(0, USERS, rows, np.int32), items, rng.integers(0, 10**6, rows, np.int32)


def _peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _case(name, queue):
    """In a process of its own, so that the peak is this case's; the floor beside it."""
    columns = interactions(ROWS)
    started = time.perf_counter()
    CASES[name](*columns)
    seconds, peak = time.perf_counter() - started, _peak_mb()
    keys = np.random.default_rng(0).permutation(ROWS)
    floor = in_turn({"sort": lambda: np.sort(keys)}, 3)["sort"]
    queue.put((seconds, peak, statistics.median(floor)))


def time_and_memory():
    """Rows of the table: a fresh process for each case."""
    context, rows = multiprocessing.get_context("spawn"), []
    for name in CASES:
        queue = context.Queue()
        process = context.Process(target=_case, args=(name, queue))
        process.start()
        seconds, peak, floor = queue.get()
        process.join()
        rows.append([name, f"{seconds:.1f}", f"{peak / 1024:.2f}", f"{seconds / floor:.1f}"])
    return markdown_table(["split", "seconds", "peak memory, GiB", "seconds / one sort"], rows)


def pick_by_pick(items, count, rng):
    """The sequential definition at shift 1 as a loop: an item with rows left, then one of them."""
    rows_of = [list(rows) for rows in pd.Series(range(len(items))).groupby(items).indices.values()]
    drawn = []
    for _ in range(count):
        place = rng.randrange(len(rows_of))
        rows = rows_of[place]
        at = rng.randrange(len(rows))
        rows[at], rows[-1] = rows[-1], rows[at]
        drawn.append(rows.pop())
        if not rows:
            rows_of[place] = rows_of[-1]
            rows_of.pop()
    return drawn


def against_a_loop(rows=1_000_000):
    """A line that compares the draw with the loop over picks."""
    items = np.unique(interactions(rows)[1], return_inverse=True)[1]
    seconds = in_turn(
        {
            "loop": lambda: pick_by_pick(items, rows // 5, random.Random(0)),
            "sort": lambda: draw_by_item(items, rows // 5, 1.0, np.random.default_rng(0)),
        },
        5,
    )
    middle = {name: statistics.median(taken) for name, taken in seconds.items()}
    return (
        f"{rows // 5:,} of {rows:,} rows drawn by item: {middle['sort']:.3f} s; pick by pick in a "
        f"Python loop {middle['loop']:.2f} s, {ratio(seconds['loop'], seconds['sort']):.1f} times "
        "as long (median of ratios, in turn)."
    )


def _cells(sizes):
    test = sizes["test"]
    values = [sizes["train"]["gini"], *(test[key] for key in ("gini", "kl_train", "kl_uniform"))]
    return [f"{test['items']:,}", *(f"{value:.4f}" for value in values)]


_SHIFT_HEAD = ["test items", "Gini train", "Gini test", "KL test from train", "from uniform"]


def published_splits(folders):
    """Rows of the table: each published split, and ours of the same rows, three seeds."""
    rows = []
    for folder in map(Path, folders):
        train, test = (pd.read_csv(folder / f"{p}.tsv.gz", sep="\t") for p in ("train", "test"))
        both = pd.concat([train, test]).to_numpy()
        users, items = both[:, 0], both[:, 1]
        places = np.arange(len(both))
        parts = {"train": places[: len(train)], "test": places[len(train) :]}
        rows.append([folder.name, "published", *_cells(describe(users, items, parts))])
        for seed in range(3):
            split = popularity_split(users, items, [0.8, 0, 0.2], seed=seed)
            name = f"PS [0.8, 0, 0.2], seed {seed}"
            rows.append(["", name, *_cells(describe(users, items, split.parts))])
    return markdown_table(["data set", "split", *_SHIFT_HEAD], rows)


def ml_100k(folder):
    """Rows of the table: what each split makes of ml-100k."""
    rows = []
    for split, shift in (("RS", 1.0), ("PS", 0.0), ("PS", 0.5), ("PS", 1.0), ("GT", 1.0)):
        made = write_split(
            "ml-100k", split, split_shift=shift, output="shift", data_path=folder, overwrite=True
        )
        name = f"PS, split_shift {shift:g}" if split == "PS" else split
        sizes = made["popularity"]
        valid = sizes["valid"]
        rows.append([name, *_cells(sizes), f"{valid['gini']:.4f}", f"{sizes['test']['rows']:,}"])
    return markdown_table(["split", *_SHIFT_HEAD, "Gini valid", "test rows"], rows)


def main():
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--published", nargs="*", default=[], metavar="FOLDER")
    folders = parser.parse_args().published
    size = f"{ROWS:,} rows, {USERS:,} users, {ITEMS:,} items."
    write_page(PAGE, "time", [machine(), "", size, "", *time_and_memory(), "", against_a_loop()])
    with tempfile.TemporaryDirectory() as folder:
        write_page(PAGE, "ml-100k", ml_100k(folder))
    if folders:
        write_page(PAGE, "published", published_splits(folders))
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
