"""Building a model from the settings of a run and its training data."""

from typing import Any

import torch

from recbole_dsl.common.errors import UsageError, missing_package
from recbole_dsl.data.loading.loaded import check_labels


def build_model(config: Any, train: Any) -> torch.nn.Module:
    """The model, on its device.

    Args:
        config: a :class:`recbole_dsl.config.run_config.Config`. train: RecBole's dataset.
    Raises:
        UsageError: a model of RecBole's cannot be built with these settings, or lacks labels, or
            has too few users or items, or memory is short.
    """
    _check_clusters(config, train)
    try:
        model: torch.nn.Module = config.model_class(config, train).to(config["device"])
    except UsageError:
        raise
    except ModuleNotFoundError as error:
        raise UsageError(f"{config['model']}: {missing_package(error)}") from error
    except Exception as error:  # what RecBole's models raise for settings that do not fit
        too_large = isinstance(error, MemoryError) or "allocate memory" in str(error)
        if config.spec.source != "recbole" and not too_large:
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        reason = "there is not enough memory" if too_large else reason
        raise UsageError(
            f"{config['model']} cannot be built with these settings: {reason}"
        ) from error
    _check_reads_labels(config, model, train)
    return model


def _check_clusters(config: Any, train: Any) -> None:
    """NCL puts users, and items, the padding too, into clusters, and needs one for each; it would
    find out in the middle of its training."""
    if config.spec.source != "recbole" or config.spec.name != "NCL":
        return
    most = min(train.user_num, train.item_num)
    if config["num_clusters"] > most:
        raise UsageError(
            f"num_clusters of NCL must be at most {most:,}, with {train.user_num - 1:,} users and "
            f"{train.item_num - 1:,} items, got {config['num_clusters']:,}"
        )


def _check_reads_labels(config: Any, model: torch.nn.Module, train: Any) -> None:
    """A model of RecBole's that keeps the name of the labels reads them, where no loader that draws
    negatives makes them."""
    reads = any(hasattr(model, name) for name in ("LABEL", "LABEL_FIELD"))
    arguments = config["train_neg_sample_args"]
    if config.spec.is_pair or not reads or arguments.get("distribution") != "none":
        return
    try:
        check_labels(train, config["model"])
    except ValueError as error:
        raise UsageError(f"{error}, or train_neg_sample_args must draw negatives") from error
