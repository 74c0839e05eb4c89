"""The tables as text: for a terminal, as Markdown, as CSV."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from recbole_dsl.experiments.benchmark.report import made_with, tables, tuning_table
from recbole_dsl.experiments.benchmark.report.summary import VALID, Summary, finished
from recbole_dsl.experiments.benchmark.report.tables import Rows, Style
from recbole_dsl.experiments.benchmark.report.verdict import verdict

PLAIN = Style()
TERMINAL = Style(best="\x1b[1m{}\x1b[0m", second="\x1b[4m{}\x1b[0m")
MARKDOWN = Style(
    best="**{}**",
    star=lambda stars: " " + stars.replace("*", r"\*"),
    word=lambda text: str(text).replace("|", r"\|"),
)


def terminal(summaries: Sequence[Summary], bold: bool) -> str:
    """What the command prints.

    Args:
        bold: whether the best and second best are marked by a terminal's escape sequences.
    """
    blocks = []
    for summary in summaries:
        for test_set in summary.test_sets:
            title = _title(summary, test_set)
            rows = tables.results(summary, test_set, TERMINAL if bold else PLAIN)
            blocks.append(f"{title}\n\n{_draw(rows, 'simple')}")
            metric = summary.main_metric
            blocks.append(verdict(summary, test_set, metric))
            compared = tables.comparisons(summary, test_set, metric, PLAIN)
            if compared:
                title = f"the others against {summary.reference}, {metric}"
                blocks.append(f"{title}\n\n{_draw(compared, 'simple')}")
        blocks.append("\n".join(tables.notes(summary)))
    return "\n\n".join(blocks)


def tuning(plan: Mapping[str, Any]) -> str:
    """What tuning gave each model, for a terminal; nothing without tuning."""
    rows = tuning_table.table(plan)
    return _draw(rows, "simple", last="left") if rows else ""


def markdown(summaries: Sequence[Summary], heading: str, plan: Mapping[str, Any]) -> str:
    """The results, the comparisons by every metric, the budget of tuning, and what the runs were
    made with, as Markdown."""
    blocks = [f"# {heading}"]
    for summary in summaries:
        for test_set in summary.test_sets:
            blocks.append(f"## {_title(summary, test_set)}")
            blocks.append(MARKDOWN.word(verdict(summary, test_set, summary.main_metric)))
            rows = tables.results(summary, test_set, MARKDOWN)
            blocks.append(_draw(rows, "pipe"))
            for metric in summary.metrics:
                compared = tables.comparisons(summary, test_set, metric, MARKDOWN)
                if compared:
                    blocks += [f"### The others against {summary.reference}, {metric}"]
                    blocks.append(_draw(compared, "pipe"))
        notes = [line.replace("*", r"\*") for line in tables.notes(summary)]
        blocks += [" ".join(notes), *(f"Failed: {line}" for line in tables.failures(summary))]
    if budgets := tuning_table.table(plan, MARKDOWN.word):
        blocks += ["## Tuning", tuning_table.note(plan), _draw(budgets, "pipe", last="left")]
        blocks += [f"Failed: {line}" for line in tuning_table.failures(plan)]
    return "\n\n".join([*blocks, *made_with.sentences(finished(summaries))]) + "\n"


def frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    """All numbers, a row for each dataset, test set, model and metric."""
    rows = []
    for summary in summaries:
        for (test_set, label, metric), found in summary.results.items():
            row = {
                "dataset": summary.dataset,
                "test_set": test_set,
                "model": label,
                "metric": metric,
                "mean": found.mean,
                "std": found.std,
                "seeds": found.seeds,
                "seconds": summary.seconds[label],
                "parameters": summary.parameters[label],
                "reference": None if test_set == VALID else summary.reference,
            }
            for name, pair, p in (
                ("users", found.users, found.p_users),
                ("seeds", found.over_seeds, found.p_seeds),
            ):
                row[f"n_{name}"] = pair and pair.n
                row[f"difference_{name}"] = pair and pair.difference
                row[f"low_{name}"], row[f"high_{name}"] = (pair and pair.interval) or (None, None)
                row[f"d_z_{name}"] = pair and pair.effect
                row[f"p_{name}"] = pair and pair.p
                row[f"p_holm_{name}"] = p
            rows.append(row)
    return pd.DataFrame(rows).convert_dtypes()


def _title(summary: Summary, test_set: str) -> str:
    return summary.dataset + ("" if test_set == "test" else f", {test_set} test")


def _draw(rows: Rows, kind: str, last: str = "right") -> str:
    header, *body = rows
    align = ["left"] + ["right"] * (len(header) - 2) + [last]
    text: str = tabulate(body, header, tablefmt=kind, disable_numparse=True, colalign=align)
    return text
