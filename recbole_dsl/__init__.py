"""recbole_dsl: the Dual-scale Softmax Loss and its baselines for RecBole.

What stands in ``__all__`` is imported when it is first used: ``import recbole_dsl.losses`` needs
neither RecBole nor Optuna.
"""

import importlib
from typing import TYPE_CHECKING, Any

from recbole_dsl._version import __version__

if TYPE_CHECKING:
    from recbole_dsl.experiments.load_checkpoint import load
    from recbole_dsl.experiments.next_items import recommend_for_sequences
    from recbole_dsl.experiments.single_run import run
    from recbole_dsl.experiments.tuning import tune
    from recbole_dsl.models.registry import register_backbone, register_loss
    from recbole_dsl.serving.recommender import load_recommender

__all__ = [
    "__version__",
    "load",
    "load_recommender",
    "recommend_for_sequences",
    "register_backbone",
    "register_loss",
    "run",
    "tune",
]

_MODULES = {
    "load": "recbole_dsl.experiments.load_checkpoint",
    "load_recommender": "recbole_dsl.serving.recommender",
    "recommend_for_sequences": "recbole_dsl.experiments.next_items",
    "register_backbone": "recbole_dsl.models.registry",
    "register_loss": "recbole_dsl.models.registry",
    "run": "recbole_dsl.experiments.single_run",
    "tune": "recbole_dsl.experiments.tuning",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
