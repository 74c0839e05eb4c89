"""The inner steps of RecBole's ranking metrics, on arrays. Imports numpy only.

RecBole fills in its (N, K) results user by user. Each function here takes and returns what the
``metric_info`` of the metric does, and gives the same numbers; formulas and edge cases are
RecBole's (``recbole/evaluator/metrics.py``).

Arguments: ``hits`` (N, K) int, which places of the lists hold a positive; ``positives`` (N,) int,
how many positives each user has. Results: (N, K) float64, the metric at each cut-off from 1 to K.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]


def mrr(hits: Ints) -> Floats:
    """Reciprocal of the first hit's place, from that place on."""
    first = 1 / (hits.argmax(axis=1) + 1)
    return np.where(np.cumsum(hits, axis=1) > 0, first[:, None], 0.0)


def ndcg(hits: Ints, positives: Ints) -> Floats:
    """Discounted gain over that of the best list."""
    places = np.arange(1, hits.shape[1] + 1)
    discount = 1.0 / np.log2(places + 1.0)
    gain = np.cumsum(np.where(hits, discount, 0), axis=1)
    return gain / np.cumsum(discount)[_most_hits(hits, positives) - 1]


def average_precision(hits: Ints, positives: Ints) -> Floats:
    """Sum of the precisions at the hits, over how many hits there could be."""
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.cumsum(precision * hits.astype(float), axis=1) / _most_hits(hits, positives)


def _most_hits(hits: Ints, positives: Ints) -> Ints:
    """(N, K): how many hits there can be up to each cut-off; 1 for a user without positives."""
    return np.minimum(np.arange(1, hits.shape[1] + 1), np.maximum(positives, 1)[:, None])
