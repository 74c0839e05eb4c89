"""A trained model back from its checkpoint, with its settings and data."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from recbole.utils import init_seed

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data import pipeline
from recbole_dsl.experiments.checkpoint_settings import config_of
from recbole_dsl.models.build import build_model
from recbole_dsl.training import checkpoint


class Loaded(NamedTuple):
    """What a checkpoint gives back.

    Attributes:
        config: the settings of the run, on this machine's device.
        model: the trained model, in evaluation mode.
        dataset: the training part of the dataset, with the token maps of all of it.
    """

    config: Config
    model: torch.nn.Module
    dataset: Any


def load(
    path: str | os.PathLike[str],
    device: str | None = None,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Loaded:
    """Config, trained model and training data of a checkpoint.

    The dataset is read and split again from the settings in the checkpoint; if the training rows
    or their tokens are not the ones the model was trained on, loading stops.

    No path, no class and no code is taken from the checkpoint: where the run was given a
    ``data_path``, a model class or loss of the user's own, or a pretrained model, they are named
    here again.

    Args:
        path: a checkpoint written by :func:`recbole_dsl.run`.
        device: "auto", "cpu" or "cuda:N"; None: "auto".
        model: the model as the run was told it; needed for a class of your own, such as
            ``package.module:Class``, and for a name that another package brings.
        settings: settings in place of the checkpoint's, such as ``data_path``.
    Raises:
        UsageError: no checkpoint of ours, or not what was written; a path or class that is not
            named here; data that has changed since; settings with which there is no model.
    """
    loaded = load_with_data(path, device, model=model, settings=settings)
    return Loaded(loaded.config, loaded.model, loaded.data.train._dataset)


class LoadedWithData(NamedTuple):
    """What a checkpoint gives back, and the data that it was made with.

    Attributes:
        config, model: as in :class:`Loaded`.
        dataset: the filtered dataset, all parts of it.
        data: the loaders of the parts.
    """

    config: Config
    model: torch.nn.Module
    dataset: Any
    data: pipeline.SplitData


def load_with_data(
    path: str | os.PathLike[str],
    device: str | None = None,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> LoadedWithData:
    """As :func:`load`, with the data of all parts."""
    state = checkpoint.read(path)
    name = str(path)
    config = config_of(state, name, model=model, settings=settings, device=device)
    dataset = pipeline.load_dataset(config)
    data = pipeline.split_dataset(config, dataset)
    train = data.train
    if pipeline.fingerprint(train) != state["fingerprint"]:
        raise UsageError(
            f"{path}: the training rows of {state['dataset']!r} are not those it was trained on: "
            f"the data under {config['data_path']} or RecBole's splitting has changed"
        )
    init_seed(config["seed"], config["reproducibility"])
    trained = build_model(config, train._dataset)
    checkpoint.restore(trained, state, name)
    trained.eval()
    return LoadedWithData(config, trained, dataset, data)
