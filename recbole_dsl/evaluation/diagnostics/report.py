"""Diagnostics of a model as plain data, for the result file, and as a table of text."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recbole_dsl.common.text import table
from recbole_dsl.evaluation.diagnostics import by_popularity
from recbole_dsl.evaluation.diagnostics.row_measures import measure


def diagnose(config: Any, model: Any, train: Any, rows: int) -> dict[str, Any]:
    """Diagnostics of a trained model.

    Args:
        config: the settings of its run; ``seed`` and ``train_batch_size`` are read.
        model: a :class:`recbole_dsl.models.trained_by_loss.TrainedByLoss`.
        train: RecBole's Dataset of the training rows.
        rows: how many of them at most, drawn at random.
    Returns:
        dict of plain data, as the result file has it under ``diagnostics``.
    """
    items = train.inter_feat[train.iid_field]
    measured = measure(
        model,
        train.inter_feat.interaction,
        rows=rows,
        batch_size=config["train_batch_size"],
        seed=config["seed"],
    )
    counts = np.bincount(items.numpy(), minlength=train.item_num)
    item_groups = by_popularity.popularity_groups(counts)
    values = {name: value.numpy() for name, value in measured.values.items()}
    mass = {name: sums.numpy() for name, sums in measured.mass.items()}
    return {
        "model": config["model"],
        "dataset": config["dataset"],
        "loss": repr(model.loss),
        "rows": len(measured.items),
        "training_rows": len(items),
        "batch_size": config["train_batch_size"],
        "sample_num": measured.negatives,
        "seed": config["seed"],
        "identity_error": measured.identity_error,
        "quantile_levels": list(by_popularity.QUANTILES),
        "groups": by_popularity.describe(item_groups, counts),
        "positives": by_popularity.of_positives(item_groups, measured.items.numpy(), values),
        "negatives_by_group": by_popularity.of_negatives(item_groups, mass),
    }


_COLUMNS = (
    ("temperature", "tau", 3),
    ("prior_entropy", "entropy of P", 3),
    ("effective_negatives", "effective negatives", 1),
    ("positive_score", "positive", 3),
    ("prior_payoff", "E_P[f]", 3),
    ("payoff", "E_Q[f]", 3),
    ("kl", "KL(Q || P)", 3),
)


def rows_of_table(found: Mapping[str, Any]) -> list[list[str]]:
    """The means of each group as rows of cells, the header first; empty groups are left out."""
    head = ["popularity", "rows per item", "items", *(title for _, title, _ in _COLUMNS)]
    cells = []
    named = [(group["name"], group) for group in found["groups"]]
    for name, group in [*named, ("all", None)]:
        if found["positives"]["temperature"][name] is None:
            continue
        about = ["", f"{sum(g['items'] for g in found['groups']):,}"]
        if group:
            about = [edges_text(group), f"{group['items']:,}"]
        means = [
            f"{found['positives'][value][name]['mean']:,.{digits}f}"
            for value, _, digits in _COLUMNS
        ]
        cells.append([name, *about, *means])
    return [head, *cells]


def edges_text(group: Mapping[str, Any]) -> str:
    """Lowest to highest count of a group's items, "12 to 20"."""
    low, high = group["edges"]
    # blanks that do not break, for a narrow column
    return f"{low:,}" if low == high else f"{low:,}\u00a0to\u00a0{high:,}"


def text(found: Mapping[str, Any]) -> str:
    """The table for a terminal, under a line that says what it shows."""
    head, *cells = rows_of_table(found)
    drawn = table(head, cells, "r" * len(head))
    return (
        f"diagnostics of {found['model']} on {found['dataset']}, means over {found['rows']:,} of "
        f"{found['training_rows']:,} training rows, by popularity of the positive "
        f"(1 the least)\n{drawn}"
    )
