"""Our evaluation beside stock RecBole's: seconds, loader construction, memory, metric classes.

    python tests/performance/evaluation.py --data=FOLDER --dataset=amazon2014-electronic

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `python -m recbole_dsl import`.
Writes its tables into docs/results/evaluation.md; takes about five minutes. --parts=large does
a part alone.

1. One model, MF_SL after an epoch, evaluated on the test part by RecBole's Trainer, loader and
   collector with RecBole's default settings, by the same with our loader and collector (what
   RecBole's own models get), and by blocks (what our models get). The numbers must agree.
2. A catalogue of 1,000,000 items, random vectors, each size in a process of its own.
3. The time of RecBole's metric classes alone, with their code and with ours in place of its loops.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import measuring
import torch
from measuring import RESULTS, copy_rate, in_turn, markdown_table, matrix_product_rate, write_page
from recbole.data import create_samplers
from recbole.data.utils import get_dataloader
from recbole.evaluator import metric_types
from recbole.evaluator import metrics as host_metrics
from recbole.evaluator.collector import DataStruct
from recbole.evaluator.register import metrics_dict
from recbole.trainer import Trainer
from recbole.utils import EvaluatorType

from recbole_dsl.common import memory
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.loaders.full_sort import BatchedFullSortLoader
from recbole_dsl.data.loaders.held_out import HeldOut
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation.collector import TopkCollector
from recbole_dsl.evaluation.evaluator import unrounded_evaluator
from recbole_dsl.training.trainer import trainer_class

HERE = Path(__file__).resolve().parent
PRESET = HERE.parent.parent / "properties/presets/ir_benchmark.yaml"
PAGE = RESULTS / "evaluation.md"
K, D = 20, 64
DEFAULT_METRICS = ["Recall", "MRR", "NDCG", "Hit", "Precision"]  # RecBole's overall.yaml
RANKING = [
    name
    for name, kind in metric_types.items()
    if kind == EvaluatorType.RANKING and metrics_dict[name].__module__ == host_metrics.__name__
]
ITEMS, TESTED, SEEN, POSITIVES = 1_000_000, (20_000, 100_000), 50, 10
METRIC_USERS = 2_000
QUIET = {"state": "ERROR", "show_progress": False}


@contextlib.contextmanager
def own_folder():
    """RecBole's saved/ and log_tensorboard/ go to a folder that is removed."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def seconds_of(function):
    """(result, seconds) of one call."""
    started = time.perf_counter()
    return function(), time.perf_counter() - started


# 1. Beside RecBole ------------------------------------------------------------------------------


def trained(data, dataset):
    """MF_SL after one epoch: (config, model, trainer, loaders)."""
    settings = {
        "data_path": f"{data}/",
        "metrics": DEFAULT_METRICS,
        "epochs": 1,
        "train_neg_sample_args": {"block": 1024},
        **QUIET,
    }
    config = Config("MF_SL", dataset, [str(PRESET)], settings)
    loaders = list(split_dataset(config, load_dataset(config)).loaders.values())
    model = config.model_class(config, loaders[0]._dataset)
    trainer = trainer_class(config)(config, model)
    trainer.fit(loaders[0], None, saved=False, show_progress=False)
    return config, model, trainer, loaders


def stock_loader(config, parts):
    """RecBole's loader of the test part, on RecBole's samplers."""
    samplers = create_samplers(config, parts[0], parts)
    return get_dataloader(config, "test")(config, parts[2], samplers[2], shuffle=False)


def beside_recbole(data, dataset, rounds):
    """Lines of the first table."""
    config, model, trainer, loaders = trained(data, dataset)
    train, _, test = loaders
    parts = [loader._dataset for loader in loaders]
    assert config["eval_batch_size"] == 4096 and config["topk"] == [K]
    stock, stock_build = seconds_of(lambda: stock_loader(config, parts))
    _, our_build = seconds_of(
        lambda: BatchedFullSortLoader(config, parts[2], None, earlier=parts[:2])
    )
    config["metric_decimal_place"] = 12
    host = Trainer(config, model)
    for collector in (host.eval_collector, trainer.eval_collector):
        collector.data_collect(train)
    results = {}

    def evaluate(name, loader, evaluator):
        results[name] = evaluator(loader, load_best_model=False)

    ways = {
        "stock RecBole": lambda: evaluate("stock RecBole", stock, host.evaluate),
        "RecBole's Trainer on our loader and collector": lambda: evaluate(
            "RecBole's Trainer on our loader and collector", test, steps.evaluate
        ),
        "blocks": lambda: evaluate("blocks", test, trainer.evaluate),
    }
    steps = Trainer(config, model)
    steps.eval_collector = TopkCollector(config)
    threads = torch.get_num_threads()
    rows = []
    for count in sorted({threads, 1}, reverse=True):
        torch.set_num_threads(count)
        trainer.evaluate(test, load_best_model=False)  # warm
        seconds = in_turn(ways, rounds, warmup=0)
        seconds["blocks"] += in_turn({"blocks": ways["blocks"]}, 4, warmup=0)["blocks"]
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        floor, parts_of_floor = evaluation_floor(len(test.held_out), model.n_items)
        for name, value in medians.items():
            faster = medians["stock RecBole"] / value
            rows.append([count, name, f"{value:.3g}", f"{faster:.0f}", f"{value / floor:.1f}"])
        rows.append([count, f"floor ({parts_of_floor})", f"{floor:.3g}", "", ""])
    torch.set_num_threads(threads)
    for name, result in results.items():
        for metric, value in results["stock RecBole"].items():
            assert abs(float(result[metric]) - float(value)) < 2e-6, (name, metric)
    struct, ranking = seconds_of(lambda: trainer.eval_collector.collect(model, test))
    _, scoring = seconds_of(lambda: trainer.evaluator.evaluate(struct))
    for one in (trainer, host, steps):
        one.tensorboard.close()

    shown = ", ".join(f"{metric} {value:.6f}" for metric, value in results["blocks"].items())
    return [
        f"{dataset}: {len(test.held_out):,} users, {model.n_items - 1:,} items, K = {K}, D = {D}. "
        f"{measuring.machine()}",
        "",
        *markdown_table(["threads", "evaluation", "seconds", "times faster", "of the floor"], rows),
        "",
        f"Of the blocks' time, {ranking:.3f} s rank and {scoring:.3f} s are RecBole's metric "
        f"classes. Building the loader: {stock_build:.2f} s stock (with its samplers), "
        f"{our_build:.3f} s ours. All agree to 2e-6: {shown}.",
    ]


def evaluation_floor(users, items):
    """Seconds of the product and of writing and reading every score once, and how they add up."""
    product, copied = matrix_product_rate(512, D, items), copy_rate()
    multiply, move = 2 * users * items * D / product, 2 * 4 * users * items / copied
    rates = f"{product / 1e9:.0f} GFLOP/s, {copied / 1e9:.1f} GB/s"
    return multiply + move, f"product {multiply:.3f} + scores moved {move:.3f}, at {rates}"


# 2. A large catalogue ---------------------------------------------------------------------------


def rank_large(items, users):
    """Evaluate random vectors; prints seconds and this process's peak memory as JSON."""
    memory.keep_large_blocks()
    torch.manual_seed(0)
    settings = {"topk": [K], "metrics": [*DEFAULT_METRICS, "ItemCoverage"], **QUIET}
    config = Config("MF_SL", "ml-100k", config_dict={**settings, "valid_metric": f"MRR@{K}"})
    tables = torch.randn(users + 1, D), torch.randn(items, D)
    rows = torch.arange(1, users + 1)
    earlier, asked = (
        (rows.repeat_interleave(n), torch.randint(1, items, (users * n,)))
        for n in (SEEN, POSITIVES)
    )
    held_out, build = seconds_of(lambda: HeldOut(*asked, [earlier], users + 1, items))
    collector, evaluator = TopkCollector(config), unrounded_evaluator(config)
    collector.data_struct.set("data.num_items", items)
    loader, model = SimpleNamespace(held_out=held_out), SimpleNamespace(embed=lambda: tables)
    before = memory.peak_mb()
    struct, ranking = seconds_of(lambda: collector.collect(model, loader))
    _, scoring = seconds_of(lambda: evaluator.evaluate(struct))
    peak = memory.peak_mb()
    for user in (1, users // 2, users):
        scores = tables[1] @ tables[0][user]
        scores[0] = scores[held_out.history.of(torch.tensor([user]))[1]] = -torch.inf
        assert torch.equal(struct["rec.items"][user - 1], scores.topk(K).indices)
    print(
        json.dumps(
            {
                "build": build,
                "ranking": ranking,
                "scoring": scoring,
                "before": before,
                "peak": peak,
                "product": matrix_product_rate(256, D, 1 << 14),
            }
        )
    )


def large_catalogue():
    """Lines of the second table."""
    rows = []
    for users in TESTED:
        command = [sys.executable, str(HERE / "evaluation.py"), f"--large={users}"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        total = found["ranking"] + found["scoring"]
        product = 2 * users * ITEMS * D / found["product"]
        rows.append(
            [
                f"{users:,}",
                f"{found['build']:.1f}",
                f"{total:.0f}",
                f"{found['scoring']:.1f}",
                f"{product:.0f}",
                f"{total / product:.1f}",
                f"{found['before']:,.0f}",
                f"{found['peak']:,.0f}",
            ]
        )
    head = [
        "users", "arrays, s", "evaluation, s", "of it metric classes, s", "product alone, s",
        "times the product", "MiB before", "peak MiB",
    ]  # fmt: skip
    return [
        f"{ITEMS:,} items, D = {D}, K = {K}; {SEEN} seen items and {POSITIVES} positives a user; "
        f"eval_memory 256. {measuring.machine()}",
        "",
        *markdown_table(head, rows),
    ]


# 3. RecBole's metric classes --------------------------------------------------------------------


def metric_classes():
    """Lines of the third table."""
    users, items = METRIC_USERS, 8_360
    settings = {"topk": [K], "metrics": RANKING, "valid_metric": "MRR@20", **QUIET}
    config = Config("MF_SL", "ml-100k", config_dict=settings)
    torch.manual_seed(0)
    counts = torch.randint(1, 10, (users, 1), dtype=torch.int32)
    hits = (torch.rand(users, K) < 0.05).int()
    struct = DataStruct()
    struct.set("rec.topk", torch.cat((hits, counts), dim=1))
    struct.set("rec.items", torch.randint(1, items, (users, K)))
    struct.set("data.num_items", items)
    struct.set("data.num_users", users)
    struct.set("data.count_items", dict(enumerate(torch.randint(1, 500, (items,)).tolist())))
    # RecBole's file once more under another name: its code before ours takes the place of some.
    spec = importlib.util.spec_from_file_location("untouched", host_metrics.__file__)
    untouched = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(untouched)
    lines = []
    for name, metric in unrounded_evaluator(config).metric_class.items():
        if "rec.meanrank" in metric.metric_need:
            continue
        own = getattr(untouched, type(metric).__name__)(config)
        ways = {"RecBole": own, "here": metric}
        seconds = in_turn(
            {way: (lambda one=one: one.calculate_metric(struct)) for way, one in ways.items()}, 3
        )
        each = {way: statistics.median(times) / users * 1e5 for way, times in seconds.items()}
        lines.append((name, each["RecBole"], each["here"]))
    lines.sort(key=lambda line: -line[1])
    return [
        f"Measured on {users:,} users, {items:,} items, K = {K}. {measuring.machine()}",
        "",
        *markdown_table(
            ["metric", "RecBole's code, s for 100,000 users", "here", "times faster"],
            [[n, f"{slow:.3g}", f"{fast:.3g}", f"{slow / fast:.3g}"] for n, slow, fast in lines],
        ),
    ]


def main():
    """Run all three parts and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the data sets")
    parser.add_argument("--dataset", default="amazon2014-electronic")
    parser.add_argument("--rounds", type=int, default=1, help="runs of stock RecBole's evaluation")
    names = ("recbole", "large", "metrics")
    parser.add_argument("--parts", nargs="+", choices=names, default=names, help="tables to renew")
    parser.add_argument("--large", type=int, metavar="USERS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.large:
        with own_folder():
            rank_large(ITEMS, arguments.large)
        return
    if not arguments.data:
        parser.error("--data is needed: the folder that holds the data set's folder")
    data = Path(arguments.data).resolve()
    memory.keep_large_blocks()  # for both sides
    parts = {
        "recbole": lambda: beside_recbole(data, arguments.dataset, arguments.rounds),
        "large": large_catalogue,
        "metrics": metric_classes,
    }
    for name in arguments.parts:
        with own_folder():
            lines = parts[name]()
        write_page(PAGE, name, lines)
        print("\n".join(lines), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
