"""The spectral start: time and memory by number of interactions, and three libraries' SVD.

    python tests/performance/spectral.py [--rows=1000000,20000000]     about three minutes

Interactions are drawn: item popularity falls as rank ** -0.8, user activity is log-normal, half of
a user's draws are from the items of one of 40 tastes; a user for 100 rows and an item for 400, so
that 20,000,000 rows have 200,000 users and 50,000 items. Each number of rows is measured in a
process of its own; the libraries are compared at the smallest. Writes docs/results/spectral.md,
beside it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from measuring import RESULTS, in_turn, machine, markdown_table, write_page
from scipy.sparse.linalg import svds
from sklearn.utils.extmath import randomized_svd

from recbole_dsl.backbones import MF, LightGCN, normalized_bipartite
from recbole_dsl.common import memory

PAGE = RESULTS / "spectral.md"
D, TASTES = 64, 40
BACKBONES = {"MF": (MF, {}), "LightGCN": (LightGCN, {"n_layers": 2})}


def interactions(rows, seed=2020):
    """(users, items, n_users, n_items) of as many rows as asked for, the padding ids 0 free."""
    rng = np.random.default_rng(seed)
    n_users, n_items = max(rows // 100, 50), max(rows // 400, 2 * TASTES)
    n_items -= n_items % TASTES
    activity = np.cumsum(rng.lognormal(sigma=1.0, size=n_users))
    popularity = np.cumsum((np.arange(n_items) + 10.0) ** -0.8)
    users, items = torch.empty(rows, dtype=torch.int64), torch.empty(rows, dtype=torch.int64)
    for start in range(0, rows, 1 << 20):
        size = min(1 << 20, rows - start)
        user = np.searchsorted(activity, rng.random(size) * activity[-1]).clip(max=n_users - 1)
        item = np.searchsorted(popularity, rng.random(size) * popularity[-1]).clip(max=n_items - 1)
        own = rng.random(size) < 0.5
        item[own] = item[own] // TASTES * TASTES + user[own] % TASTES
        users[start : start + size] = torch.from_numpy(user + 1)
        items[start : start + size] = torch.from_numpy(item + 1)
    return users, items, n_users + 1, n_items + 1


# One number of rows, in a process of its own ----------------------------------------------------


def _start(rows, name):
    memory.keep_large_blocks()
    data = interactions(rows)
    cls, options = BACKBONES[name]
    before = time.perf_counter()
    model = cls(*data, embedding_size=D, initialization="spectral", **options)
    built = time.perf_counter()
    resident = memory.resident_mb()
    model.initialise()
    done = time.perf_counter()
    peak = memory.peak_mb()  # here, since counting the distinct rows takes memory too
    result = {
        "edges": len(torch.unique(data[0] * data[3] + data[1])),
        "users": data[2] - 1,
        "items": data[3] - 1,
        "model": built - before,
        "start": done - built,
        "resident": resident / 1024,
        "peak": peak / 1024,
    }
    print(json.dumps(result))


def measure(rows, name):
    """A start in a process of its own: seconds and GiB."""
    here = Path(__file__).resolve()
    paths = [str(here.parents[2]), str(here.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(here), f"--rows={rows}", f"--start={name}"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _time_table(sizes):
    table = []
    for rows in sizes:
        for name in BACKBONES:
            found = measure(rows, name)
            print(f"{rows:,} rows, {name}: {found['start']:.1f} s", file=sys.stderr)
            shape = f"{found['users']:,} x {found['items']:,}"
            table.append(
                [
                    name,
                    f"{rows:,}",
                    f"{found['edges']:,}",
                    shape,
                    f"{found['model']:.1f}",
                    f"{found['start']:.1f}",
                    f"{found['resident']:.2f}",
                    f"{found['peak']:.2f}",
                ]
            )
    head = ["backbone", "rows", "distinct", "users x items", "constructor, s", "spectral start, s"]
    return markdown_table([*head, "GiB before it", "peak GiB"], table)


# The libraries ----------------------------------------------------------------------------------


def _library_table(rows, rounds):
    """Seconds, and the share of the exact singular values' squares that each one finds."""
    graph, _ = normalized_bipartite(*interactions(rows))
    parts = (graph.values().numpy(), graph.col_indices().numpy(), graph.crow_indices().numpy())
    matrix = scipy.sparse.csr_matrix(parts, shape=tuple(graph.shape))
    exact = svds(matrix.astype(np.float64), D, random_state=0)[1]
    kept = {}

    def keep(name, function):
        def call():
            kept[name] = np.asarray(function()[1], dtype=np.float64)

        return call

    functions = {
        "scikit-learn randomized_svd, 7 power iterations": lambda: randomized_svd(
            matrix, D, n_oversamples=10, n_iter=7, random_state=0
        ),
        "scikit-learn randomized_svd, 4": lambda: randomized_svd(
            matrix, D, n_oversamples=10, n_iter=4, random_state=0
        ),
        "torch.svd_lowrank, 7": lambda: torch.svd_lowrank(graph, q=D + 10, niter=7),
        "torch.svd_lowrank, 4": lambda: torch.svd_lowrank(graph, q=D + 10, niter=4),
        "scipy svds (ARPACK), float32": lambda: svds(matrix, D, random_state=0),
    }
    seconds = in_turn({name: keep(name, call) for name, call in functions.items()}, rounds)
    table = [
        [
            name,
            f"{statistics.median(seconds[name]):.2f}",
            f"{np.square(np.sort(kept[name])[::-1][:D]).sum() / np.square(exact).sum():.4f}",
        ]
        for name in functions
    ]
    return markdown_table(["SVD", "seconds", "sum of squared singular values / exact"], table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="1000000,20000000", help="numbers of rows")
    parser.add_argument("--rounds", type=int, default=3, help="of the libraries")
    parser.add_argument("--start", choices=BACKBONES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = sorted(int(number) for number in options.rows.split(","))
    if options.start:
        return _start(sizes[0], options.start)
    lines = [machine(), "", *_time_table(sizes), "", f"At {sizes[0]:,} rows:", ""]
    write_page(PAGE, "spectral", [*lines, *_library_table(sizes[0], options.rounds)])


if __name__ == "__main__":
    main()
