"""Runs of RecBole's models have the numbers of stock RecBole's own run with the same settings.

Stock runs in a process of its own, in which nothing is changed but what its dependencies need.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from quick import ROOT

import recbole_dsl

COLUMNS = ["user_id", "item_id", "rating", "timestamp"]
METRICS = ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP"]
OF_LISTS = ["ItemCoverage", "AveragePopularity", "GiniIndex", "ShannonEntropy", "TailPercentage"]
COMMON = {
    "epochs": 2,
    "train_batch_size": 256,
    "eval_batch_size": 100_000,
    "load_col": {"inter": COLUMNS},
    "metrics": METRICS,
    "topk": [5, 10],
    "valid_metric": "NDCG@10",
    "metric_decimal_place": 15,
    "show_progress": False,
    "state": "ERROR",
    "use_gpu": False,
}
GENERAL = {**COMMON, "load_col": {"inter": COLUMNS[:2]}}
SMALL = {**GENERAL, "embedding_size": 16}
SEQUENTIAL = {
    **COMMON,
    "MAX_ITEM_LIST_LENGTH": 10,
    "train_neg_sample_args": None,
    "eval_args": {"order": "TO", "split": {"LS": "valid_and_test"}},
}
LABELED = {
    **COMMON,
    "threshold": {"rating": 4},
    "metrics": ["AUC", "LogLoss", "MAE", "RMSE"],
    "valid_metric": "AUC",
    "train_neg_sample_args": None,
    "eval_args": {"mode": "labeled", "group_by": "user"},
    "embedding_size": 8,
}
GRAPH = {
    "inter": COLUMNS[:2],
    "kg": ["head_id", "relation_id", "tail_id"],
    "link": ["item_id", "entity_id"],
}


def _args(**changes):
    return {"eval_args": changes}


# Name -> model, settings.
CASES = {
    # models
    **{
        model: (model, SMALL)
        for model in ("BPR", "LightGCN", "NGCF", "SGL", "LINE", "GCMC", "DGCF")
    },
    **{
        model: (model, GENERAL)
        for model in (
            "NeuMF",
            "DMF",
            "NAIS",
            "FISM",
            "SimpleX",
            "ENMF",
            "CDAE",
            "MultiVAE",
            "MultiDAE",
            "MacridVAE",
            "RecVAE",
            "EASE",
            "SLIMElastic",
            "ItemKNN",
            "NCEPLRec",
            "ADMMSLIM",
            "Pop",
            "Random",
            "SpectralCF",
            "NNCF",
            "DiffRec",
        )
    },
    **{
        model: (model, SEQUENTIAL)
        for model in ("GRU4Rec", "SASRec", "NARM", "STAMP", "BERT4Rec", "NPE", "SHAN")
    },
    "FPMC": ("FPMC", {**SEQUENTIAL, "train_neg_sample_args": {"sample_num": 1}}),
    **{model: (model, LABELED) for model in ("FM", "LR", "DeepFM", "NFM", "AutoInt", "DCN")},
    "CKE": ("CKE", {**GENERAL, "load_col": GRAPH}),
    "CFKG": ("CFKG", {**GENERAL, "load_col": GRAPH}),
    "MKR": ("MKR", {**GENERAL, "load_col": GRAPH}),
    # splits
    "RS of all rows": ("BPR", {**SMALL, **_args(group_by="none")}),
    "RS in order of time": ("BPR", {**SMALL, **COMMON, **_args(order="TO")}),
    "RS of all rows in order of time": ("BPR", {**COMMON, **_args(order="TO", group_by="none")}),
    "RS of other shares": ("BPR", {**SMALL, **_args(split={"RS": [5, 2, 3]})}),
    "LS": ("BPR", {**SMALL, **_args(split={"LS": "valid_and_test"})}),
    "LS in order of time": (
        "BPR",
        {**COMMON, **_args(split={"LS": "valid_and_test"}, order="TO")},
    ),
    "TS in order of time": (
        "BPR",
        {**COMMON, **_args(split={"TS": [0.8, 0.1, 0.1]}, order="TO")},
    ),
    "ready parts": ("BPR", {**SMALL, "benchmark_filename": ["train", "valid", "test"]}),
    # metrics and candidates
    "metrics of lists": ("BPR", {**SMALL, "metrics": [*METRICS, *OF_LISTS]}),
    "GAUC": ("BPR", {**SMALL, "metrics": ["GAUC"], "valid_metric": "GAUC"}),
    "uniform candidates": ("BPR", {**SMALL, **_args(mode="uni10")}),
    "popular candidates": ("BPR", {**SMALL, **_args(mode="pop10")}),
    "candidates in validation": (
        "BPR",
        {**SMALL, **_args(mode={"valid": "uni10", "test": "full"})},
    ),
    "labels of drawn rows": (
        "BPR",
        {**SMALL, **_args(mode="uni3"), "metrics": ["AUC", "LogLoss"], "valid_metric": "AUC"},
    ),
    "users meet items again": ("BPR", {**SMALL, "repeatable": True}),
    # negatives
    "popular negatives": (
        "BPR",
        {**SMALL, "train_neg_sample_args": {"distribution": "popularity", "alpha": 0.5}},
    ),
    "several negatives": ("BPR", {**SMALL, "train_neg_sample_args": {"sample_num": 4}}),
    "dynamic negatives": (
        "BPR",
        {**SMALL, "train_neg_sample_args": {"dynamic": True, "candidate_num": 5}},
    ),
    "pointwise with several negatives": (
        "NeuMF",
        {**GENERAL, "train_neg_sample_args": {"sample_num": 3}},
    ),
    # filters
    "counts": (
        "BPR",
        {**SMALL, "user_inter_num_interval": "[20,inf)", "item_inter_num_interval": "[10,40]"},
    ),
    "values": ("BPR", {**COMMON, "val_interval": {"rating": "[2,3];(4,5]"}}),
    "tokens": ("BPR", {**SMALL, "val_interval": {"user_id": [f"u{k}" for k in range(30)]}}),
    "repeated rows": ("BPR", {**COMMON, "rm_dup_inter": "last"}),
    # training
    "adagrad": ("BPR", {**SMALL, "learner": "adagrad", "learning_rate": 0.05}),
    "sgd, clipped": (
        "LightGCN",
        {**SMALL, "learner": "sgd", "clip_grad_norm": {"max_norm": 0.1}, "weight_decay": 0.01},
    ),
    "another seed": ("LightGCN", {**SMALL, "seed": 7}),
    "in order": ("BPR", {**SMALL, "shuffle": False}),
    "early stopping": ("BPR", {**SMALL, "epochs": 15, "stopping_step": 1, "learning_rate": 0.1}),
    "every second epoch": ("BPR", {**SMALL, "epochs": 5, "eval_step": 2}),
}


def _write(folder):
    """60 users, 80 items, 2,000 rows with some repeated, small times, which float32 holds."""
    rng = np.random.default_rng(0)
    n = 2000
    users, items = rng.integers(0, 60, n), (80 * rng.random(n) ** 1.7).astype(int)
    ratings, times = rng.integers(1, 6, n), rng.permutation(n)
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    rows = [
        f"u{u}\ti{i}\t{r}\t{t}\n" for u, i, r, t in zip(users, items, ratings, times, strict=True)
    ]
    home = folder / "dataset" / "shop"
    home.mkdir(parents=True)
    (home / "shop.inter").write_text(head + "".join(rows))
    for part, own in (("train", rows[:1600]), ("valid", rows[1600:1800]), ("test", rows[1800:])):
        (home / f"shop.{part}.inter").write_text(head + "".join(own))
    graph = [f"e{k}\tr{k % 3}\te{(k * 7 + 5) % 90}\n" for k in range(90) for _ in range(2)]
    (home / "shop.kg").write_text(
        "head_id:token\trelation_id:token\ttail_id:token\n" + "".join(graph)
    )
    links = [f"i{k}\te{k}\n" for k in range(80)]
    (home / "shop.link").write_text("item_id:token\tentity_id:token\n" + "".join(links))


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """Name of a case -> what stock RecBole reports."""
    folder = tmp_path_factory.mktemp("stock")
    _write(folder)
    cases = [
        (model, "shop", {**settings, "data_path": "dataset"}) for model, settings in CASES.values()
    ]
    (folder / "cases.json").write_text(json.dumps(cases))
    words = [
        sys.executable,
        ROOT / "tests" / "support" / "stock_recbole.py",
        "cases.json",
        "r.json",
    ]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(CASES, json.loads((folder / "r.json").read_text()), strict=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of RecBole's models, which are not ours
@pytest.mark.parametrize("name", CASES)
def test_a_run_has_the_numbers_of_stock_recbole(name, stock, own_folder):
    model, settings = CASES[name]
    _write(own_folder)
    assert "error" not in stock[name], stock[name]
    result = recbole_dsl.run(model, "shop", config_dict={**settings, "group_metrics": None})
    for part in ("valid", "test"):
        assert result[part].keys() == stock[name][part].keys()
        for metric, value in stock[name][part].items():
            error = 1e-7 if metric == "gauc" else 1e-12  # RecBole's GAUC is in float32
            assert result[part][metric] == pytest.approx(value, rel=0, abs=error), (part, metric)
