"""Memory and time of ``recommend`` for a large model: ``python serving_memory.py [RANKED]``.

A checkpoint of 100,000 users and 1,000,000 items of 64 dimensions, with 100 seen items a user, is
written to a temporary folder; a process of its own recommends 20 items to RANKED users (default:
all) and prints its peak memory.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

USERS, ITEMS, DIMENSIONS, SEEN = 100_000, 1_000_000, 64, 100


def write_checkpoint(path: Path) -> None:
    """A checkpoint of random vectors."""
    from recbole_dsl.serving.section import ItemLists, Section, append
    from recbole_dsl.training import sealed_file

    rng = np.random.default_rng(0)
    vectors = [rng.standard_normal((n, DIMENSIONS), np.float32) for n in (USERS, ITEMS)]
    ids = [np.array([f"{kind}{n:09d}" for n in range(size)], object) for kind, size in
           (("user-", USERS), ("item-", ITEMS))]  # fmt: skip
    seen = np.sort(rng.integers(0, ITEMS, (USERS, SEEN), np.int32), axis=1)
    lists = ItemLists(np.arange(USERS + 1) * SEEN, seen.reshape(-1))
    meta = {"recbole_dsl": "0", "model": "MF_SL", "dataset": "large", "epoch": 1, "score": "dot"}
    sealed_file.write(path, {})
    append(path, Section(meta, *ids, *vectors, {"train": lists}))


def recommend(path: str, ranked: int) -> None:
    """Print seconds and peak memory of loading, and of recommending."""
    from recbole_dsl import load_recommender
    from recbole_dsl.common.memory import peak_mb

    started = time.perf_counter()
    recommender = load_recommender(path)
    took, peak = time.perf_counter() - started, peak_mb()
    print(f"load: {took:.1f} s, peak {peak:.0f} MiB", flush=True)
    started = time.perf_counter()
    table = recommender.recommend(recommender.users[:ranked], 20)
    took, peak = time.perf_counter() - started, peak_mb()
    print(f"recommend: {len(table):,} rows, {took:.1f} s, peak {peak:.0f} MiB", flush=True)


def main(ranked: int = USERS) -> None:
    """Write the checkpoint here, and recommend in a process whose memory is its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.pth"
        write_checkpoint(path)
        subprocess.run([sys.executable, __file__, str(path), str(ranked)], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        recommend(sys.argv[1], int(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:]))
