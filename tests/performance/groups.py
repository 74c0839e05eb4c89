"""What group metrics add to a test evaluation, and RecBole's coverage metrics before and after.

    python tests/performance/groups.py --data=dataset --dataset=amazon2014-electronic

Writes two tables into docs/results/groups.md. About three minutes, of which RecBole's own
TailPercentage takes one or two.
Without --dataset only the second table is made, which needs no data.
"""

import argparse
import importlib.util
import statistics
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from measuring import RESULTS, in_turn, machine, markdown_table, write_page
from recbole.evaluator import metrics as host
from recbole.evaluator.collector import DataStruct

from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation.grouped_tests import GroupedTests
from recbole_dsl.training.trainer import trainer_class

PAGE = RESULTS / "groups.md"
COVERAGE = ["ItemCoverage", "AveragePopularity", "ShannonEntropy", "GiniIndex", "TailPercentage"]
USERS, ITEMS, K = 100_000, 10_000, 20
GROUPS = {
    "none": {},
    "item_popularity, three groups (default)": {
        "item_popularity": {"head": 1, "mid": 1, "tail": 1}
    },
    "... ten groups": {"item_popularity": 10},
    "user_activity, three groups": {"user_activity": 3},
    "both of three": {"item_popularity": {"head": 1, "mid": 1, "tail": 1}, "user_activity": 3},
}
FILES = Path(__file__).parents[2] / "properties" / "presets" / "ir_benchmark.yaml"


def evaluated(data, dataset, rounds):
    """Rows of the first table: a whole test evaluation with each kind of groups, in turn."""
    found = {}
    for name, groups in GROUPS.items():
        for model in ("MF_SL", "BPR"):
            given = {"group_metrics": groups, "data_path": data, "state": "ERROR", "epochs": 0}
            config = Config(model, dataset, [str(FILES)], {**given, "strict_config": False})
            train, _, test = split_dataset(config, load_dataset(config)).loaders.values()
            torch.manual_seed(0)
            trainer = trainer_class(config)(config, config.model_class(config, train._dataset))
            started = time.perf_counter()
            grouped = GroupedTests(config, train)
            built = time.perf_counter() - started

            def evaluate(grouped=grouped, trainer=trainer, test=test):
                flat, _ = trainer.measure(test, grouped.measures, load_best_model=False)
                grouped.report({"test": flat})

            found[name, model] = evaluate, built
    seconds = in_turn({key: evaluate for key, (evaluate, _) in found.items()}, rounds)
    median = {key: statistics.median(values) for key, values in seconds.items()}
    users, items = len(test.held_out), train._dataset.item_num - 1
    rows = [
        [name, *(f"{median[name, m]:.3f}" for m in ("MF_SL", "BPR")),
         f"{median[name, 'MF_SL'] - median['none', 'MF_SL']:.3f}", f"{found[name, 'MF_SL'][1]:.3f}"]
        for name in GROUPS
    ]  # fmt: skip
    head = ["groups", "MF_SL, s", "BPR (RecBole), s", "MF_SL: more than none, s", "groups made, s"]
    return [f"{dataset}: {users:,} users, {items:,} items, K = 20. {machine()}", "",
            *markdown_table(head, rows)]  # fmt: skip


def untouched():
    """RecBole's file of metrics as it is, imported under another name."""
    spec = importlib.util.spec_from_file_location("untouched_metrics", host.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def coverage():
    """Rows of the second table, and that both give the same numbers."""
    random = np.random.default_rng(0)
    items = (random.zipf(1.3, (USERS, K)) % (ITEMS - 1)) + 1
    data = DataStruct()
    data.set("rec.items", torch.from_numpy(items))
    counts = dict(enumerate(random.integers(1, 500, ITEMS - 1).tolist(), start=1))
    data.set("data.count_items", Counter(counts))
    data.set("data.num_items", ITEMS)
    config = {"topk": [K], "metric_decimal_place": 20, "tail_ratio": None}
    rows, before_after = [], [[], []]
    for name in COVERAGE:
        results = []
        for at, module in enumerate((untouched(), host)):
            metric = getattr(module, name)(config)
            started = time.perf_counter()
            results.append(metric.calculate_metric(data)[f"{name.lower()}@{K}"])
            before_after[at].append(time.perf_counter() - started)
        assert np.isclose(*results, rtol=1e-10, atol=0), name
        slow, fast = before_after[0][-1], before_after[1][-1]
        rows.append([name, f"{slow:.2f}", f"{fast:.3f}", f"{slow / fast:,.0f}"])
    slow, fast = map(sum, before_after)
    rows.append(["all five", f"{slow:.2f}", f"{fast:.3f}", f"{slow / fast:,.0f}"])
    head = ["metric", "RecBole, s", "on arrays, s", "times faster"]
    return [f"{USERS:,} users, K = {K}, {ITEMS:,} items. {machine()}", "",
            *markdown_table(head, rows)]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="dataset", help="folder of the data sets")
    parser.add_argument("--dataset", help="a pre-split data set")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if given.dataset:
        write_page(PAGE, "groups", evaluated(given.data, given.dataset, given.rounds))
    write_page(PAGE, "coverage", coverage())


if __name__ == "__main__":
    main()
