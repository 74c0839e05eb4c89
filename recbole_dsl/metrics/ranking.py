"""The inner steps of RecBole's ranking metrics, on arrays. Imports numpy only.

RecBole fills in its (N, K) results user by user. Each function here takes and returns what the
``metric_info`` of the metric does, and gives the same numbers; formulas and edge cases are
RecBole's (``recbole/evaluator/metrics.py``).

Arguments: ``hits`` (N, K) int, which places of the lists hold a positive; ``positives`` (N,) int,
how many positives each user has. Results: (N, K) float64, the metric at each cut-off from 1 to K.
"""

import numpy as np


def mrr(hits):
    """Reciprocal of the first hit's place, from that place on."""
    first = 1 / (hits.argmax(axis=1) + 1)
    return np.where(np.cumsum(hits, axis=1) > 0, first[:, None], 0.0)


def ndcg(hits, positives):
    """Discounted gain over that of the best list."""
    places = np.arange(1, hits.shape[1] + 1)
    discount = 1.0 / np.log2(places + 1.0)
    gain = np.cumsum(np.where(hits, discount, 0), axis=1)
    return gain / np.cumsum(discount)[_last(hits, positives) - 1]


def average_precision(hits, positives):
    """Sum of the precisions at the hits, over how many hits there could be."""
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.cumsum(precision * hits.astype(float), axis=1) / _last(hits, positives)


def _last(hits, positives):
    """(N, K) int: the cut-offs, at most a user's positives; 1 for a user without any, nor hits."""
    return np.minimum(np.arange(1, hits.shape[1] + 1), np.maximum(positives, 1)[:, None])
