"""The two tables every ``<Backbone>_<Loss>`` name is made of. A new one is one line here."""

from recbole_dsl.backbones import MF, LightGCN
from recbole_dsl.losses import BPRLoss, DSLLoss, SoftmaxLoss
from recbole_dsl.settings import did_you_mean

BACKBONES = {
    "MF": MF,
    "LightGCN": LightGCN,
}

LOSSES = {
    "BPR": BPRLoss,
    "SL": SoftmaxLoss,
    "DSL": DSLLoss,
}


def _lookup(kind, table, name):
    if name not in table:
        guess = did_you_mean(name, table)
        raise ValueError(f"unknown {kind} {name!r} (known: {', '.join(table)}){guess}")
    return table[name]


def backbone_class(name):
    """The class of a backbone. Raises ValueError, listing the known names, for any other name."""
    return _lookup("backbone", BACKBONES, name)


def loss_class(name):
    """The class of a loss. Raises ValueError, listing the known names, for any other name."""
    return _lookup("loss", LOSSES, name)


def pair_names():
    """Every ``<Backbone>_<Loss>``."""
    return [f"{backbone}_{loss}" for backbone in BACKBONES for loss in LOSSES]
