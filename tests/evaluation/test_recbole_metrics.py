"""RecBole's coverage metrics on arrays beside RecBole's own code, and its tables of metrics."""

import importlib.util
import sys
from collections import Counter
from types import ModuleType

import numpy as np
import pytest
import torch
from recbole.evaluator import metrics as host
from recbole.evaluator import register as tables
from recbole.evaluator.base_metric import AbstractMetric
from recbole.evaluator.collector import DataStruct
from recbole.utils import EvaluatorType

from recbole_dsl.config.prepare import prepare_recbole
from recbole_dsl.data.splitting.statistics import gini
from recbole_dsl.evaluation import recbole_metrics
from recbole_dsl.evaluation.group_metrics import metrics as group_metrics
from recbole_dsl.evaluation.metrics import coverage

prepare_recbole()
COVERAGE = ["ItemCoverage", "AveragePopularity", "ShannonEntropy", "GiniIndex", "TailPercentage"]


@pytest.fixture(scope="module")
def untouched():
    """RecBole's file of metrics as it is, imported once more under another name."""
    spec = importlib.util.spec_from_file_location("untouched_metrics", host.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.GiniIndex.get_gini is not host.GiniIndex.get_gini
    return module


def struct(items, counts, n_items):
    data = DataStruct()
    data.set("rec.items", torch.as_tensor(items))
    data.set("data.count_items", Counter(counts))
    data.set("data.num_items", n_items)
    return data


def compare(untouched, data, topk, tail_ratio=None):
    config = {"topk": topk, "metric_decimal_place": 20, "tail_ratio": tail_ratio}
    for name in COVERAGE:
        ours = getattr(host, name)(config).calculate_metric(data)
        theirs = getattr(untouched, name)(config).calculate_metric(data)
        assert list(ours) == list(theirs) == [f"{name.lower()}@{k}" for k in topk]
        for key, value in theirs.items():
            # the entropy adds up in another order; the others are the same to the bit
            tolerance = 1e-14 if name == "ShannonEntropy" else 0
            assert ours[key] == pytest.approx(value, rel=tolerance, abs=0), key


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tail_ratio", [None, 0, 0.001, 0.1, 0.37, 1, 1.5, 2, 3, 10**6])
def test_coverage_metrics_are_recboles_on_random_lists(untouched, seed, tail_ratio):
    """Many items of equal count; some lists hold padding, and items that nobody has in training."""
    random = np.random.default_rng(seed)
    n_items = 60
    items = random.integers(0, n_items, (40, 12))
    known = random.choice(np.arange(1, n_items), 45, replace=False)
    random.shuffle(known)
    counts = {np.int64(item): int(random.integers(1, 5)) for item in known}
    compare(untouched, struct(items, counts, n_items), [1, 5, 12], tail_ratio)


def test_the_two_forms_of_the_gini_index_differ_by_rounding_alone():
    items = np.random.default_rng(0).zipf(1.5, (300, 10)).clip(max=59)
    counts = np.bincount(items.ravel(), minlength=60)
    assert coverage.gini(items, 60) == pytest.approx(gini(counts), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("width", [1, 2, 7, 20])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_ranking_metrics_are_recboles_to_the_bit(untouched, seed, width, share):
    """Users without a hit, without a positive, and with more positives than places."""
    random = np.random.default_rng(seed)
    hits = (random.random((50, width)) < share).astype(np.int32)
    positives = hits.sum(axis=1) + random.integers(0, 3 * width, 50)
    positives[:5] = hits[:5] = 0
    data = DataStruct()
    data.set("rec.topk", torch.as_tensor(np.column_stack((hits, positives)).astype(np.int32)))
    topk = sorted({1, width // 2 + 1, width})
    config = {"topk": topk, "metric_decimal_place": 20}
    for name in ("MRR", "MAP", "NDCG"):
        assert getattr(host, name).metric_info is not getattr(untouched, name).metric_info
        ours = getattr(host, name)(config).calculate_metric(data)
        theirs = getattr(untouched, name)(config).calculate_metric(data)
        assert ours == theirs and list(ours) == [f"{name.lower()}@{k}" for k in topk]


@pytest.mark.parametrize(
    ("items", "counts", "n_items"),
    [
        ([[1]], {1: 1}, 2),  # one list of one item
        ([[3, 3], [3, 3]], {3: 9, 4: 9}, 5),  # one item alone
        ([[0, 0]], {1: 2}, 3),  # padding alone
        ([[1, 2], [2, 1]], {7: 3}, 8),  # nothing of training, whose ids are larger
        ([[7, 6]], {1: 3}, 8),  # ... and smaller
        ([[1, 2]], {}, 3),  # no training rows
    ],
)
def test_coverage_metrics_are_recboles_at_the_edges(untouched, items, counts, n_items):
    for tail_ratio in (None, 1, 2):
        compare(untouched, struct(items, counts, n_items), [1], tail_ratio)


def _module_of(monkeypatch, name):
    module = ModuleType("some_metrics")
    needs = {"metric_type": EvaluatorType.RANKING, "metric_need": ["rec.topk"], "smaller": True}
    setattr(module, name, type(name, (AbstractMetric,), {**needs, "__module__": "some_metrics"}))
    monkeypatch.setitem(sys.modules, "some_metrics", module)
    for table in ("metrics_dict", "metric_information", "metric_types"):
        monkeypatch.setattr(tables, table, dict(getattr(tables, table)))
    monkeypatch.setattr(tables, "smaller_metrics", list(tables.smaller_metrics))
    return getattr(module, name)


def test_a_metric_is_registered_once(monkeypatch):
    metric = _module_of(monkeypatch, "Novel")
    for _ in range(2):
        recbole_metrics.register("some_metrics")
        assert tables.metrics_dict["novel"] is metric
        assert tables.metric_information["novel"] == ["rec.topk"]
        assert tables.metric_types["novel"] == EvaluatorType.RANKING
        assert tables.smaller_metrics.count("novel") == 1


def test_a_metric_of_recboles_is_not_overwritten(monkeypatch):
    _module_of(monkeypatch, "Recall")
    with pytest.raises(ValueError, match=r"has a metric recall already, recbole.*\.Recall"):
        recbole_metrics.register("some_metrics")
    assert tables.metrics_dict["recall"] is host.Recall
    assert tables.metric_information["recall"] == ["rec.topk"]


def test_group_metrics_are_in_recboles_tables():
    for name in ("ItemPopularityGroups", "UserActivityGroups", "UserFieldGroups"):
        assert tables.metrics_dict[name.lower()] is getattr(group_metrics, name)
        assert tables.metric_types[name.lower()] == EvaluatorType.RANKING
