"""Which trainer a model gets."""

from typing import Any

from recbole.trainer import Trainer
from recbole.utils import get_trainer

from recbole_dsl.training.base_trainer import BaseTrainer
from recbole_dsl.training.host_trainer import host_trainer_class
from recbole_dsl.training.pair_trainer import PairTrainer


def trainer_class(config: Any) -> type[BaseTrainer]:
    """The class that trains a run's model, built as ``trainer_class(config)(config, model)``.

    :class:`PairTrainer` for a ``<Backbone>_<Loss>``; else the class that RecBole chooses by model
    type and name, as a :class:`recbole_dsl.training.host_trainer.HostTrainer`.
    """
    if config.spec.is_pair:
        return PairTrainer
    return host_trainer_class(get_trainer(config["MODEL_TYPE"], config["model"]))


def can_be_resumed(config: Any) -> bool:
    """Whether a model's training can go on from a state kept between two epochs.

    RecBole's trainers with an own ``fit`` keep state that only their loop knows.
    """
    if config.spec.is_pair:
        return True
    fit: Any = getattr(get_trainer(config["MODEL_TYPE"], config["model"]), "fit", None)
    return fit is Trainer.fit
