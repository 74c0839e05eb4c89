"""Train, validation and test rows: popularity shift, time, chance. NumPy and pandas only.

As settings of a run: ``eval_args: {split: {PS: [0.7, 0.1, 0.2]}}``; as files:
``python -m recbole_dsl split --help``.
"""

from recbole_dsl.data.splitting.methods import (
    Split,
    hold_out_shifted,
    popularity_split,
    random_split,
    temporal_split,
)
from recbole_dsl.data.splitting.popularity_draw import draw_by_item
from recbole_dsl.data.splitting.statistics import describe, gini, kl_divergence

__all__ = [
    "Split",
    "describe",
    "draw_by_item",
    "gini",
    "hold_out_shifted",
    "kl_divergence",
    "popularity_split",
    "random_split",
    "temporal_split",
]
