"""Which of RecBole's own models can be trained with a loss of this package, by name.

``SASRec_DSL`` is RecBole's SASRec with DSL. Where this package has a backbone of the same name,
that is meant, and RecBole's is ``recbole.LightGCN_DSL``.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import recbole

from recbole_dsl.common.property_files import read_yaml
from recbole_dsl.models.adapters import graphs, sequences

PREFIX = "recbole."
ORIGIN = "RecBole"
# Settings of RecBole's models that a loss of this package stands in for.
REPLACED_BY_LOSS = {"loss_type", "reg_loss_ratio"}
_MODEL_PROPERTIES = Path(recbole.__file__).resolve().parent / "properties" / "model"


def recbole_name(backbone: str) -> str:
    """``LightGCN`` of ``recbole.LightGCN``; other names as they are."""
    return backbone.removeprefix(PREFIX)


def is_sequential(backbone: str) -> bool:
    """Whether a name is that of a sequential model that fits."""
    return recbole_name(backbone) in sequences.FITTING


def fits(backbone: str) -> bool:
    """Whether a name is that of a model of RecBole's that fits."""
    return is_sequential(backbone) or recbole_name(backbone) in graphs.FITTING


def names(ours: Collection[str]) -> dict[str, list[str]]:
    """Kind -> the names of all that fit, as a model's name has them.

    Args:
        ours: this package's own backbones, which stand for themselves.
    """
    return {
        kind: [f"{PREFIX}{name}" if name in ours else name for name in table]
        for kind, table in (("sequential", sequences.FITTING), ("general", graphs.FITTING))
    }


def why_not(name: str, general: Collection[str]) -> str:
    """Why a model of RecBole's does not fit, as a sentence without its subject.

    Args:
        general: the names of RecBole's general models.
    """
    found = sequences.REFUSED.get(name) or graphs.REFUSED.get(name)
    if found is not None:
        return found
    if name in general:
        return "it has no vectors of all users and all items whose inner products are its scores"
    return "it is neither sequential nor a general model"


def property_file(backbone: str) -> Path:
    """RecBole's own file of a model's settings."""
    return _MODEL_PROPERTIES / f"{recbole_name(backbone)}.yaml"


def renamed(backbone: str, of_loss: Collection[str]) -> dict[str, str]:
    """The settings of a model whose names the loss has too -> the names that they get.

    NCL's ``alpha`` is ``ncl_alpha`` in ``NCL_DSL``.
    """
    model = recbole_name(backbone)
    shared = read_yaml(property_file(backbone)).keys() & set(of_loss)
    return {key: f"{model.lower()}_{key}" for key in sorted(shared)}


def settings(backbone: str, of_loss: Collection[str]) -> dict[str, Any]:
    """What RecBole's file of a model gives its settings, by the names that they have here."""
    other = renamed(backbone, of_loss)
    values: Mapping[str, Any] = read_yaml(property_file(backbone))
    return {other.get(k, k): v for k, v in values.items() if k not in REPLACED_BY_LOSS}
