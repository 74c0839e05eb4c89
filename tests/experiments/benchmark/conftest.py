"""A dataset on which the quickest models train in no time, and a benchmark already run."""

import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from recbole_dsl.experiments.benchmark.report import write
from recbole_dsl.experiments.benchmark.store import Store, write_plan


@pytest.fixture
def tiny(make_dataset):
    """40 users with 12 to 20 of 60 items each; the items differ in popularity."""
    draw = random.Random(0)
    weights = [1 / (item + 3) for item in range(60)]
    pairs = []
    for user in range(40):
        liked = {draw.choices(range(60), weights)[0] for _ in range(200)}
        pairs += [(f"u{user}", f"i{item}") for item in sorted(liked)[: 12 + user % 9]]
    return make_dataset("tiny", pairs)


class Filled(NamedTuple):
    """A benchmark's folder as if its runs had been made: A is best, C fails for seed 1."""

    folder: Path
    plan: dict
    records: dict


@pytest.fixture
def filled(tmp_path):
    """A benchmark's folder of the test's own; see :func:`_fill`."""
    return _fill(tmp_path / "out")


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """(folder as of :func:`_fill`, summaries), with its report, for tests that only read it."""
    made = _fill(tmp_path_factory.mktemp("reported") / "out")
    summaries, paths = write.write(*made)
    assert [path.name for path in paths] == list(write.FILES)
    return made, summaries


def _fill(folder):
    """Three models, two seeds, two test sets; 50 users, values by user, groups."""
    draw = np.random.default_rng(0)
    users = np.array([f"u{number}" for number in range(50)])
    runs, store = [], Store(folder)
    for seed in (0, 1):
        for label, level in (("A_SL", 0.5), ("B|x", 0.4), ("C_%", 0.4)):
            key = f"{label}-{seed}"
            runs.append(dict(key=key, label=label, model="MF_SL", dataset="tiny", seed=seed))
            record = {**runs[-1], "folder": f"runs/{seed}{level}{label[0]}", "wall_seconds": 2.0}
            if label == "C_%" and seed == 1:
                store.append({**record, "status": "failed", "error": "one\nlast line"})
                continue
            tests, arrays = {}, {}
            for name in ("iid", "popularity"):
                values = level + draw.normal(0, 0.05, len(users))
                tests[name] = {"ndcg@5": values.mean(), "giniindex@5": 1 - level}
                arrays |= {f"{name}/users": users, f"{name}/ndcg@5": values}
            (folder / record["folder"]).mkdir(parents=True)
            np.savez(folder / record["folder"] / "r.users.npz", **arrays)
            epochs = [
                {
                    "epoch": e,
                    "train_seconds": 1.0,
                    "valid": {"ndcg@5": level * e},
                    "eval_seconds": 0,
                }
                for e in range(3)
            ]
            by_group = {"ndcg@5": {"head": level, "tail": None}}
            one = {"processor": "X", "cores": 2, "threads": 1, "gpu": None}
            machine = {"machine": one} if seed == 0 else {}  # the others are of an older version
            store.append(
                {
                    **record, **machine, "status": "ok", "test": tests["iid"], "tests": tests,
                    "valid": {"ndcg@5": level}, "epochs": epochs, "seconds": 3.0 + level,
                    "parameters": 1234, "user_metrics": "r.users.npz", "versions": {"torch": "2"},
                    "groups": {"item_popularity": {"metrics": dict.fromkeys(tests, by_group)}},
                }
            )  # fmt: skip
    protocol = {
        "eval_args": {"split": {"RS": [8, 1, 1]}, "mode": {"test": "full"}}, "split_seed": 2020,
        "valid_metric": "NDCG@5", "test_sets": ["iid", "popularity"],
    }  # fmt: skip
    plan = dict(
        runs=runs, protocol={"tiny": protocol}, notes=[], reference="A_SL", alternative="two-sided",
        budget={label: {"epochs": 3} for label in ("A_SL", "B|x", "C_%")},
    )  # fmt: skip
    store.close()
    write_plan(folder, plan)
    return Filled(folder, plan, store.records)
