"""From atomic files to the first training step, at 1,000,000 and 20,000,000 interactions.

    python tests/performance/scale.py --folder=FOLDER [--rows=1000000,20000000] [--rounds=3]

Writes data sets of that many rows into FOLDER (30 bytes a row; kept, and found again by a second
call), starts each in a process of its own, and puts what it takes into docs/results/scale.md:

- MF_SL, first start: reads, filters (5-core), splits (80:10:10 by user, at random), builds the
  model, takes one step of 2,048 positives with 1,000 negatives shared by the batch; keeps the
  dataset in FOLDER/cache.
- MF_SL, second start: the same from that cache.
- RecBole, for the smallest number of rows alone: its own reader, Dataset, samplers and loaders with
  its BPR, one step of 2,048 positives with one negative each. Taken in turn with the other two,
  ``--rounds`` times; times are medians, ratios medians of ratios.

The lines of a start come from its log, as every run shows them.
"""

import argparse
import json
import logging
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from measuring import RESULTS, machine, markdown_table, ratio, write_page

HERE = Path(__file__).parent
SETTINGS = {
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "user_inter_num_interval": "[5,inf)",
    "item_inter_num_interval": "[5,inf)",
    "train_batch_size": 2048,
    "device": "cpu",
    "state": "INFO",
}
_LINE = re.compile(r"(.+?): (?:([\d,]+) rows, )?([\d,.]+) s, ([\d.]+) GiB resident")


# The data --------------------------------------------------------------------------------------


def _digits(numbers, width):
    """Decimal digits as ASCII, (N, width) uint8."""
    powers = 10 ** np.arange(width - 1, -1, -1)
    return (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def write_dataset(folder, rows, seed=2020):
    """A data set of ``rows`` interactions, a user for 20 and an item for 100 of them.

    Item popularity falls as rank ** -0.8, user activity is log-normal.
    """
    name = f"scale{rows}"
    path = Path(folder) / name / f"{name}.inter"
    if path.exists():
        return name
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    n_users, n_items = max(rows // 20, 10), max(rows // 100, 10)
    items = np.cumsum((np.arange(n_items) + 10.0) ** -0.8)
    users = np.cumsum(rng.lognormal(sigma=1.0, size=n_users))
    number = rng.permutation(n_items)
    partial = path.with_suffix(".part")
    with open(partial, "wb") as file:
        file.write(b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
        for start in range(0, rows, 1 << 20):
            size = min(1 << 20, rows - start)
            user = np.searchsorted(users, rng.random(size) * users[-1]).clip(max=n_users - 1)
            item = np.searchsorted(items, rng.random(size) * items[-1]).clip(max=n_items - 1)
            text = np.full((size, 30), ord("\t"), dtype=np.uint8)
            text[:, :7] = _digits(user + 1_000_000, 7)
            text[:, 8:14] = _digits(number[item] + 100_000, 6)
            text[:, 15:18] = np.frombuffer(b"0.0", np.uint8)
            text[:, 15] += rng.integers(1, 6, size).astype(np.uint8)
            text[:, 19:29] = _digits(rng.integers(10**9, 15 * 10**8, size), 10)
            text[:, 29] = ord("\n")
            file.write(text.tobytes())
    partial.rename(path)
    return name


# One start, in a process of its own ------------------------------------------------------------


class _Lines(logging.Handler):
    """The phases that a run logs."""

    def __init__(self):
        super().__init__()
        self.phases = []

    def emit(self, record):
        if found := _LINE.fullmatch(str(record.msg)):
            name, rows, seconds, memory = found.groups()
            name = re.sub(r"(load|keep) .*", r"\1 cache entry", name)
            name = re.sub(r"(read|hash) .*", r"\1 file", name)
            self.phases.append((name, rows or "", float(seconds.replace(",", "")), float(memory)))


def _start(name, who):
    started = time.perf_counter()
    sys.argv = sys.argv[:1]  # RecBole reads it
    from recbole.data import create_dataset, data_preparation

    from recbole_dsl.common import memory
    from recbole_dsl.common.timing import Clock
    from recbole_dsl.compat import atomic_reader
    from recbole_dsl.config.run_config import Config
    from recbole_dsl.data import pipeline
    from recbole_dsl.training.trainer import trainer_class

    lines = _Lines()
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    memory.keep_large_blocks()
    clock = Clock()
    settings = {**SETTINGS, "data_path": os.getcwd(), "cache_dir": "cache", "dataset_cache": True}
    if who == "RecBole":
        atomic_reader.obstacle = lambda path, delimiter: "the benchmark"
        config = Config("BPR", name, config_dict=settings)
        clock.done("settings")
        dataset = create_dataset(config)
        clock.done("load", len(dataset.inter_feat))
        train = data_preparation(config, dataset)[0]
        clock.done("split and loaders", len(dataset.inter_feat))
    else:
        settings["train_neg_sample_args"] = {"sample_num": 1000, "block": 2048}
        config = Config("MF_SL", name, config_dict=settings)
        clock.done("settings")
        train = pipeline.split_dataset(config, pipeline.load_dataset(config)).train
    clock = Clock()
    model = config.model_class(config, train._dataset)
    trainer = trainer_class(config)(config, model)
    clock.done("model and trainer")
    batch = next(iter(train))
    clock.done("first batch", len(batch))
    model.train()
    model.calculate_loss(batch).backward()
    trainer.optimizer.step()
    clock.done("first step", len(batch))
    trainer.tensorboard.close()
    result = {
        "phases": lines.phases,
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time(),
        "peak": memory.peak_mb() / 1024,
    }
    print(json.dumps(result))


def measure(folder, name, who):
    """One start in a process of its own: its phases, seconds and peak memory in GiB."""
    paths = [str(HERE.parent.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(Path(__file__).resolve()), f"--start={name}", f"--who={who}"]
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# The page --------------------------------------------------------------------------------------

FIRST, SECOND = "MF_SL, first start", "MF_SL, second start"


def _bytes_once(path):
    """Seconds to read a file's bytes once, the floor of reading it."""
    started = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        block = bytearray(1 << 22)
        while file.readinto(block):
            pass
    return time.perf_counter() - started


def _rounds(folder, name, kinds, rounds):
    found = {kind: [] for kind in kinds}
    for _ in range(rounds):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        for kind in kinds:
            found[kind].append(measure(folder, name, "RecBole" if kind == "RecBole" else "ours"))
            print(f"{name}: {kind}: {found[kind][-1]['seconds']:.1f} s", file=sys.stderr)
    return found


def _phase_table(starts):
    """Phases of the median start of each kind, one under the other."""
    rows = []
    for kind, results in starts.items():
        result = sorted(results, key=lambda r: r["seconds"])[len(results) // 2]
        rows += [(kind, n, r, f"{s:.1f}", f"{m:.1f}") for n, r, s, m in result["phases"]]
        total = f"**{result['seconds']:.1f}** (CPU {result['cpu']:.1f})"
        rows.append((kind, "**all, with imports**", "", total, f"**{result['peak']:.1f}** at most"))
    return markdown_table(["start", "phase", "rows", "seconds", "GiB resident"], rows)


def _ratio_table(starts):
    def taken(kind, what):
        return [result[what] for result in starts[kind]]

    rows = []
    for kind in starts:
        cells = [kind]
        for what in ("seconds", "cpu"):
            cells.append(f"{statistics.median(taken(kind, what)):.1f}")
            cells.append(f"{ratio(taken('RecBole', what), taken(kind, what)):.1f}")
        rows.append((*cells, f"{max(taken(kind, 'peak')):.2f}"))
    head = ["start", "seconds", "RecBole / this", "CPU seconds", "RecBole / this", "peak GiB"]
    return markdown_table(head, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where data sets and cache go")
    parser.add_argument("--rows", default="1000000,20000000", help="numbers of rows")
    parser.add_argument("--rounds", type=int, default=3, help="for the smallest number of rows")
    parser.add_argument("--start", help=argparse.SUPPRESS)
    parser.add_argument("--who", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        return _start(options.start, options.who)
    if options.folder is None:
        parser.error("--folder is needed")
    folder, lines = options.folder.resolve(), [machine(), ""]
    sizes = sorted(int(number) for number in options.rows.split(","))
    for rows in sizes:
        name = write_dataset(folder, rows)
        smallest = rows == sizes[0]
        kinds = ["RecBole", FIRST, SECOND] if smallest else [FIRST, SECOND]
        starts = _rounds(folder, name, kinds, options.rounds if smallest else 1)
        path = folder / name / f"{name}.inter"
        lines += [f"## {rows:,} rows", ""]
        if smallest:
            lines += [*_ratio_table(starts), ""]
        floor = (
            f"{path.stat().st_size / 2**20:.0f} MiB; its bytes alone: {_bytes_once(path):.2f} s."
        )
        lines += [*_phase_table(starts), "", f"The file has {floor}", ""]
    write_page(RESULTS / "scale.md", "scale", lines)


if __name__ == "__main__":
    main()
