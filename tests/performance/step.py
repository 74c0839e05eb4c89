"""A training step: ours against the way RecBole allows, every loss, every backbone, every size.

    python tests/performance/step.py --data=FOLDER --dataset=amazon2014-electronic
    python tests/performance/step.py --tables=all,sizes
    python tests/performance/step.py --data=FOLDER --tables=blocks --vectors=AVX2

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `python -m recbole_dsl import`. A
step is all of it: the batch from the loader, its negatives, scores, loss, gradient, optimiser.
Variants are timed in turn in one process; peak memory is that of a process of its own. --vectors
limits a processor of Intel's, which may have more, to what others have.

The tables go to docs/results/step.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from measuring import (
    RESULTS,
    copy_rate,
    in_turn,
    machine,
    markdown_table,
    matrix_product_rate,
    ratio,
    write_page,
)

from recbole_dsl.backbones import MF
from recbole_dsl.common import memory
from recbole_dsl.common.property_files import read_yaml
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.losses import TrainingRows
from recbole_dsl.models.batch_inputs import BatchInputs
from recbole_dsl.models.registry import BACKBONES, LOSSES
from recbole_dsl.models.settings import build_from_settings
from recbole_dsl.training.optimizer import fused
from recbole_dsl.training.trainer import trainer_class

HERE = Path(__file__).parent
PROPERTIES = HERE.parent.parent / "properties"
PRESET = PROPERTIES / "presets/ir_benchmark.yaml"
B, M, D = 1024, 1000, 64
BLOCKS = (1, 8, 32, 128, 1024)
NAMES = {1: ", every row its own", B: ", one draw a step"}
HOST = "recbole_way:TiledMF"
# Vectors of a processor -> what holds MKL's, torch's and oneDNN's kernels to them.
LIMITS = {
    "AVX2": {
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    }
}


class Step:
    """One model with its loader and optimiser; calling it trains one batch."""

    def __init__(self, arguments, model, **settings):
        values = {
            "data_path": f"{Path(arguments.data).resolve()}/",
            "checkpoint_dir": arguments.scratch,
            "state": "ERROR",
            "show_progress": False,
            "seed": 2020,
            **settings,
        }
        if model == HOST:
            values["train_batch_size"] = B * M  # RecBole counts rows after tiling
        config = Config(model, arguments.dataset, [str(PRESET)], values)
        self.loader = split_dataset(config, load_dataset(config)).train
        torch.manual_seed(0)
        self.model = config.model_class(config, self.loader._dataset)
        self.trainer = trainer_class(config)(config, self.model)
        self.model.train()
        self._batches = iter(())

    def batch(self):
        """The next batch, of the next epoch where this one is over."""
        found = next(self._batches, None)
        if found is None or len(found) < B:  # the last batch of an epoch is smaller
            self._batches = iter(self.loader)
            found = next(self._batches)
        return found

    def train(self, batch):
        """One step on a batch."""
        self.trainer.optimizer.zero_grad()
        self.model.calculate_loss(batch).backward()
        self.trainer.optimizer.step()

    def __call__(self):
        self.train(self.batch())


def floor(model, block, rates):
    """Seconds that the arithmetic and the memory traffic of an MF_SL step must take.

    Operations: the product of B users with the items they are scored against, and its two
    gradients. Bytes: five passes over the scores, four over the vectors looked up, nine over
    parameters, gradients and Adam's moments (two to make the gradients, seven in Adam), read or
    written.
    """
    items = model.n_items if block in (1, "all") else M
    scores = B * items
    looked_up = 2 * B + (0 if block in (1, "all") else -(-B // block) * M)
    parameters = (model.n_users + model.n_items) * D
    moved = 4 * (5 * scores + 4 * looked_up * D + 9 * parameters)
    return 3 * 2 * scores * D / rates["product"] + moved / rates["copy"]


def peak_memory(arguments, model, **settings):
    """Peak resident MiB of a process that loads the data and trains ten steps."""
    command = [sys.executable, __file__, f"--data={arguments.data}"]
    command += [f"--dataset={arguments.dataset}", f"--alone={model}", json.dumps(settings)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def alone(arguments):
    """What :func:`peak_memory` runs."""
    model, settings = arguments.alone, json.loads(arguments.settings)
    step = Step(arguments, model, **settings)
    for _ in range(2 if model == HOST else 10):
        step()
    print(memory.peak_mb())


def milliseconds(seconds):
    """The median, as text."""
    return f"{1000 * statistics.median(seconds):.1f}"


def table_blocks(arguments, rates):
    """MF_SL: RecBole's way, and ours by block size and with all items."""
    args = {"train_neg_sample_args": {"distribution": "uniform", "sample_num": M}}
    host = Step(arguments, HOST, **args)
    settings = {block: {"train_neg_sample_args": {"block": block}} for block in BLOCKS}
    settings["all"] = {"train_neg_sample_args": {"sample_num": "all"}}
    ours = {block: Step(arguments, "MF_SL", **values) for block, values in settings.items()}
    host_seconds = in_turn({"host": host}, rounds=3)["host"]

    def many(step):
        return lambda: [step() for _ in range(10)]

    # RecBole's way once, then ten steps of each of ours, and so on.
    timed = in_turn({"host": host, **{k: many(v) for k, v in ours.items()}}, rounds=5)
    rows = [
        [
            "RecBole's way: `sample_num: 1000`, rows tiled",
            milliseconds(timed["host"] + host_seconds),
            "1",
            "",
            f"{peak_memory(arguments, HOST, **args):.0f}",
        ]
    ]
    for block, step in ours.items():
        seconds = [value / 10 for value in timed[block]]
        least = floor(step.model, block, rates)
        rows.append(
            [
                "`sample_num: all`"
                if block == "all"
                else f"`block: {block}`{NAMES.get(block, '')}",
                milliseconds(seconds),
                f"{ratio(timed['host'], seconds):.0f}",
                f"{1000 * least:.1f} ({statistics.median(seconds) / least:.1f} x)",
                f"{peak_memory(arguments, 'MF_SL', **settings[block]):.0f}",
            ]
        )
    head = ["MF, SL", "ms a step", "times as fast", "floor, ms", "peak MiB"]
    return markdown_table(head, rows)


def table_losses(arguments):
    """Every loss on MF against SL: own negatives for every row, and one draw a step."""
    rows = []
    for block in (1, B):
        settings = {"train_neg_sample_args": {"sample_num": M, "block": block}}
        steps = {loss: Step(arguments, f"MF_{loss}", **settings) for loss in LOSSES}
        for step in steps.values():  # the state they refresh between epochs
            step.model.begin_epoch(0, step.loader)
        rows.append(in_turn(steps, rounds=30, warmup=5))
    lines = []
    for loss in LOSSES:
        cells = [f"`{loss}`"]
        for timed in rows:
            cells += [milliseconds(timed[loss]), f"{ratio(timed[loss], timed['SL']):.2f}"]
        lines.append(cells)
    head = ["MF, 1,000 negatives", "`block: 1`, ms", "times SL", f"`block: {B}`, ms", "times SL"]
    return markdown_table(head, lines)


def table_backbones(arguments, rates):
    """Every backbone with SL: a step, and what of it is the embedding of the graph."""
    rows = []
    steps = {name: Step(arguments, f"{name}_SL") for name in BACKBONES}
    timed = in_turn(steps, rounds=20, warmup=3)
    for name, step in steps.items():
        backbone = step.model.backbone

        def embed(backbone=backbone):
            user, item = backbone.embed()
            torch.autograd.backward([user, item], [torch.ones_like(user), torch.ones_like(item)])

        seconds = in_turn({"embed": embed}, rounds=10, warmup=2)["embed"]
        share = statistics.median(seconds) / statistics.median(timed[name])
        cells = [f"`{name}`", milliseconds(timed[name]), milliseconds(seconds), f"{share:.0%}"]
        if hasattr(backbone, "graph"):
            edges = backbone.graph.values().numel()
            layers = getattr(backbone, "n_layers", None) or len(backbone.sum_weights)
            # Each of 2 directions, forth and back: a vector read and added for every edge.
            moved = layers * 4 * edges * D * 4
            least = moved / rates["copy"]
            cells.append(f"{1000 * least:.1f}")
        else:
            cells.append("")
        rows.append(cells)
    head = ["SL", "ms a step", "graph, forth and back, ms", "share", "its bytes at copy rate, ms"]
    return markdown_table(head, rows)


class Synthetic:
    """MF over random interactions, of any size, without a dataset: the parts of a step alone."""

    def __init__(self, n_users, n_items, *, loss, negatives, batch=B, sparse=False):
        """negatives: the size of a block that shares M draws, or "all" items."""
        users = torch.arange(1, n_users).repeat(20)
        items = torch.randint(1, n_items, (len(users),))
        rows = TrainingRows(users, items, n_users, n_items)
        self.sampler = NegativeSampler(*rows, distribution="uniform", alpha=1.0, seed=1)
        self.backbone = MF(*rows, embedding_size=D)
        options = read_yaml(PROPERTIES / f"loss/{loss}.yaml")
        self.loss = build_from_settings(LOSSES[loss], {**options, "model": f"MF_{loss}"})
        kind = torch.optim.SparseAdam if sparse else torch.optim.Adam
        self.optimizer = fused(kind(list(self.backbone.parameters()), lr=0.01))
        self.rows, self.sparse, self.negatives, self.batch = rows, sparse, negatives, batch

    def draw(self, users):
        """The negatives of a batch, in the way that is timed."""
        if self.negatives == "all":
            return self.sampler.all_but_positives(users)
        if self.negatives == 1:
            return self.sampler(users, M)
        return self.sampler.shared(users, M, self.negatives)

    def __call__(self):
        index = torch.randint(len(self.rows.users), (self.batch,))
        users, items = self.rows.users[index], self.rows.items[index]
        self.optimizer.zero_grad()
        inputs = BatchInputs(
            self.loss.inputs,
            users,
            items,
            self.backbone.embed(),
            cosine=True,
            draw=lambda: self.draw(users),
            in_batch_positive=lambda: self.sampler.positives.among(users, items),
            sparse=self.sparse,
        )
        self.loss(**inputs.select()).backward()
        self.optimizer.step()


def table_all():
    """Every item as a negative against 1,000 drawn ones, by catalogue, random interactions."""
    users, batch = 13_456, 2 * B  # as many as amazon2014-electronic has, which has 8,360 items
    ways = {"`block: 1`": 1, f"`block: {B}`": B, "`sample_num: all`": "all"}
    rows = []
    for items in (1_001, 2_001, 4_001, 8_361):  # one is RecBole's padding
        steps = {
            (loss, way): Synthetic(users, items, loss=loss, negatives=negatives, batch=batch)
            for loss in ("SL", "DSL")
            for way, negatives in ways.items()
        }
        timed = in_turn(steps, rounds=20, warmup=3)
        for way in ways:
            cells = [f"{items - 1:,}", way]
            for loss in ("SL", "DSL"):
                seconds = timed[loss, way]
                cells += [milliseconds(seconds), f"{ratio(seconds, timed[loss, '`block: 1`']):.2f}"]
            rows.append(cells)
    head = ["items", f"MF, {batch:,} positives"]
    head += ["SL, ms", "times `block: 1`", "DSL, ms", "times `block: 1`"]
    return markdown_table(head, rows)


def table_sizes():
    """MF_SL by users and items, with Adam and with row-sparse Adam."""
    sizes = [(10_000, 10_000), (10_000, 1_000_000), (1_000_000, 10_000), (1_000_000, 1_000_000)]
    steps = {
        (size, sparse): Synthetic(*size, loss="SL", negatives=B, sparse=sparse)
        for size in sizes
        for sparse in (True, False)
    }
    timed = in_turn(steps, rounds=20, warmup=3)
    rows = []
    for size in sizes:
        cells = [f"{size[0]:,}", f"{size[1]:,}"]
        for sparse in (True, False):
            seconds = timed[size, sparse]
            cells += [milliseconds(seconds), f"{ratio(seconds, timed[sizes[0], sparse]):.2f}"]
        rows.append(cells)
    head = ["users", "items", "`sparse_adam`, ms", "times smallest", "`adam`, ms", "times smallest"]
    return markdown_table(head, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the imported data sets; not for all and sizes")
    parser.add_argument("--dataset", default="amazon2014-electronic")
    parser.add_argument("--tables", default="blocks,all,losses,backbones,sizes")
    parser.add_argument("--vectors", choices=LIMITS, help="use no wider ones than these")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("settings", nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    limits = LIMITS.get(arguments.vectors, {})
    if limits.items() - os.environ.items():  # the libraries read them as they are loaded
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **limits})
    sys.argv = sys.argv[:1]  # RecBole's trainers look there
    sys.path.insert(0, str(HERE))  # recbole_way
    memory.keep_large_blocks()
    torch.use_deterministic_algorithms(True, warn_only=True)  # as a run has it
    torch.utils.deterministic.fill_uninitialized_memory = False
    with tempfile.TemporaryDirectory() as scratch:
        arguments.scratch = scratch
        if arguments.alone:
            alone(arguments)
            return
        rates = {"product": matrix_product_rate(B, D, M), "copy": copy_rate()}
        made = {
            "blocks": lambda: table_blocks(arguments, rates),
            "all": table_all,
            "losses": lambda: table_losses(arguments),
            "backbones": lambda: table_backbones(arguments, rates),
            "sizes": table_sizes,
        }
        for name in arguments.tables.split(","):
            lines = made[name]()
            limited = f" Limited to {arguments.vectors}." if limits else ""
            speed = (
                f"Measured rates: {rates['product'] / 1e9:.0f} GFLOP/s of matrix product, "
                f"{rates['copy'] / 1e9:.1f} GB/s of copying. {machine()}{limited}"
            )
            mark = f"{name}, {arguments.vectors}" if limits else name
            write_page(RESULTS / "step.md", mark, [*lines, "", speed])
            print("\n".join(lines), speed, sep="\n", flush=True)


if __name__ == "__main__":
    main()
