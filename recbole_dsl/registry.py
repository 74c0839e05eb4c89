"""The two tables every ``<Backbone>_<Loss>`` name is made of. A new one is one line here."""

import importlib
import inspect
import os
import sys

from recbole_dsl import losses
from recbole_dsl.backbones import MF, NGCF, LightGCN, LightGCNpp, SimGCL, XSimGCL
from recbole_dsl.settings import UsageError, did_you_mean

BACKBONES = {
    "MF": MF,
    "LightGCN": LightGCN,
    "XSimGCL": XSimGCL,
    "SimGCL": SimGCL,
    "NGCF": NGCF,
    "LightGCN++": LightGCNpp,
}

LOSSES = {
    "DSL": losses.DSLLoss,
    "SL": losses.SoftmaxLoss,
    "BSL": losses.BSLLoss,
    "PSL": losses.PSLLoss,
    "SLatK": losses.SLatKLoss,
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


def load_class(target, base):
    """The class that ``module:Class`` names, found from the current folder too.

    Raises:
        UsageError: no such module or class, or not a subclass of base.
    """
    module_name, _, class_name = target.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # as `python -m` has it; a script's own folder comes first
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


def _lookup(kind, table, name):
    if name not in table:
        guess = did_you_mean(name, table)
        raise ValueError(f"unknown {kind} {name!r} (known: {', '.join(table)}){guess}")
    return table[name]


def backbone_class(name):
    """The class of a backbone. Raises ValueError, listing the known names, for any other name."""
    return _lookup("backbone", BACKBONES, name)


def loss_class(name):
    """The class of a loss: one of LOSSES, or ``module:Class`` for a loss of your own.

    Raises:
        ValueError: an unknown name (the message lists the known ones).
    """
    return load_class(name, losses.RowLoss) if ":" in name else _lookup("loss", LOSSES, name)


def pair_names():
    """Every ``<Backbone>_<Loss>``."""
    return [f"{backbone}_{loss}" for backbone in BACKBONES for loss in LOSSES]
