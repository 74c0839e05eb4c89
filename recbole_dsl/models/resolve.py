"""From a model's name to its class: a ``<Backbone>_<Loss>``, one of RecBole's or a user's own."""

import inspect
from typing import NamedTuple

import torch
from recbole.model.abstract_recommender import AbstractRecommender

from recbole_dsl.common.errors import UsageError, did_you_mean, nearest
from recbole_dsl.compat.recbole_import import import_module
from recbole_dsl.models import registry
from recbole_dsl.models.adapters import fitting
from recbole_dsl.models.own_classes import classes_of, import_own_module
from recbole_dsl.models.plugins import Part
from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.models.sequence_recommender import SequenceRecommender

_OF_TREES = ("xgboost", "lightgbm")  # as RecBole calls them; its own trainers run them
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
        parts: backbone and loss of a pair, in this order; () for a model that is none.
    """

    target: str
    name: str
    model_class: type
    backbone: str | None = None
    loss: str | None = None
    source: str = "recbole_dsl"
    parts: tuple[Part, ...] = ()

    @property
    def is_pair(self) -> bool:
        """Whether the model is a ``<Backbone>_<Loss>``, trained and ranked by this package."""
        return self.backbone is not None

    @property
    def is_sequential(self) -> bool:
        """Whether the model learns from a user's sequence, and is RecBole's encoder and a loss."""
        return self.model_class is SequenceRecommender

    @property
    def host(self) -> str | None:
        """The model of RecBole's that this is, or that stands in it for a backbone; else None."""
        if self.source == "recbole":
            return self.name
        of_recbole = [part for part in self.parts if part.origin == fitting.ORIGIN]
        return fitting.recbole_name(of_recbole[0].name) if of_recbole else None

    @property
    def recbole_name(self) -> str:
        """By which RecBole has files for its models; for a sequential pair that of its encoder."""
        return fitting.recbole_name(str(self.backbone)) if self.is_sequential else self.name


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
        target: ``<Backbone>_<Loss>``, the name of a RecBole model, or ``package.module:Class`` for
            a model class of your own. In a pair, either part may be a ``package.module:Class`` of
            your own: ``MF_hinge:HingeLoss``, ``tower:Tower_SL``, ``tower:Tower_hinge:HingeLoss``.
            The backbone may be a model of RecBole's that fits: ``SASRec_DSL``.
    Raises:
        UsageError: no such model; the message names the nearest one.
    """
    target = str(target)
    backbone, _, loss = target.partition("_")
    is_backbone = _is_backbone(backbone)
    if ":" in target and not (loss and is_backbone):
        return _own_class(target)
    if loss and is_backbone and (":" in loss or registry.is_loss(loss)):
        return _pair(target, _backbone_part(backbone), loss)
    hosts = host_models()
    if target in hosts:
        return Model(target, target, hosts[target], source="recbole")
    if registry.is_loss(loss) and fitting.recbole_name(backbone) in hosts:
        raise _does_not_fit(target, fitting.recbole_name(backbone))
    backbones = [*registry.backbone_names(), *_of_recbole()]
    pairs = [f"{one}_{two}" for one in backbones for two in registry.loss_names()]
    if loss and is_backbone:
        raise UsageError(
            f"unknown loss {loss!r} in model {target!r} (known: "
            f"{', '.join(registry.loss_names())}){did_you_mean(target, pairs)}"
        )
    if target.lower() in _OF_TREES:
        raise UsageError(
            f"model {target!r} is trained by a library of its own, and not run here: "
            "recbole_dsl list shows all models"
        )
    guess = did_you_mean(target, [*pairs, *hosts])
    raise UsageError(f"unknown model {target!r}{guess} (recbole_dsl list shows all models)")


def imported_for(target: str) -> str | None:
    """What :func:`resolve_model` would import, beside this package and RecBole, in words."""
    if ":" in target:
        return f"a class of its own, {target}"
    backbone, _, loss = target.partition("_")
    if not (_is_backbone(backbone) and registry.is_loss(loss)):
        return None
    place = registry.not_imported(backbone, loss)
    return None if place is None else f"{target}, which is in {place}"


def _is_backbone(name: str) -> bool:
    return registry.is_backbone(name) or fitting.fits(name)


def _backbone_part(name: str) -> Part:
    """A backbone of this package or another one's; else a model of RecBole's that fits."""
    if registry.is_backbone(name):
        return registry.backbone_part(name)
    path = fitting.property_file(name)
    target = f"recbole:{fitting.recbole_name(name)}"
    return Part("backbone", name, name, target, path, fitting.ORIGIN)


def _of_recbole() -> list[str]:
    return [name for found in fitting.names(registry.BACKBONES).values() for name in found]


def _does_not_fit(target: str, model: str) -> UsageError:
    why = fitting.why_not(model, host_models("general_recommender"))
    return UsageError(
        f"{target!r}: RecBole's {model} cannot be trained with a loss of recbole_dsl: {why} (those "
        f"that can: {', '.join(_of_recbole())})"
    )


def _pair(target: str, backbone: Part, loss: str) -> Model:
    found = registry.loss_part(loss)
    name = f"{backbone.shown}_{found.shown}"
    parts = (backbone, found)
    of_recbole = backbone.origin == fitting.ORIGIN
    sequential = of_recbole and fitting.is_sequential(backbone.name)
    cls = SequenceRecommender if sequential else PairRecommender
    return Model(target, name, cls, backbone.name, found.name, parts=parts)


def _own_class(target: str) -> Model:
    """The model of ``module:Class`` or ``module:Backbone_<Loss>``."""
    module = import_own_module(target)
    module_name, _, rest = target.partition(":")
    models = classes_of(module, AbstractRecommender)
    if rest in models:
        return Model(target, models[rest].__name__, models[rest], source="own")
    backbones = {
        name: cls
        for name, cls in classes_of(module, torch.nn.Module).items()
        if not issubclass(cls, AbstractRecommender)
    }
    fitting = [name for name in backbones if rest.startswith(f"{name}_")]
    if fitting:
        name = max(fitting, key=len)
        part = registry.own_backbone(f"{module_name}:{name}", backbones[name])
        return _pair(target, part, rest[len(name) + 1 :])
    if rest in backbones:
        raise UsageError(f"{target!r} is a backbone, and a model has a loss too: {target}_DSL")
    wanted = rest.rpartition("_")[0]
    if wanted and (guess := nearest(wanted, backbones)):
        raise UsageError(
            f"{target!r}: {module_name} has no backbone {wanted!r}; did you mean {guess}?"
        )
    raise UsageError(
        f"{target!r}: {module_name} has no {AbstractRecommender.__name__} {rest!r}"
        f"{did_you_mean(rest, models)}"
    )
