"""The two tables every ``<Backbone>_<Loss>`` name is made of. A new one is one line here."""

import importlib
import inspect
import os
import sys
from collections.abc import Mapping
from typing import TypeVar

import torch

from recbole_dsl import losses
from recbole_dsl.backbones import MF, NGCF, LightGCN, LightGCNpp, SimGCL, XSimGCL
from recbole_dsl.common.errors import UsageError, did_you_mean

T = TypeVar("T")

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


def load_class(target: str, base: type[T]) -> type[T]:
    """The class that ``module:Class`` names, found from the current folder too.

    Raises:
        UsageError: no such module or class, or not a subclass of base.
    """
    module_name, _, class_name = target.partition(":")
    if not class_name or not all(module_name.split(".")):
        raise UsageError(f"{target!r} is no package.module:Class")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # as with `python -m`; a script's own folder comes first
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(f"{target!r}: cannot import {module_name}: {error}") from error
    found = getattr(module, class_name, None)
    if not inspect.isclass(found) or not issubclass(found, base):
        classes = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, base)
        ]
        raise UsageError(
            f"{target!r}: {module_name} has no {base.__name__} {class_name!r}"
            f"{did_you_mean(class_name, classes)}"
        )
    return found


def _lookup(kind: str, table: Mapping[str, type[T]], name: str) -> type[T]:
    if name not in table:
        guess = did_you_mean(name, table)
        raise ValueError(f"unknown {kind} {name!r} (known: {', '.join(table)}){guess}")
    return table[name]


def backbone_class(name: str) -> type[torch.nn.Module]:
    """The class of a backbone. Raises ValueError, listing the known names, for any other name."""
    return _lookup("backbone", BACKBONES, name)


def loss_class(name: str) -> type[losses.RowLoss]:
    """The class of a loss: one of LOSSES, or ``module:Class`` for a loss of your own.

    Raises:
        ValueError: an unknown name (the message lists the known ones).
    """
    return load_class(name, losses.RowLoss) if ":" in name else _lookup("loss", LOSSES, name)


def pair_names() -> list[str]:
    """Every ``<Backbone>_<Loss>``."""
    return [f"{backbone}_{loss}" for backbone in BACKBONES for loss in LOSSES]
