"""Steps of SASRec: RecBole's CE over all items, and SL over drawn negatives, time and memory.

    python tests/performance/sequence_step.py --items=1682,100000,1000000

The data are made: each item comes once at least, sequences are ten items long. A step is all of it:
batch, encoder, scores, loss, gradient, optimiser. Times are taken in turn in one process; peak
memory is that of a process of its own, which makes three steps. The table goes to
docs/results/sequence_step.md.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import RESULTS, in_turn, machine, markdown_table, ratio, write_page

from recbole_dsl.common import memory
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.models.build import build_model
from recbole_dsl.training.trainer import trainer_class

PAGE = RESULTS / "sequence_step.md"
LONGEST, BATCH, ROUNDS = 10, 512, 5
WAYS = {
    "RecBole's CE, all items": ("SASRec", {"train_neg_sample_args": None}),
    "SL, 1,000 drawn for each row": ("SASRec_SL", {"train_neg_sample_args": {"block": 1}}),
    "SL, 1,000 drawn for the batch": ("SASRec_SL", {"train_neg_sample_args": {"block": BATCH}}),
}


def write_data(folder, items):
    """dataset/made: users of LONGEST + 4 rows each, so that every item comes at least once."""
    home, length = Path(folder) / "made", LONGEST + 4
    home.mkdir(parents=True)
    users = max(-(-items // length), 400)
    rng = np.random.default_rng(0)
    ids = np.concatenate([rng.permutation(items), rng.integers(0, items, users * length - items)])
    with open(home / "made.inter", "w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for row, item in enumerate(ids):
            file.write(f"{row // length}\t{item}\t{row % length}\n")


def trained(folder, way):
    """A function that makes one step, and forgets nothing between them."""
    model_name, settings = WAYS[way]
    config = Config(
        model_name,
        "made",
        config_dict={
            "data_path": f"{folder}/",
            "MAX_ITEM_LIST_LENGTH": LONGEST,
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "train_batch_size": BATCH,
            "state": "ERROR",
            **settings,
        },
    )
    train = split_dataset(config, load_dataset(config)).train
    model = build_model(config, train._dataset)
    trainer = trainer_class(config)(config, model)
    model.train()
    batches = itertools.chain.from_iterable(itertools.repeat(train))

    def step():
        trainer.optimizer.zero_grad(set_to_none=True)
        model.calculate_loss(next(batches).to(config["device"])).backward()
        trainer.optimizer.step()

    return step


def peak_mb(folder, way):
    """Peak memory of a process that makes three steps, beside what it has before them."""
    command = [sys.executable, __file__, f"--memory={way}", f"--folder={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"none: it was stopped ({done.returncode})"
    before, peak = json.loads(done.stdout.splitlines()[-1])
    return f"{peak - before:,.0f}"


def measured(items):
    """A row of the table for each way."""
    with tempfile.TemporaryDirectory() as folder:
        write_data(folder, items)
        os.chdir(folder)
        steps = {way: trained(folder, way) for way in WAYS}
        seconds = in_turn(steps, ROUNDS)
        host = seconds[next(iter(WAYS))]
        steps.clear()
        return [
            [
                f"{items:,}",
                way,
                f"{1000 * statistics.median(seconds[way]):,.0f}",
                f"{ratio(host, seconds[way]):.1f}",
                peak_mb(folder, way),
            ]
            for way in WAYS
        ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", default="1682,100000,1000000")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    memory.keep_large_blocks()
    if arguments.memory:
        os.chdir(arguments.folder)
        step = trained(arguments.folder, arguments.memory)
        before = memory.peak_mb()
        for _ in range(3):
            step()
        print(json.dumps([before, memory.peak_mb()]))
        return
    rows = []
    for items in arguments.items.split(","):
        rows += measured(int(items))
        head = ["items", "way", "ms a step", "times RecBole's", "peak memory of the steps, MiB"]
        table = markdown_table(head, rows)
        write_page(PAGE, "sequence_step", [machine(), "", *table])
        print("\n".join(table), flush=True)


if __name__ == "__main__":
    main()
