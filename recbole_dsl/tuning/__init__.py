"""Tuning on validation, through Optuna: ``python -m recbole_dsl.tuning --help``.

Needs Optuna (``pip install recbole_dsl[tuning]``); importing this package does not.
"""

__all__ = ["tune"]


def tune(model=None, dataset=None, **options):
    """Search for the best settings of a model; see :func:`recbole_dsl.tuning.search.tune`."""
    from recbole_dsl.tuning.search import tune

    return tune(model, dataset, **options)
