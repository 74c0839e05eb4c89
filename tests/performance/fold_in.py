"""How good vectors of new users are:
``python tests/performance/fold_in.py [MODEL ...] [--data=FOLDER/NAME] [--users=200] [--block=1]``.

Some users of ml-100k, or of an imported dataset, are kept out of training. Of their items, 80 % are
what a new user brings along, 10 % are not looked at and 10 % are to be found, beside the vector
that the users get where they are trained on, with the same items, and beside popularity. Settings
are the defaults, but for --block, rows that share their negatives: more is faster. On ml-100k about
6 minutes a model on a core.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from recbole_dsl import load_recommender, run
from recbole_dsl.serving.fold_in import METHODS, user_vector

K = 10
MODELS = ["MF_SL", "LightGCN_SL", "MF_BPR"]


def sources(data: Path | None) -> list[Path]:
    """The .inter files of a dataset's folder; without one that of ml-100k, which RecBole brings."""
    if data is None:
        return [Path(str(files("recbole") / "dataset_example/ml-100k/ml-100k.inter"))]
    found = sorted(data.glob("*.inter"))
    if not found:
        raise SystemExit(f"no .inter file in {data}")
    return found


def write_data(paths: Sequence[Path], users: int) -> pd.DataFrame:
    """Write the datasets "all" and "without"; returns user, item and part of the users kept out.

    Args:
        paths: of .inter files whose first columns are user and item; their rows are put together.
        users: how many are kept out.
    """
    rows = pd.concat([pd.read_csv(path, sep="\t", dtype=str).iloc[:, :2] for path in paths])
    rows = rows.reset_index(drop=True)
    header, rows.columns = ["user_id:token", "item_id:token"], ["user", "item"]
    rng = np.random.default_rng(17)
    chosen = rng.choice(np.array(sorted(set(rows["user"]))), users, replace=False)
    place = pd.Series(rng.random(len(rows))).groupby(rows["user"]).rank(pct=True)
    rows["part"] = np.select([place <= 0.8, place <= 0.9], ["train", "valid"], "test")
    kept_out = rows["user"].isin(chosen)
    for name, frame in (("all", rows), ("without", rows[~kept_out])):
        Path("dataset", name).mkdir(parents=True)
        for part, own in frame.groupby("part"):
            path = Path("dataset", name, f"{name}.{part}.inter")
            own[["user", "item"]].to_csv(path, sep="\t", index=False, header=header)
    return rows[kept_out]


def trained(model: str, dataset: str, block: int):
    """A recommender of a model with its default settings, but for the block of negatives."""
    settings = {
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "train_neg_sample_args": {"block": block},
        "state": "ERROR",
        "show_progress": False,
    }
    return load_recommender(run(model, dataset, config_dict=settings)["checkpoint"])


def quality(users: pd.DataFrame, recommender, score) -> list[float]:
    """NDCG@10 and Recall@10, means over users; score(user, positions of its items) -> (I,)."""
    position, found = {item: at for at, item in enumerate(recommender.items)}, []
    discount = 1 / np.log2(np.arange(2, K + 2))
    for user, own in users.groupby("user"):
        at = {
            part: np.array([position[item] for item in rows["item"] if item in position])
            for part, rows in own.groupby("part")
        }
        scores = np.array(score(user, at["train"]), float)
        scores[np.concatenate((at["train"], at["valid"]))] = -np.inf
        hits = np.isin(np.argsort(-scores, kind="stable")[:K], at["test"])
        best = discount[: len(at["test"])].sum()
        found.append(((hits * discount).sum() / best, hits.sum() / len(at["test"])))
    return np.mean(found, axis=0).tolist()


def measure(model: str, users: pd.DataFrame, block: int) -> None:
    """Print a line for each way of ranking."""
    full, without = trained(model, "all", block), trained(model, "without", block)
    place = {user: at for at, user in enumerate(full.users)}
    vectors, cosine = without.item_vectors, without.meta["score"] == "cosine"
    path = "dataset/without/without.train.inter"
    rows = pd.read_csv(path, sep="\t", dtype=str, names=["u", "i"])
    counts = rows["i"].value_counts()
    popular = [counts.get(item, 0) for item in without.items]
    lines = {
        "trained on": quality(
            users, full, lambda user, _: full.item_vectors @ full.user_vectors[place[user]]
        ),
        "popularity": quality(users, without, lambda *_: popular),
    }
    for method in METHODS:
        lines[method] = quality(
            users,
            without,
            lambda _, given, m=method: vectors @ user_vector(vectors, given, m, cosine=cosine),
        )
    for name, (ndcg, recall) in lines.items():
        print(f"{model:<12} {name:<11} NDCG@{K} {ndcg:.4f}  Recall@{K} {recall:.4f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How good vectors of new users are.")
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--data", type=lambda path: Path(path).absolute())
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--block", type=int, default=1)
    given, sys.argv = parser.parse_args(), sys.argv[:1]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        kept = write_data(sources(given.data), given.users)
        for name in given.models:
            measure(name, kept, given.block)
