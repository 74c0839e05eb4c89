"""A trained model back from its checkpoint, with its settings and data."""

import os
from typing import Any, NamedTuple

import torch
from recbole.utils import init_seed

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data import pipeline
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


def load(path: str | os.PathLike[str], device: str | None = None) -> Loaded:
    """Config, trained model and training data of a checkpoint.

    The dataset is read and split again from the settings in the checkpoint; if the training rows
    are not the ones the model was trained on, loading stops.

    Args:
        path: a checkpoint written by :func:`recbole_dsl.run`.
        device: "auto", "cpu" or "cuda:N"; None: "auto".
    Raises:
        UsageError: no checkpoint of ours, or data that has changed since.
    """
    state = checkpoint.read(path)
    one_process = dict(nproc=1, world_size=-1, group_offset=0)
    settings = dict(state["config"], device=device or "auto", **one_process)
    config = Config(state["model"], state["dataset"], config_dict=settings)
    train = pipeline.split_dataset(config, pipeline.load_dataset(config)).train
    if pipeline.fingerprint(train) != state["fingerprint"]:
        raise UsageError(
            f"{path}: the training rows of {state['dataset']!r} are not those it was trained on: "
            f"the data under {config['data_path']} or RecBole's splitting has changed"
        )
    init_seed(config["seed"], config["reproducibility"])
    model = config.model_class(config, train._dataset).to(config["device"])
    checkpoint.restore(model, state)
    model.eval()
    return Loaded(config, model, train._dataset)
