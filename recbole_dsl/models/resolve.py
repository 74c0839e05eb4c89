"""From a model's name to its class: a ``<Backbone>_<Loss>``, one of RecBole's or a user's own."""

import inspect
from pathlib import Path
from typing import NamedTuple

from recbole.model.abstract_recommender import AbstractRecommender

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.compat.recbole_import import import_module
from recbole_dsl.losses import RowLoss
from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.models.registry import BACKBONES, LOSSES, load_class, pair_names

_RECBOLE_PACKAGES = (
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
        backbone, loss: names for the registry, None for a model that is no pair.
        source: "recbole_dsl", "recbole" or "own".
        loss_yaml: default settings of a user's own loss: the YAML file beside its module.
    """

    target: str
    name: str
    model_class: type
    backbone: str | None = None
    loss: str | None = None
    source: str = "recbole_dsl"
    loss_yaml: Path | None = None

    @property
    def is_pair(self) -> bool:
        """Whether the model is a ``<Backbone>_<Loss>``, trained and ranked by this package."""
        return self.backbone is not None


def host_models(package: str | None = None) -> dict[str, type]:
    """RecBole's own models by name: of one of its model packages, or of all four."""
    packages = _RECBOLE_PACKAGES if package is None else (package,)
    found: dict[str, type] = {}
    for models in packages:
        module = import_module(f"recbole.model.{models}")
        found.update(
            (name, value)
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, AbstractRecommender)
        )
    return found


def resolve_model(target: str) -> Model:
    """The model of a name.

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
    raise UsageError(f"unknown model {target!r}{guess} (recbole_dsl list shows all models)")
