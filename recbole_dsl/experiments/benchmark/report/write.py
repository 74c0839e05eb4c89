"""The report of a benchmark: its files, its page, and the protocol in sentences."""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recbole_dsl.common.files import write_together
from recbole_dsl.common.html_page import Bold, Section, page_text
from recbole_dsl.experiments.benchmark.report import figures, formats, tables, tuning_table
from recbole_dsl.experiments.benchmark.report.summary import Record, Summary, summarise
from recbole_dsl.experiments.benchmark.report.tables import Rows, Style

FILES = ("table.md", "table.csv", "table.tex", "report.html")
_TITLE = "Benchmark"
_BEST = "\x00"  # marks a cell for the page, which makes it bold
_PAGE = Style(best=_BEST + "{}")
_METRICS = "Mean over seeds; bars are the standard deviation. The menu chooses the metric."
_CURVES = "Validation metric, a line for each seed. A click on a name in the legend hides it."
_GROUPS = "Mean over seeds; bars are the standard deviation."
_TIMES = "Mean over seeds and its standard deviation, by the median time of a whole run."


def write(
    folder: str | os.PathLike[str], plan: Mapping[str, Any], records: Mapping[str, Record]
) -> tuple[list[Summary], list[Path]]:
    """Write table.md, table.csv, table.tex and report.html of a plan's runs.

    Args:
        folder: of the benchmark. plan: what :func:`store.read_plan` gives.
        records: key -> record.
    Returns:
        (summaries, paths): a summary for each dataset, and the paths written: none where there is
        no result yet.
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
        formats.latex(measured),
        page_text(_TITLE, _intro(plan, measured), _sections(plan, measured)),
    )
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


def _intro(plan: Mapping[str, Any], summaries: Sequence[Summary]) -> str:
    records = [r for s in summaries for rows in s.records.values() for r in rows]
    lines = protocol_lines(plan)
    versions: dict[str, set[str]] = {}
    for record in records:
        for name, version in record["versions"].items():
            versions.setdefault(name, set()).add(version)
    text = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in versions.items())
    if any(len(found) > 1 for found in versions.values()):
        text += " (not all runs were made with the same versions)"
    return "\n\n".join([*lines, f"Made with {text}."])


def _sections(plan: Mapping[str, Any], summaries: Sequence[Summary]) -> list[Section]:
    sections = []
    for summary in summaries:
        on = f" on {summary.dataset}" if len(summaries) > 1 else ""
        sections += _sections_of(summary, on)
    if rows := tuning_table.table(plan):
        failed = tuning_table.failures(plan)
        text = "\n\n".join([tuning_table.note(plan), *(f"Failed: {line}" for line in failed)])
        sections.append(Section("Tuning", text, table=rows))
    return sections


def _sections_of(summary: Summary, on: str) -> list[Section]:
    """The sections of a dataset; ``on`` ends each heading."""
    sections = []
    for test_set in summary.test_sets:
        name = "Results" if test_set == "test" else f"Results, {test_set} test"
        rows = tables.results(summary, test_set, _PAGE)
        first = test_set == summary.test_sets[0]
        notes = " ".join(tables.notes(summary, compared=False)) if first else ""
        sections.append(Section(name + on, notes, table=_bold(rows)))
    sections.append(Section(f"Metrics by model{on}", _METRICS, (figures.metrics(summary),)))
    for test_set in summary.test_sets:
        name = f"{summary.reference} against the others, {summary.valid_metric}"
        if compared := tables.comparisons(summary, test_set, summary.valid_metric, _PAGE):
            text = tables.notes(summary)[-1]
            heading = name + ("" if test_set == "test" else f", {test_set} test") + on
            sections.append(Section(heading, text, table=compared))
    if curves := figures.curves(summary):
        sections.append(Section(f"Training{on}", _CURVES, tuple(curves)))
    for kind, drawn in figures.groups(summary):
        sections.append(Section(f"By {kind.replace('_', ' ')}{on}", _GROUPS, tuple(drawn)))
    times = tuple(figures.times(summary))
    sections.append(Section(f"Accuracy against time{on}", _TIMES, times))
    if failed := tables.failures(summary):
        sections.append(Section(f"Failed runs{on}", "\n\n".join(failed)))
    return sections


def _bold(rows: Rows) -> list[list[str]]:
    return [
        [Bold(cell.removeprefix(_BEST)) if cell.startswith(_BEST) else cell for cell in row]
        for row in rows
    ]
