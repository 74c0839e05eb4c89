"""The tables of a benchmark: rows models, columns metrics; and each model against the reference."""

from collections.abc import Callable
from typing import NamedTuple

from recbole_dsl.experiments.benchmark.report import significance
from recbole_dsl.experiments.benchmark.report.summary import VALID, Summary, smaller_is_better

Rows = list[list[str]]


class Style(NamedTuple):
    """How a format marks values and writes labels; the first three are format templates.

    Attributes:
        best, second: the best and second best of a column. spread: mean and standard deviation.
        star: stars -> text behind a value. word: label or metric -> text.
    """

    best: str = "{}"
    second: str = "{}"
    spread: str = "{} ± {}"
    star: Callable[[str], str] = " {}".format
    word: Callable[[str], str] = str


def results(summary: Summary, test_set: str, style: Style, decimals: int = 4) -> Rows:
    """The table of a test set: a list of rows of text, the first one the header.

    Columns are the metric that chose the best epoch, on validation; each metric on the test set;
    the median seconds of a run; the number of trained parameters.
    """
    columns = [(test_set, metric) for metric in summary.metrics]
    if all((VALID, label, summary.valid_metric) in summary.results for label in summary.labels):
        columns.insert(0, (VALID, summary.valid_metric))
    header = [f"valid {metric}" if at == VALID else metric for at, metric in columns]
    rows = [["model", *map(style.word, header), "seconds", "parameters"]]
    marks = {column: best_two(summary, *column) for column in columns}
    for label in summary.labels:
        cells = [style.word(label)]
        for at, metric in columns:
            found = summary.results[at, label, metric]
            text = f"{found.mean:.{decimals}f}"
            if found.std is not None:
                text = style.spread.format(text, f"{found.std:.{decimals}f}")
            mark = marks[at, metric].get(label)
            text = (style.best, style.second)[mark].format(text) if mark in (0, 1) else text
            star = significance.stars(found.p_users)
            cells.append(text + (style.star(star) if star else ""))
        cells += [seconds_cell(summary.seconds[label]), f"{summary.parameters[label]:,}"]
        rows.append(cells)
    return rows


def best_two(summary: Summary, test_set: str, metric: str) -> dict[str, int]:
    """Label -> 0 for the best and 1 for the second best mean, with ties alike."""
    means = {label: summary.results[test_set, label, metric].mean for label in summary.labels}
    order = sorted(set(means.values()), reverse=not smaller_is_better(metric))
    place = {mean: at for at, mean in enumerate(order[:2])}
    return {label: place[mean] for label, mean in means.items() if mean in place}


def seconds_cell(seconds: float) -> str:
    """Seconds for a column of seconds: a bare number, where a sentence says minutes and hours."""
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:,.0f}"


def comparisons(
    summary: Summary, test_set: str, metric: str, style: Style, decimals: int = 4
) -> Rows | None:
    """Each model against the reference by a metric: rows of text, the first one the header; None
    where nothing could be paired."""
    found = {label: summary.results[test_set, label, metric] for label in summary.labels}
    paired = [(label, one, one.tested.pair) for label, one in found.items() if one.tested]
    if not paired:
        return None
    shown = ["users"] if any(one.users for one in found.values()) else []
    if not shown or any(one.p_seeds is not None for one in found.values()):
        shown.append("seeds")  # of one seed each there is nothing to say
    heads = [head for over in shown for head in (over, f"d_z {over}", f"p {over}")]
    rows = [["model", "difference", "95 % interval", *heads]]
    for label, one, first in paired:
        ends = [f"{end:+.{decimals}f}" for end in first.interval or ()]
        cells = [style.word(label), f"{first.difference:+.{decimals}f}", " to ".join(ends)]
        tests = {"users": (one.users, one.p_users), "seeds": (one.over_seeds, one.p_seeds)}
        rows.append(cells + [cell for over in shown for cell in _test_cells(*tests[over])])
    return rows


def _test_cells(pair: significance.Comparison | None, p: float | None) -> tuple[str, str, str]:
    return (f"{pair.n:,}", _effect_text(pair.effect), p_text(p)) if pair else ("", "", "")


def _effect_text(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def p_text(p: float | None) -> str:
    """A p-value as it is printed; nothing where there was no test."""
    if p is None:
        return ""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def notes(summary: Summary, compared: bool = True) -> list[str]:
    """What a reader has to know of the tables, in sentences.

    Args:
        compared: whether of :func:`comparisons` too.
    """
    seeds = sorted({r["seed"] for rows in summary.records.values() for r in rows})
    shown = ", ".join(map(str, seeds))
    counts = {len(rows) for rows in summary.records.values()}
    sentences = []
    if len(seeds) > 1:
        sentences.append(f"Mean ± standard deviation (n - 1) over the seeds {shown}.")
    else:
        sentences.append(f"One seed, {shown}: no spread over seeds is known.")
    if len(counts) > 1:
        sentences.append(
            "Some runs are missing: "
            + ", ".join(f"{label} has {len(rows)}" for label, rows in summary.records.items())
            + " of them."
        )
    sentences.append("Seconds: median of whole runs. Parameters: those trained by gradient.")
    found = summary.results.values()
    others = sum(label != summary.reference for label in summary.labels)
    side = "two-sided"
    if summary.alternative == "better":
        side = f"one-sided ({summary.reference} is better, in the metric's own direction)"
    common = "seeds" if len(counts) == 1 else "the seeds that both have"
    if any(result.users for result in found):
        sentences.append(
            f"Stars: different from {summary.reference} over users (mean over {common}), paired "
            f"t-test, {side}, Holm's correction over {others} models for each metric: * p < 0.05, "
            "** p < 0.01, *** p < 0.001."
        )
    if compared and any(result.users or result.over_seeds for result in found):
        sentences.append(
            f"Comparisons: difference is the model minus {summary.reference}, over users where "
            "they are known, else over seeds, with the 95 % confidence interval of that comparison "
            "alone; d_z is the mean difference over the standard deviation of the differences; p "
            f"of paired t-tests, {side}, corrected by Holm's method over {others} models."
        )
    return sentences


def failures(summary: Summary) -> list[str]:
    """A line for each failed run: which, and the last line of its error."""
    return [
        f"{record['label']} on {record['dataset']}, seed {record['seed']}: "
        f"{record['error'].splitlines()[-1]}"
        for record in summary.failed
    ]
