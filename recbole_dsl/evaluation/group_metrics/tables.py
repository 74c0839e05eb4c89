"""Group metrics of a run's test sets as tables of text."""

from collections.abc import Mapping
from typing import Any

from recbole_dsl.common.text import table

# Grouping -> what its groups are of.
_GROUPS_OF = {"item_popularity": "items", "user_activity": "users", "user_field": "users"}


def group_tables(report: Mapping[str, Any], decimals: int = 4) -> list[str]:
    """A table and a line of fairness for each grouping and test set of a result's ``groups``."""
    return [
        f"{_title(grouping, entry, test)}\n{_table(grouping, entry, test, decimals)}\n"
        f"{_fairness(entry['fairness'][test], decimals)}"
        for grouping, entry in report.items()
        for test in entry["metrics"]
    ]


def _title(grouping: str, entry: Mapping[str, Any], test: str) -> str:
    where = "test" if test == "test" else f"test {test}"
    if grouping == "item_popularity":
        return f"item_popularity, {where} (ndcg: contribution to the overall one)"
    return " ".join(filter(None, (grouping, entry.get("field")))) + f", {where}"


def _table(grouping: str, entry: Mapping[str, Any], test: str, decimals: int) -> str:
    metrics, users = entry["metrics"][test], entry["users"][test]
    head = ["", _GROUPS_OF[grouping], "share of rows", "rows each", "test users", *metrics]
    rows = []
    for group in entry["groups"]:
        edges, name = group["edges"], group["name"]
        rows.append(
            [
                name,
                f"{group['size']:,}",
                f"{group['share']:.3f}",
                "-" if edges is None else f"{edges[0]:,} to {edges[1]:,}",
                f"{users[name]:,}",
                *(_shown(values[name], decimals) for values in metrics.values()),
            ]
        )
    return table(head, rows, "l" + "r" * (len(head) - 1))


def _fairness(found: Mapping[str, Mapping[str, Any]], decimals: int) -> str:
    """``recall@10: worst tail 0.0123, spread 0.1; ...``"""
    return "; ".join(
        f"{metric}: worst {one['worst_group'] or '-'} {_shown(one['worst'], decimals)}, "
        f"spread {_shown(one['spread'], decimals)}"
        for metric, one in found.items()
    )


def _shown(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"
