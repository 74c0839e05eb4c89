"""From a model's name to its class: the plugin's pairs, RecBole's zoo, a user's own class."""

import importlib
import inspect
from typing import NamedTuple

from recbole.model.abstract_recommender import AbstractRecommender

from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.registry import BACKBONES, LOSSES, pair_names
from recbole_dsl.settings import UsageError, did_you_mean

_HOST_PACKAGES = (
    "general_recommender",
    "context_aware_recommender",
    "sequential_recommender",
    "knowledge_aware_recommender",
)


class Model(NamedTuple):
    """A resolved model name.

    Attributes:
        target: what the user wrote, from which the class can be found again.
        name: what RecBole calls the model: in logs, file names and ``config["model"]``.
        model_class: the class, built as ``model_class(config, train_dataset)``.
        backbone, loss: names in the registry, None for a model that is not one of the pairs.
        source: "recbole_dsl", "recbole" or "own".
    """

    target: str
    name: str
    model_class: type
    backbone: str | None = None
    loss: str | None = None
    source: str = "recbole_dsl"


def host_models(package=None):
    """RecBole's own models by name: of one of its model packages, or of all four."""
    packages = _HOST_PACKAGES if package is None else (package,)
    found = {}
    for part in packages:
        module = importlib.import_module(f"recbole.model.{part}")
        found.update(
            (name, value)
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, AbstractRecommender)
        )
    return found


def _own_class(target):
    module_name, _, class_name = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(f"model {target!r}: cannot import {module_name}: {error}") from error
    found = getattr(module, class_name, None)
    if not inspect.isclass(found) or not issubclass(found, AbstractRecommender):
        classes = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, AbstractRecommender)
        ]
        raise UsageError(
            f"model {target!r}: {module_name} has no RecBole model class {class_name!r}"
            f"{did_you_mean(class_name, classes)}"
        )
    return found


def resolve_model(target):
    """The model a name stands for.

    Args:
        target: ``<Backbone>_<Loss>``, the name of a RecBole model, or ``package.module:Class``.
    Raises:
        UsageError: no such model; the message names the nearest one.
    """
    target = str(target)
    if ":" in target:
        found = _own_class(target)
        return Model(target, found.__name__, found, source="own")
    backbone, _, loss = target.partition("_")
    if backbone in BACKBONES and loss in LOSSES:
        return Model(target, target, PairRecommender, backbone, loss)
    hosts = host_models()
    if target in hosts:
        return Model(target, target, hosts[target], source="recbole")
    if backbone in BACKBONES and loss:
        raise UsageError(
            f"unknown loss {loss!r} in model {target!r} (known: {', '.join(LOSSES)})"
            f"{did_you_mean(target, pair_names())}"
        )
    guess = did_you_mean(target, [*pair_names(), *hosts])
    raise UsageError(f"unknown model {target!r}{guess} (--list shows all models)")
