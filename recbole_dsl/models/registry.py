"""The two tables every ``<Backbone>_<Loss>`` name is made of. A new one of this package is one line
here; those of other packages and of users are found by :mod:`recbole_dsl.models.plugins`."""

import inspect
import os
from collections.abc import Iterable
from typing import Any

import torch

from recbole_dsl import losses
from recbole_dsl.backbones import MF, NGCF, LightGCN, LightGCNpp, SimGCL, XSimGCL
from recbole_dsl.models.own_classes import load_class
from recbole_dsl.models.plugins import Part, Parts, Registered

BACKBONES: dict[str, type[torch.nn.Module]] = {
    "MF": MF,
    "LightGCN": LightGCN,
    "XSimGCL": XSimGCL,
    "SimGCL": SimGCL,
    "NGCF": NGCF,
    "LightGCN++": LightGCNpp,
}

LOSSES: dict[str, type[losses.RowLoss]] = {
    "DSL": losses.DSLLoss,
    "SL": losses.SoftmaxLoss,
    "BSL": losses.BSLLoss,
    "PSL": losses.PSLLoss,
    "SLatK": losses.SLatKLoss,
    "Talos": losses.TalosLoss,
    "AdvInfoNCE": losses.AdvInfoNCELoss,
    "InfoNCE": losses.InfoNCELoss,
    "AdapTau": losses.AdapTauLoss,
    "BC": losses.BCLoss,
    "BPR": losses.BPRLoss,
    "BCE": losses.BCELoss,
    "gBCE": losses.GBCELoss,
    "CCL": losses.CCLLoss,
    "MMCL": losses.MMCLLoss,
    "LLPAUC": losses.LLPAUCLoss,
    "DirectAU": losses.DirectAULoss,
    "SCE": losses.SCELoss,
}


def _fault_of_backbone(cls: type[torch.nn.Module]) -> str | None:
    if not inspect.isclass(cls) or not issubclass(cls, torch.nn.Module):
        return "it is no subclass of torch.nn.Module"
    if not callable(getattr(cls, "embed", None)):
        return "it has no method embed()"
    data: tuple[None, ...] = (None,) * 4
    wanted = f"{cls.__name__}(users, items, n_users, n_items, *, options)"
    return None if _takes(cls, data) else f"it must be built as {wanted}"


def _fault_of_loss(cls: type[losses.RowLoss]) -> str | None:
    if not inspect.isclass(cls) or not issubclass(cls, losses.RowLoss):
        return "it is no subclass of recbole_dsl.losses.RowLoss"
    return None if _takes(cls, ()) else f"it must be built as {cls.__name__}(*, options)"


def _takes(cls: type, arguments: tuple[None, ...]) -> bool:
    """Whether a class is built from so many arguments and from options by keyword."""
    signature = inspect.signature(cls)
    options = {
        name: None
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    try:
        signature.bind(*arguments, **options)
    except TypeError:
        return False
    return True


_BACKBONES = Parts("backbone", BACKBONES, torch.nn.Module, _fault_of_backbone)
_LOSSES = Parts("loss", LOSSES, losses.RowLoss, _fault_of_loss)
_KINDS: dict[str, Parts[Any]] = {"backbone": _BACKBONES, "loss": _LOSSES}


def register_backbone(
    name: str,
    backbone: type[torch.nn.Module],
    *,
    properties: str | os.PathLike[str] | None = None,
) -> None:
    """Make a backbone known as ``<name>_<Loss>``, in this process and in those that it starts.

    A package that is installed can name its backbones in the entry points
    ``recbole_dsl.backbones`` instead, which need no call.

    Args:
        name: letters, digits, + and -.
        backbone: a torch module, built as ``backbone(users, items, n_users, n_items, *, options)``,
            whose ``embed()`` returns the vectors of all users and items, (U, D) and (I, D).
        properties: its YAML file of settings; None: that beside its module and of its name, if
            there is one.
    Raises:
        UsageError: the name is this package's, RecBole's or another package's; the class is no
            backbone; there is no such file.
    """
    _BACKBONES.register(name, backbone, properties)


def register_loss(
    name: str, loss: type[losses.RowLoss], *, properties: str | os.PathLike[str] | None = None
) -> None:
    """Make a loss known as ``<Backbone>_<name>``, in this process and in those that it starts.

    A package that is installed can name its losses in the entry points ``recbole_dsl.losses``
    instead, which need no call.

    Args:
        name: letters, digits, + and -.
        loss: a subclass of :class:`recbole_dsl.losses.RowLoss`, built as ``loss(*, options)``.
        properties: its YAML file of settings; None: that beside its module and of its name, if
            there is one.
    Raises:
        UsageError: the name is this package's, RecBole's or another package's; the class is no
            loss; there is no such file.
    """
    _LOSSES.register(name, loss, properties)


def register_again(found: Iterable[Registered]) -> None:
    """Register what :func:`plugins.for_other_processes` has listed in another process."""
    for kind, name, target, properties in found:
        cls = load_class(target, torch.nn.Module)
        _KINDS[kind].register(name, cls, properties)


def backbone_part(name: str) -> Part:
    """A backbone by name or ``module:Class``.

    Raises:
        UsageError: an unknown name (the message lists the known ones), or its class cannot be used.
    """
    return _BACKBONES.find(name)[0]


def loss_part(name: str) -> Part:
    """A loss by name or ``module:Class``; errors as of :func:`backbone_part`."""
    return _LOSSES.find(name)[0]


def own_backbone(name: str, cls: type[torch.nn.Module]) -> Part:
    """A class of the user's own as a backbone, which is found by ``module:Class``.

    Raises:
        UsageError: it lacks something, or has a name of this package's.
    """
    return _BACKBONES.own(name, cls)[0]


def backbone_class(name: str) -> type[torch.nn.Module]:
    """The class of a backbone; errors as of :func:`backbone_part`."""
    return _BACKBONES.find(name)[1]


def loss_class(name: str) -> type[losses.RowLoss]:
    """The class of a loss; errors as of :func:`loss_part`."""
    return _LOSSES.find(name)[1]


def class_of(part: Part) -> type[torch.nn.Module]:
    """The class of a part."""
    found: type[torch.nn.Module] = _KINDS[part.kind].find(part.name)[1]
    return found


def is_backbone(name: str) -> bool:
    """Whether there is a backbone of that name; nothing is imported."""
    return name in _BACKBONES


def is_loss(name: str) -> bool:
    """Whether there is a loss of that name; nothing is imported."""
    return name in _LOSSES


def not_imported(backbone: str, loss: str) -> str | None:
    """Where a backbone or a loss would be imported from if they were asked for; None: nowhere."""
    return _BACKBONES.not_imported(backbone) or _LOSSES.not_imported(loss)


def of_other_packages(kind: str) -> list[tuple[str, Part | str]]:
    """The backbones, or the losses, of other packages by name, imported; a line in place of one
    that cannot be had."""
    return _KINDS[kind].others()


def loss_names() -> list[str]:
    """The names of all losses; nothing is imported."""
    return _LOSSES.names()


def backbone_names() -> list[str]:
    """The names of all backbones; nothing is imported."""
    return _BACKBONES.names()


def pair_names() -> list[str]:
    """Every ``<Backbone>_<Loss>`` of this package."""
    return [f"{backbone}_{loss}" for backbone in BACKBONES for loss in LOSSES]
