"""Tuning on validation, through Optuna: ``python -m recbole_dsl tune --help``.

Needs Optuna (``pip install recbole_dsl[tuning]``); importing this package does not.
"""

from recbole_dsl.experiments.tuning.search import tune

__all__ = ["tune"]
