"""Everything a benchmark says of its results: on the terminal, as files, as a page."""

from pathlib import Path

from recbole_dsl.benchmark import budget, figures, formats, tables
from recbole_dsl.benchmark.summary import summarise
from recbole_dsl.benchmark.tables import Style
from recbole_dsl.checkpoint import write_atomically
from recbole_dsl.pages import Bold, Section, write_page

FILES = ("table.md", "table.csv", "table.tex", "report.html")
_TITLE = "Benchmark"
_BEST = "\x00"  # marks a cell for the page, which makes it bold
_PAGE = Style(best=_BEST + "{}")


def write(folder, plan, records):
    """Write table.md, table.csv, table.tex and report.html of what was asked for last.

    Args:
        folder: of the benchmark. plan: what :func:`store.read_plan` gives.
        records: key -> record.
    Returns:
        (summaries, paths): a list of :class:`recbole_dsl.benchmark.summary.Summary`, one a
        dataset, and the paths written: none where there is no result yet.
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
    )
    for path, text in zip(paths, texts, strict=False):
        _write(path, text)
    write_page(paths[-1], _TITLE, _intro(plan, measured), _sections(plan, measured))
    return summaries, paths


def _write(path, text):
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def protocol_lines(plan):
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
    budgets = {}
    for label, values in plan["budget"].items():
        said = ", ".join(f"{key} {value}" for key, value in values.items())
        budgets.setdefault(said, []).append(label)
    for said, labels in budgets.items():
        whom = "all models" if len(budgets) == 1 else ", ".join(labels)
        lines.append(f"Budget of {whom}: {said}.")
    if plan.get("tuning"):
        lines.append(budget.note(plan))
    return lines + [f"{note}." for note in plan["notes"]]


def _intro(plan, summaries):
    records = [r for s in summaries for rows in s.records.values() for r in rows]
    lines = protocol_lines(plan)
    versions = {}
    for record in records:
        for name, version in record["versions"].items():
            versions.setdefault(name, set()).add(version)
    said = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in versions.items())
    if any(len(found) > 1 for found in versions.values()):
        said += " (not all runs were made with the same versions)"
    return "\n\n".join([*lines, f"Made with {said}."])


def _sections(plan, summaries):
    sections = []
    for summary in summaries:
        on = f" on {summary.dataset}" if len(summaries) > 1 else ""
        for at in summary.test_sets:
            name = "Results" if at == "test" else f"Results, {at} test"
            rows = tables.results(summary, at, _PAGE)
            first = at == summary.test_sets[0]
            notes = " ".join(tables.notes(summary, compared=False)) if first else ""
            sections.append(Section(name + on, notes, table=_bold(rows)))
        sections.append(Section(f"Metrics by model{on}", _METRICS, [figures.metrics(summary)]))
        for at in summary.test_sets:
            name = f"{summary.reference} against the others, {summary.valid_metric}"
            rows = tables.comparisons(summary, at, summary.valid_metric, _PAGE)
            if rows:
                text = tables.notes(summary)[-1]
                heading = name + ("" if at == "test" else f", {at} test") + on
                sections.append(Section(heading, text, table=rows))
        if curves := figures.curves(summary):
            sections.append(Section(f"Training{on}", _CURVES, curves))
        for kind, drawn in figures.groups(summary):
            sections.append(Section(f"By {kind.replace('_', ' ')}{on}", _GROUPS, drawn))
        sections.append(Section(f"Accuracy against time{on}", _TIMES, figures.times(summary)))
        if failed := tables.failures(summary):
            sections.append(Section(f"Failed runs{on}", "\n\n".join(failed)))
    if rows := budget.table(plan):
        failed = budget.failures(plan)
        text = "\n\n".join([budget.note(plan), *(f"Failed: {line}" for line in failed)])
        sections.append(Section("Tuning", text, table=rows))
    return sections


_METRICS = "Mean over seeds; bars are the standard deviation. The menu chooses the metric."
_CURVES = "Validation metric, a line for each seed. A click on a name in the legend hides it."
_GROUPS = "Mean over seeds; bars are the standard deviation."
_TIMES = "Mean over seeds and its standard deviation, by the median time of a whole run."


def _bold(rows):
    return [
        [Bold(cell.removeprefix(_BEST)) if cell.startswith(_BEST) else cell for cell in row]
        for row in rows
    ]
