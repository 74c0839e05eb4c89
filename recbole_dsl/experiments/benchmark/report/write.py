"""The report of a benchmark: its files, its page, and the protocol in sentences."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recbole_dsl.common.files import write_together
from recbole_dsl.common.html_page import Bold, Page, Section, page_text, write_plotly
from recbole_dsl.experiments.benchmark.report import (
    figures,
    formats,
    made_with,
    tables,
    tuning_table,
)
from recbole_dsl.experiments.benchmark.report.forest import forest
from recbole_dsl.experiments.benchmark.report.paper_table import paper_tables
from recbole_dsl.experiments.benchmark.report.summary import Record, Summary, finished, summarise
from recbole_dsl.experiments.benchmark.report.tables import Rows, Style
from recbole_dsl.experiments.benchmark.report.verdict import verdict

FILES = ("table.md", "table.csv", "table.tex", "report.html")
_TITLE = "Benchmark"
_BEST = "\x00"  # marks a cell for the page, which makes it bold
_PAGE = Style(best=_BEST + "{}")
_METRICS = "Mean over seeds; bars are the standard deviation."
_CURVES = "Validation metric, a line for each seed. Epochs are counted from 1, in logs from 0."
_FOREST = (
    "How far each model is from the reference, with the 95 % confidence interval of that "
    "comparison alone. Colours are by p-values that are corrected by Holm's method for the number "
    "of models, as the stars of the tables. On the right, the difference relative to the reference."
)
_GROUPS = "Mean over seeds; bars are the standard deviation."
_GAINS = (
    "The same values over those of the reference. Gains of groups with small values are large and "
    "uncertain: see the values above."
)
_TIMES = "Mean over seeds and its standard deviation, by the median time of a whole run."


def write(
    folder: str | os.PathLike[str], plan: Mapping[str, Any], records: Mapping[str, Record]
) -> tuple[list[Summary], list[Path]]:
    """Write table.md, table.csv, table.tex and report.html of a plan's runs, and Plotly's code.

    Args:
        folder: of the benchmark. plan: what :func:`store.read_plan` gives.
        records: key -> record.
    Returns:
        (summaries, paths): a summary for each dataset, and the paths written: none where there is
        no result yet.
    Raises:
        UsageError: a record is not whole, or the plan's columns name a metric that lacks.
    """
    folder = Path(folder)
    summaries = [
        summarise(
            dataset,
            plan["runs"],
            records,
            valid_metric=protocol["valid_metric"],
            reference=plan["reference"],
            alternative=plan["alternative"],
            folder=folder,
        )
        for dataset, protocol in plan["protocol"].items()
    ]
    measured = [summary for summary in summaries if summary.labels]
    if not measured:
        return summaries, []
    paths = [folder / name for name in FILES]
    texts = (
        formats.markdown(measured, _TITLE, plan),
        formats.frame(measured).to_csv(index=False),
        paper_tables(measured, plan.get("columns", ())),
        page_text(_page(plan, measured)),
    )
    write_plotly(folder)
    write_together(
        {
            path: functools.partial(_write_text, text=text)
            for path, text in zip(paths, texts, strict=True)
        }
    )
    return summaries, paths


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def protocol_lines(plan: Mapping[str, Any]) -> list[str]:
    """The protocol of each dataset, and the budgets, in sentences."""
    lines = []
    for dataset, values in plan["protocol"].items():
        files = values.get("benchmark_filename")
        split = f"files {files}" if files else f"{values['eval_args']['split']}"
        drawn = "the seed of the run" if values["split_seed"] is None else values["split_seed"]
        sets = f", test sets {values['test_sets']}" if values["test_sets"] else ""
        lines.append(
            f"{dataset}: split {split} drawn by {drawn}, the same for all models{sets}; "
            f"candidates {values['eval_args']['mode']['test']}; epoch chosen by validation "
            f"{values['valid_metric']}."
        )
    budgets: dict[str, list[str]] = {}
    for label, values in plan["budget"].items():
        text = ", ".join(f"{key} {value}" for key, value in values.items())
        budgets.setdefault(text, []).append(label)
    for text, labels in budgets.items():
        models = "all models" if len(budgets) == 1 else ", ".join(labels)
        lines.append(f"Budget of {models}: {text}.")
    if plan.get("tuning"):
        lines.append(tuning_table.note(plan))
    return lines + [f"{note}." for note in plan["notes"]]


def _page(plan: Mapping[str, Any], summaries: Sequence[Summary]) -> Page:
    sections: list[Section] = []
    for summary in summaries:
        on = f" on {summary.dataset}" if len(summaries) > 1 else ""
        sections += _results(summary, on, plan.get("columns", ()))
        for metric in summary.metrics:
            sections += [part._replace(choice=metric) for part in _by_metric(summary, metric, on)]
        if curves := figures.curves(summary):
            sections.append(Section(f"Training{on}", _CURVES, tuple(curves)))
        if failed := tables.failures(summary):
            sections.append(Section(f"Failed runs{on}", "\n\n".join(failed)))
    if rows := tuning_table.table(plan):
        failed = tuning_table.failures(plan)
        text = "\n\n".join([tuning_table.note(plan), *(f"Failed: {line}" for line in failed)])
        sections.append(Section("Tuning", text, table=rows))
    return Page(
        _TITLE,
        sections,
        verdict=[
            verdict(summary, test_set, summary.main_metric)
            for summary in summaries
            for test_set in summary.test_sets
        ],
        intro="\n\n".join([*protocol_lines(plan), *made_with.sentences(finished(summaries))]),
        chosen=summaries[0].main_metric,
    )


def _results(summary: Summary, on: str, columns: Sequence[str]) -> Iterator[Section]:
    """The table of each test set; ``on`` ends each heading."""
    for test_set in summary.test_sets:
        name = "Results" if test_set == "test" else f"Results, {test_set} test"
        first = test_set == summary.test_sets[0]
        notes = " ".join(tables.notes(summary, compared=False)) if first else ""
        rows = _bold(tables.results(summary, test_set, _PAGE))
        paper = paper_tables([summary._replace(test_sets=[test_set])], columns)
        yield Section(name + on, notes, table=rows, latex=paper)


def _by_metric(summary: Summary, metric: str, on: str) -> Iterator[Section]:
    """What is shown of a metric, where the page's menu chooses it."""
    for test_set in summary.test_sets:
        at = ("" if test_set == "test" else f", {test_set} test") + on
        name = f"Differences from {summary.reference}, {metric}{at}"
        said = verdict(summary, test_set, metric)
        if drawn := forest(summary, test_set, metric):
            said = "" if metric == summary.main_metric else said  # which stands at the top
            if test_set == summary.test_sets[0]:
                said = "\n\n".join([said, _FOREST, tables.notes(summary)[-1]])
            compared = tables.comparisons(summary, test_set, metric, _PAGE)
            yield Section(name, said, (drawn,), compared)
        else:
            yield Section(name, said)
    yield Section(f"{metric} by model{on}", _METRICS, (figures.metrics(summary, metric),))
    for found in figures.groups(summary, metric):
        kind = found.kind.replace("_", " ")
        yield Section(f"{found.metric} by {kind}{on}", _GROUPS, tuple(found.values))
        if found.gains:
            title = f"Gain over {summary.reference} in {found.metric}, by {kind}{on}"
            yield Section(title, _GAINS, tuple(found.gains))
    yield Section(f"{metric} against time{on}", _TIMES, tuple(figures.times(summary, metric)))


def _bold(rows: Rows) -> list[list[str]]:
    return [
        [Bold(cell.removeprefix(_BEST)) if cell.startswith(_BEST) else cell for cell in row]
        for row in rows
    ]
