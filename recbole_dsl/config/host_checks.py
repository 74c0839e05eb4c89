"""Rules between the settings of RecBole's own models; each raises UsageError with one line."""

import importlib.util
from collections.abc import Collection, Mapping
from typing import Any

from recbole.utils import InputType

from recbole_dsl.common.errors import UsageError, how_to_install
from recbole_dsl.models.resolve import Model
from recbole_dsl.models.settings import ALL

# Packages that models of RecBole's import as they are built, or in the middle of their training.
_NEEDED_BY = {"NCL": "faiss", "KGIN": "torch_scatter", "MCCLK": "torch_scatter", "KGAT": "dgl"}
# Negatives for each positive that RecBole's models are not trained with, and ours are.
_MANY_NEGATIVES = 16


def check_host(values: Mapping[str, Any], spec: Model, given: Mapping[str, str]) -> list[str]:
    """Check the settings of a model of RecBole's, or of a user's own class.

    Args:
        values, given: as in :func:`recbole_dsl.config.checks.check_all`.
    Returns:
        Warnings, sentences for the log.
    """
    arguments = values["train_neg_sample_args"]
    check_host_negatives(arguments, spec.name)
    clipping = values["clip_grad_norm"]
    if clipping is not None and "max_norm" not in clipping:
        raise UsageError(f"clip_grad_norm must be a map with max_norm, got {clipping!r}")
    if spec.source == "recbole" and values["learner"] == "sparse_adam":
        raise UsageError(
            f"learner sparse_adam needs sparse gradients, and {spec.name} has none: use adam"
        )
    none = draws_none(arguments)
    if spec.source == "recbole":
        if none and _learns_from_pairs(values, spec):
            raise UsageError(
                f"{spec.name} compares positives with negatives, and train_neg_sample_args "
                f"{arguments!r} gives it none"
            )
        if not none and arguments.get("dynamic") and not arguments.get("candidate_num"):
            raise UsageError(
                "train_neg_sample_args: dynamic: True chooses among candidates: candidate_num must "
                "be an integer >= 1, got 0"
            )
    return [] if none else _many_negatives(arguments, spec, given.get("train_neg_sample_args", ""))


def without_negatives(
    values: Mapping[str, Any], spec: Model, given: Collection[str]
) -> dict[str, None]:
    """``train_neg_sample_args: None`` for a model of RecBole's with a softmax over all items, of
    which RecBole refuses a run that does not say so; nothing where the user says what to draw."""
    softmax = not spec.is_pair and values.get("loss_type") == "CE"
    return (
        {"train_neg_sample_args": None} if softmax and "train_neg_sample_args" not in given else {}
    )


def draws_none(arguments: Mapping[str, Any] | None) -> bool:
    """Whether ``train_neg_sample_args`` of a model of RecBole's draw no negatives; what they leave
    out is RecBole's default."""
    return arguments is None or arguments.get("distribution", "uniform") is None


def check_package(values: Mapping[str, Any], spec: Model) -> None:
    """A package that the model needs and that RecBole does not bring."""
    name = _NEEDED_BY.get(str(spec.host))
    if spec.name == "NNCF" and values.get("neigh_info_method") == "louvain":
        name = "community"
    if spec.name == "LDiffRec" and (values.get("n_cate") or 0) > 1:
        name = "kmeans_pytorch"
    if name is not None and importlib.util.find_spec(name) is None:
        raise UsageError(f"{spec.name}: {how_to_install(name)}")


def _learns_from_pairs(values: Mapping[str, Any], spec: Model) -> bool:
    kind = getattr(spec.model_class, "input_type", None)
    if kind is None:
        return values.get("loss_type") == "BPR"
    return kind == InputType.PAIRWISE


def _many_negatives(arguments: Mapping[str, Any], spec: Model, layer: str) -> list[str]:
    """A number of negatives meant for a softmax loss, in a layer that several models are given."""
    number = arguments.get("sample_num")
    if not isinstance(number, int) or number < _MANY_NEGATIVES:
        return []
    if not layer.startswith(("config file", "command line, for all models")):
        return []
    return [
        f"train_neg_sample_args: {{sample_num: {number}}} ({layer}) holds for {spec.name} too, "
        f"which RecBole trains on a row for each of the {number} negatives; its default is 1"
    ]


def check_host_negatives(arguments: Any, name: str) -> None:
    """``sample_num: all`` is for our models alone."""
    if isinstance(arguments, Mapping) and arguments.get("sample_num") == ALL:
        raise UsageError(
            f"{name}: sample_num: {ALL} in train_neg_sample_args is for <Backbone>_<Loss> models; "
            "RecBole's own draw a number of negatives for each positive"
        )
