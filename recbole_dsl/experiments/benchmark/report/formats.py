"""The tables as text: for a terminal, as Markdown, as LaTeX, as CSV."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from recbole_dsl.experiments.benchmark.report import tables, tuning_table
from recbole_dsl.experiments.benchmark.report.summary import VALID, Summary
from recbole_dsl.experiments.benchmark.report.tables import Rows, Style

_LATEX_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "±": r"$\pm$",
}  # fmt: skip


def latex_text(text: object) -> str:
    """Text with LaTeX's special characters escaped."""
    return "".join(_LATEX_SPECIAL.get(c, c) for c in str(text))


PLAIN = Style()
TERMINAL = Style(best="\x1b[1m{}\x1b[0m", second="\x1b[4m{}\x1b[0m")
MARKDOWN = Style(
    best="**{}**",
    star=lambda stars: " " + stars.replace("*", r"\*"),
    word=lambda text: str(text).replace("|", r"\|"),
)
LATEX = Style(
    best=r"\textbf{{{}}}",
    second=r"\underline{{{}}}",
    spread=r"{} $\pm$ {}",
    star=r"\textsuperscript{{{}}}".format,
    word=latex_text,
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
            compared = tables.comparisons(summary, test_set, summary.valid_metric, PLAIN)
            if compared:
                title = f"{summary.reference} against the others, {summary.valid_metric}"
                blocks.append(f"{title}\n\n{_draw(compared, 'simple')}")
        blocks.append("\n".join(tables.notes(summary)))
    return "\n\n".join(blocks)


def tuning(plan: Mapping[str, Any]) -> str:
    """What tuning gave each model, for a terminal; nothing without tuning."""
    rows = tuning_table.table(plan)
    return _draw(rows, "simple", last="left") if rows else ""


def markdown(summaries: Sequence[Summary], heading: str, plan: Mapping[str, Any]) -> str:
    """The results, the comparisons by every metric, and the budget of tuning, as Markdown."""
    blocks = [f"# {heading}"]
    for summary in summaries:
        for test_set in summary.test_sets:
            blocks.append(f"## {_title(summary, test_set)}")
            rows = tables.results(summary, test_set, MARKDOWN)
            blocks.append(_draw(rows, "pipe"))
            for metric in summary.metrics:
                compared = tables.comparisons(summary, test_set, metric, MARKDOWN)
                if compared:
                    blocks += [f"### {summary.reference} against the others, {metric}"]
                    blocks.append(_draw(compared, "pipe"))
        notes = [line.replace("*", r"\*") for line in tables.notes(summary)]
        blocks += [" ".join(notes), *(f"Failed: {line}" for line in tables.failures(summary))]
    if budgets := tuning_table.table(plan, MARKDOWN.word):
        blocks += ["## Tuning", tuning_table.note(plan), _draw(budgets, "pipe", last="left")]
        blocks += [f"Failed: {line}" for line in tuning_table.failures(plan)]
    return "\n\n".join(blocks) + "\n"


def latex(summaries: Sequence[Summary]) -> str:
    """A ``table`` for each test set, in the style of booktabs."""
    blocks = ["% needs \\usepackage{booktabs}"]
    for summary in summaries:
        for test_set in summary.test_sets:
            header, *rows = tables.results(summary, test_set, LATEX)
            frame = pd.DataFrame(rows, columns=header)
            notes = [_title(summary, test_set) + ".", *tables.notes(summary, compared=False)]
            with pd.option_context("display.max_colwidth", None):  # pandas 1 cuts longer cells
                table = frame.to_latex(
                    index=False,
                    escape=False,
                    column_format="l" + "r" * (len(header) - 1),
                    caption=latex_text(" ".join(notes)),
                    label=f"tab:{summary.dataset}-{test_set}",
                )
            blocks.append(table)
    return "\n".join(blocks)


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
