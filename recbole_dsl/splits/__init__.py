"""Train, validation and test rows: popularity shift, time, chance. NumPy and pandas only.

As settings of a run: ``eval_args: {split: {PS: [0.7, 0.1, 0.2]}}``; as files:
``python -m recbole_dsl.splits --help``.
"""

from recbole_dsl.splits.measures import describe, gini, kl_divergence
from recbole_dsl.splits.popularity import draw_by_item
from recbole_dsl.splits.rows import Split, popularity_split, random_split, temporal_split

__all__ = [
    "Split",
    "describe",
    "draw_by_item",
    "gini",
    "kl_divergence",
    "popularity_split",
    "random_split",
    "temporal_split",
]
