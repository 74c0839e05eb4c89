"""Group metrics of items against plain loops, and against RecBole's overall metrics."""

import math

import numpy as np
import pytest

from recbole_dsl.evaluation.metrics import item_groups
from recbole_dsl.evaluation.metrics.fairness import fairness

GROUPS, CUTOFFS = 4, (1, 3, 7)


def lists(seed, users=50, items=40, k=7):
    """Random lists and positives. Group 3 has no items; few users have positives in group 2; the
    lists of the first users end in padding."""
    random = np.random.default_rng(seed)
    member = random.choice([0, 0, 0, 1, 1, 2], items)
    member[0] = -1
    top = np.stack([random.permutation(np.arange(1, items))[:k] for _ in range(users)])
    top[:3, -2:] = 0
    positives = [
        set(random.choice(np.arange(1, items), random.integers(1, 12), replace=False).tolist())
        for _ in range(users)
    ]
    hit = np.array([[item in own for item in row] for row, own in zip(top, positives, strict=True)])
    counts = np.array([np.bincount(member[list(own)], minlength=GROUPS) for own in positives])
    return member, top, positives, hit, counts


def looped(member, top, positives, k):
    """Every metric of every group, one user, one rank at a time."""
    ndcg, exposure = [0.0] * GROUPS, [0.0] * GROUPS
    recalls, hits = ([[] for _ in range(GROUPS)] for _ in range(2))
    for row, own in zip(top.tolist(), positives, strict=True):
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(own), k) + 1))
        for rank, item in enumerate(row[:k], start=1):
            if item == 0:
                continue
            exposure[member[item]] += 1 / (len(top) * k)
            if item in own:
                ndcg[member[item]] += 1 / math.log2(rank + 1) / ideal / len(top)
        for group in range(GROUPS):
            wanted = {item for item in own if member[item] == group}
            if wanted:
                got = len(wanted & set(row[:k]))
                recalls[group].append(got / len(wanted))
                hits[group].append(got > 0)
    mean = [[np.mean(of) if of else np.nan for of in values] for values in (recalls, hits)]
    return {"ndcg": ndcg, "exposure": exposure, "recall": mean[0], "hit": mean[1]}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", CUTOFFS)
def test_every_metric_agrees_with_a_loop(seed, k):
    member, top, positives, hit, counts = lists(seed)
    hits = item_groups.hits_by_group(member[top], hit, GROUPS, k)
    found = {
        "ndcg": item_groups.ndcg_contribution(member[top], hit, counts, k),
        "exposure": item_groups.exposure(member[top], GROUPS, k),
        "recall": item_groups.group_recall(hits, counts),
        "hit": item_groups.group_hit(hits, counts),
    }
    for name, values in looped(member, top, positives, k).items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-12, err_msg=name)
    assert np.isnan(found["recall"][3]) and np.isnan(found["hit"][3])
    assert found["ndcg"][3] == found["exposure"][3] == 0


def test_a_tiny_case_by_hand():
    """Two users, lists of two; items 1 and 2 in group 0, item 3 in group 1."""
    member = np.array([-1, 0, 0, 1])
    top = np.array([[3, 1], [1, 2]])
    hit = np.array([[True, False], [False, True]])  # user 0 wants 3; user 1 wants 2 and 3
    counts = np.array([[0, 1], [1, 1]])
    second = 1 / math.log2(3)
    contribution = item_groups.ndcg_contribution(member[top], hit, counts, 2)
    assert contribution == pytest.approx([second / (1 + second) / 2, 1 / 2])
    hits = item_groups.hits_by_group(member[top], hit, 2, 2)
    assert hits.tolist() == [[0, 1], [1, 0]]
    assert item_groups.group_recall(hits, counts).tolist() == [1, 0.5]
    assert item_groups.group_hit(hits, counts).tolist() == [1, 0.5]
    assert item_groups.exposure(member[top], 2, 2).tolist() == [0.75, 0.25]


def test_a_group_may_be_hit_more_often_than_recalled():
    hits, positives = np.array([[1], [2]]), np.array([[4], [2]])
    assert item_groups.group_recall(hits, positives).tolist() == [(0.25 + 1) / 2]
    assert item_groups.group_hit(hits, positives).tolist() == [1]


def test_fairness_names_the_worst_group_and_the_spread():
    assert fairness({"a": 0.25, "b": 0.75, "c": None}) == {
        "worst": 0.25, "worst_group": "a", "spread": 0.5,
    }  # fmt: skip
    assert fairness({"a": 1.0, "b": 1.0})["worst_group"] == "a"
    assert fairness({"a": None}) == {"worst": None, "worst_group": None, "spread": None}
