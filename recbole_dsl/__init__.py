"""recbole_dsl: the Dual-scale Softmax Loss and its baselines for RecBole."""

__version__ = "0.1.0"

__all__ = ["__version__", "load", "run"]


def run(model=None, dataset=None, config_file_list=None, config_dict=None, saved=True):
    """Train and test a model; see :func:`recbole_dsl.runner.run`."""
    from recbole_dsl.runner import run

    return run(model, dataset, config_file_list, config_dict, saved=saved)


def load(path, device=None):
    """Config, trained model and dataset of a checkpoint; see :func:`recbole_dsl.runner.load`."""
    from recbole_dsl.runner import load

    return load(path, device)
