"""From a model's name to its class: the plugin's pairs, RecBole's zoo, a user's own class."""

import inspect
from pathlib import Path
from typing import NamedTuple

from recbole.model.abstract_recommender import AbstractRecommender

from recbole_dsl import compat
from recbole_dsl.losses import RowLoss
from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.registry import BACKBONES, LOSSES, load_class, pair_names
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
        backbone, loss: names for the registry, None for a model that is not one of the pairs.
        source: "recbole_dsl", "recbole" or "own".
        loss_yaml: defaults of a loss of the user's own: the YAML beside its module.
    """

    target: str
    name: str
    model_class: type
    backbone: str | None = None
    loss: str | None = None
    source: str = "recbole_dsl"
    loss_yaml: Path | None = None


def host_models(package=None):
    """RecBole's own models by name: of one of its model packages, or of all four."""
    packages = _HOST_PACKAGES if package is None else (package,)
    found = {}
    for part in packages:
        module = compat.import_module(f"recbole.model.{part}")
        found.update(
            (name, value)
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, AbstractRecommender)
        )
    return found


def resolve_model(target):
    """The model a name stands for.

    Args:
        target: ``<Backbone>_<Loss>``, the name of a RecBole model, ``package.module:Class`` for
            a model class of your own, or ``<Backbone>_<package.module:Class>`` for your own loss.
    Raises:
        UsageError: no such model; the message names the nearest one.
    """
    target = str(target)
    backbone, _, loss = target.partition("_")
    if ":" in target:
        if backbone in BACKBONES:
            found = load_class(loss, RowLoss)
            name = f"{backbone}_{found.__name__}"
            yaml = Path(inspect.getfile(found)).with_suffix(".yaml")
            return Model(target, name, PairRecommender, backbone, loss, loss_yaml=yaml)
        found = load_class(target, AbstractRecommender)
        return Model(target, found.__name__, found, source="own")
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
