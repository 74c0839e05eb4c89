"""What time_to_quality.py compares, and what each method tries: six trials, best guess first.

Rates and temperatures of ours lie around the best ones of docs/results/ir_benchmark.md. The ranges
of implicit's ALS were found with some thirty trials on other validation rows of
amazon2014-electronic: what it
needs is a regularisation far above its default of 0.01, in step with alpha.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

MODELS = ("MF_SL", "MF_DSL", "LightGCN_DSL")
STARTS = {"random": "xavier_uniform", "spectral": "spectral"}
DRAWS = {"1": {"block": 1}, "1024": {"block": 1024}, "all": {"sample_num": "all"}}
ALS, RECBOLE_LIGHTGCN = "implicit/ALS", "RecBole/LightGCN"
# A start from the vectors of a short ALS by implicit, with the best of its settings, in a folder
# that the run writes first.
FROM_ALS = "MF_DSL/ALS/1024"
SHORT_ALS = {"alpha": 80, "regularization": 400.0, "iterations": 10}
ALS_FOLDER = "als"

_RATES_AND_TAUS = {
    "random": ((0.01, 0.25), (0.01, 0.2), (0.03, 0.25), (0.03, 0.2), (0.01, 0.3), (0.003, 0.25)),
    "spectral": (
        (0.003, 0.25), (0.003, 0.2), (0.01, 0.25), (0.01, 0.2), (0.003, 0.3), (0.001, 0.25),
    ),
}  # fmt: skip
# By electronic's i.i.d. validation in docs/results/dsl_study.md a positive_factor of 1.25 gains
# 11.7 %: two trials of three have it.
_FACTORS = (1.25, 1.25, 1.0, 1.25, 1.0, 1.25)
# An epoch of implicit takes a hundredth of a second to a thirtieth, and its BPR gains nothing in 10
# of them long before it is at its best.
LONGER = 10
# RecBole's defaults, which the preset changes for our models; train_batch_size counts rows.
_ONE_NEGATIVE = {
    "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1},
    "train_batch_size": 2048,
}
_FIFTY_NEGATIVES = {
    "train_neg_sample_args": {"distribution": "uniform", "sample_num": 50},
    "train_batch_size": 50 * 1024,
}


class Method(NamedTuple):
    """One way to train a model.

    Attributes:
        model: a ``<Backbone>_<Loss>``, or a model's name in its library.
        fixed: settings of every trial.
        trials: settings that are tried.
    """

    model: str
    fixed: Mapping[str, Any]
    trials: tuple[Mapping[str, Any], ...]


def _grid(names: tuple[str, ...], *rows: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    return tuple(dict(zip(names, row, strict=True)) for row in rows)


def _ours(model: str, start: str, draw: str) -> Method:
    fixed = {"initialization": STARTS[start], "train_neg_sample_args": DRAWS[draw]}
    names, rows = ("learning_rate", "tau"), _RATES_AND_TAUS[start]
    if model.endswith("_DSL"):
        names += ("positive_factor",)
        rows = tuple((*row, factor) for row, factor in zip(rows, _FACTORS, strict=True))
    return Method(model, fixed, _grid(names, *rows))


def _from_als() -> Method:
    other = _ours("MF_DSL", "spectral", "1024")
    fixed = {"init_from": ALS_FOLDER, "train_neg_sample_args": DRAWS["1024"]}
    return Method(other.model, fixed, other.trials)


# Name -> method. Ours are <model>/<start>/<negatives>: a block size, or all items.
METHODS = {
    f"{model}/{start}/{draw}": _ours(model, start, draw)
    for model in MODELS
    for start in STARTS
    for draw in DRAWS
} | {
    FROM_ALS: _from_als(),
    "RecBole/BPR": Method(
        "BPR",
        _ONE_NEGATIVE,
        _grid(
            ("learning_rate", "weight_decay"),
            (3e-3, 1e-5), (1e-2, 1e-5), (1e-3, 1e-5), (3e-3, 1e-6), (1e-2, 1e-6), (3e-3, 3e-5),
        ),
    ),
    RECBOLE_LIGHTGCN: Method(
        "LightGCN",
        _ONE_NEGATIVE,
        _grid(
            ("learning_rate", "n_layers", "reg_weight"),
            (3e-3, 2, 1e-4), (1e-2, 2, 1e-4), (3e-3, 3, 1e-4),
            (1e-3, 2, 1e-4), (3e-3, 2, 1e-5), (3e-3, 2, 1e-3),
        ),
    ),
    "RecBole/SimpleX": Method(
        "SimpleX",
        _FIFTY_NEGATIVES,
        _grid(
            ("learning_rate", "margin", "negative_weight"),
            (1e-3, 0.5, 10), (1e-3, 0.5, 50), (3e-3, 0.5, 10),
            (1e-3, 0.9, 50), (1e-3, 0.0, 10), (3e-3, 0.5, 50),
        ),
    ),
    ALS: Method(
        "ALS",
        {},
        _grid(
            ("alpha", "regularization"),
            (80, 500.0), (80, 400.0), (40, 300.0), (160, 800.0), (20, 200.0), (10, 100.0),
        ),
    ),
    "implicit/BPR": Method(
        "BPR",
        {},
        _grid(
            ("learning_rate", "regularization"),
            (0.1, 0.05), (0.05, 0.001), (0.05, 0.05), (0.1, 0.02), (0.1, 0.01), (0.3, 0.02),
        ),
    ),
}  # fmt: skip


def needs_implicit(method: str) -> bool:
    """Whether implicit has a part in a method's training."""
    return library(method) == "implicit" or method == FROM_ALS


def library(method: str) -> str:
    """Whose code trains a method: ours, RecBole or implicit."""
    head = method.split("/")[0]
    return head if head in ("RecBole", "implicit") else "ours"
