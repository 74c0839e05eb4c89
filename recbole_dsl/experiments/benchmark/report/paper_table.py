"""table.tex: the results as a paper prints them, in the width of a column or of both."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from recbole_dsl.common import latex
from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.experiments.benchmark.report.significance import significant
from recbole_dsl.experiments.benchmark.report.summary import Summary, smaller_is_better
from recbole_dsl.experiments.benchmark.report.tables import best_two
from recbole_dsl.models.registry import BACKBONES, LOSSES

# How the field writes what a name of a class cannot hold.
_WRITTEN = {
    "SLatK": "SL@K", "AdapTau": r"Adap-$\tau$", "EASE": r"EASE$^{R}$", "MultiVAE": "Mult-VAE",
    "MultiDAE": "Mult-DAE", "ItemKNN": "Item-KNN", "Pop": "Popularity",
    "SLIMElastic": "SLIM",
}  # fmt: skip
_METRICS = {
    "ndcg": "NDCG", "mrr": "MRR", "map": "MAP", "hit": "HR", "gauc": "GAUC", "auc": "AUC",
    "giniindex": "Gini", "itemcoverage": "Coverage", "averagepopularity": "Avg. pop.",
    "tailpercentage": "Tail share", "shannonentropy": "Entropy",
}  # fmt: skip
_TEST_SETS = {"iid": "i.i.d."}
# What fits into article's columns at \footnotesize, in widths of a digit, 4.25 pt: 229 pt and 469.
_COLUMN, _PAGE = 53.8, 110.0
_GAP = 1.9  # between two columns, at \tabcolsep 4pt


class _Group(NamedTuple):
    """A group of columns: a dataset's results on one of its test sets."""

    summary: Summary
    test_set: str


def known_columns(summaries: Sequence[Summary]) -> list[str]:
    """The metrics that all datasets have, in the order measured."""
    first, *others = [summary.metrics for summary in summaries]
    return [metric for metric in first if all(metric in metrics for metrics in others)]


def check_columns(columns: Sequence[str], known: Sequence[str]) -> None:
    """Raise UsageError where a column is no metric of the benchmark."""
    for name in columns:
        if name not in known:
            raise UsageError(
                f"--columns: {name} is not measured: {', '.join(known)}{did_you_mean(name, known)}"
            )


def default_columns(summaries: Sequence[Summary]) -> list[str]:
    """NDCG and recall at the cut-off of the metric that chose the best epoch, where measured, else
    that metric."""
    known = known_columns(summaries)
    cutoff = summaries[0].main_metric.partition("@")[2]
    wanted = [name for name in (f"ndcg@{cutoff}", f"recall@{cutoff}") if name in known]
    return wanted or [summaries[0].main_metric]


def paper_tables(summaries: Sequence[Summary], columns: Sequence[str] = ()) -> str:
    """One ``table`` with a group of columns for each dataset and test set, in booktabs' style.

    It has the width of a column of a two-column paper, else of both, with standard deviations where
    there is room for them. Where not even the means fit, each dataset has a table of its own, then
    each test set.

    Args:
        columns: metrics, in the order shown; empty: :func:`default_columns`.
    Raises:
        UsageError: a metric that was not measured.
    """
    columns = list(columns) or default_columns(summaries)
    check_columns(columns, known_columns(summaries))
    groups = [_Group(one, test_set) for one in summaries for test_set in one.test_sets]
    return "% \\usepackage{booktabs}\n" + _fitted(groups, columns)


def _fitted(groups: list[_Group], columns: list[str]) -> str:
    for spread, width in ((True, _COLUMN), (True, _PAGE), (False, _PAGE)):
        if _width(groups, columns, spread) <= width:
            return _table(groups, columns, spread, wide=width == _PAGE)
    datasets = dict.fromkeys(group.summary.dataset for group in groups)
    if len(datasets) > 1:
        apart = [[one for one in groups if one.summary.dataset == name] for name in datasets]
        return "\n".join(_fitted(some, columns) for some in apart)
    if len(groups) > 1:
        return "\n".join(_fitted([group], columns) for group in groups)
    note = "% Wider than both columns: name fewer metrics by --columns.\n"
    return note + _table(groups, columns, spread=False, wide=True)


# Names -------------------------------------------------------------------------------------------


def _pair(label: str) -> tuple[str, str] | None:
    backbone, _, loss = label.partition("_")
    return (backbone, loss) if backbone in BACKBONES and loss in LOSSES else None


def model_name(label: str) -> str:
    """A label in one line of text: LightGCN-SL@K for LightGCN_SLatK."""
    return "-".join(_name(part) for part in _pair(label) or (label,))


def _name(name: str) -> str:
    return _WRITTEN.get(name, latex.text(name))


def metric_name(metric: str) -> str:
    """A metric as papers write it: NDCG@20."""
    name, _, cutoff = metric.partition("@")
    return _METRICS.get(name, latex.text(name.capitalize())) + (f"@{cutoff}" if cutoff else "")


def _titles(groups: list[_Group]) -> list[str]:
    """What tells the groups apart: the dataset, the test set, or both."""
    several = len({group.summary.dataset for group in groups}) > 1
    titles = []
    for group in groups:
        names = [group.summary.dataset] if several else []
        if len(group.summary.test_sets) > 1:
            names.append(f"{_TEST_SETS.get(group.test_set, group.test_set)} test")
        titles.append(latex.text(", ".join(names)))
    return titles


# The table ---------------------------------------------------------------------------------------


def _labels(groups: list[_Group]) -> list[str]:
    return list(dict.fromkeys(label for group in groups for label in group.summary.labels))


def _width(groups: list[_Group], columns: list[str], spread: bool) -> float:
    """About how wide the table is, in digits: an upper-case letter is half as wide again."""
    labels = _labels(groups)
    pairs = [_pair(label) for label in labels]
    heads = ("Backbone", "Loss") if any(pairs) else ("",)
    names = [
        max(_text_width(text) for text in (head, *(pair[part] for pair in pairs if pair)))
        for part, head in enumerate(heads)
    ]
    alone = [_text_width(label) for label, pair in zip(labels, pairs, strict=True) if not pair]
    total = max([sum(names) + _GAP * (len(heads) - 1), *alone]) + _GAP
    for group, title in zip(groups, _titles(groups), strict=True):
        cells = [
            max(_text_width(metric_name(metric)), _value_width(group, metric, spread))
            for metric in columns
        ]
        total += max(sum(cells) + _GAP * len(cells), _text_width(title) * (len(groups) > 1) + _GAP)
    return total


def _value_width(group: _Group, metric: str, spread: bool) -> float:
    results = [group.summary.results[group.test_set, one, metric] for one in group.summary.labels]
    widest = max(len(f"{result.mean:.4f}") for result in results)
    stds = [result.std for result in results if spread and result.std is not None]
    # In bold a digit takes 1.15 of its width; the deviation is at 6 of 8 points, the sign wider.
    deviation = 0.75 * max((len(f"{std:.4f}") + 1.5 for std in stds), default=0)
    return 1.15 * (widest - 0.5) + deviation


def _text_width(text: str) -> float:
    return sum(1.5 if c.isupper() or c in "@%+" else 0.97 for c in text)


def _table(groups: list[_Group], columns: list[str], spread: bool, wide: bool) -> str:
    kind = "table*" if wide else "table"
    labels, named = _labels(groups), max(2 if _pair(label) else 1 for label in _labels(groups))
    n_values = len(groups) * len(columns)
    head = ["Backbone", "Loss"] if named == 2 else ["Model"]
    lines = [
        rf"\begin{{{kind}}}", r"\centering", rf"\caption{{{_caption(groups, spread)}}}",
        rf"\label{{tab:{_label(groups)}}}", r"\footnotesize", r"\setlength{\tabcolsep}{4pt}",
        rf"\begin{{tabular}}{{{'l' * named}{'r' * n_values}}}", r"\toprule",
        *(_group_head(groups, columns, named) if len(groups) > 1 else []),
        " & ".join([*head, *[_column_head(metric) for metric in columns] * len(groups)]) + r" \\",
    ]  # fmt: skip
    places = [
        (group, metric, best_two(group.summary, group.test_set, metric))
        for group in groups
        for metric in columns
    ]
    for _, of_backbone in groupby(labels, key=lambda label: (_pair(label) or ("",))[0]):
        lines.append(r"\midrule")
        for place, label in enumerate(of_backbone):
            first = _name_cells(label, named, show_backbone=place == 0)
            values = [
                _value(group, label, metric, spread, marks.get(label))
                for group, metric, marks in places
            ]
            lines.append(" & ".join([first, *values]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", rf"\end{{{kind}}}"]) + "\n"


def _group_head(groups: list[_Group], columns: list[str], named: int) -> list[str]:
    cells = [rf"\multicolumn{{{len(columns)}}}{{c}}{{{title}}}" for title in _titles(groups)]
    starts = [named + 1 + place * len(columns) for place in range(len(groups))]
    rules = [rf"\cmidrule(lr){{{start}-{start + len(columns) - 1}}}" for start in starts]
    return [" & " * named + " & ".join(cells) + r" \\", "".join(rules)]


def _column_head(metric: str) -> str:
    return metric_name(metric) + (r"\,$\downarrow$" if smaller_is_better(metric) else "")


def _name_cells(label: str, named: int, show_backbone: bool) -> str:
    pair = _pair(label)
    if pair:
        return f"{_name(pair[0]) if show_backbone else ''} & {_name(pair[1])}"
    return _name(label) if named == 1 else rf"\multicolumn{{2}}{{l}}{{{_name(label)}}}"


def _value(group: _Group, label: str, metric: str, spread: bool, mark: int | None) -> str:
    found = group.summary.results.get((group.test_set, label, metric))
    if found is None:
        return "--"
    text = f"{found.mean:.4f}"
    text = text if mark is None else (r"\textbf{%s}", r"\underline{%s}")[mark] % text
    if spread and found.std is not None:
        text += rf"{{\tiny$\pm${found.std:.4f}}}"
    # The mark takes no width, so that the numbers of a column stand under each other.
    return text + (r"\rlap{$^{*}$}" if significant(found.p_users) else "")


def _caption(groups: list[_Group], spread: bool) -> str:
    datasets = list(dict.fromkeys(group.summary.dataset for group in groups))
    summary = groups[0].summary
    seeds = {r.seeds for g in groups for r in g.summary.results.values()}
    count = str(seeds.pop()) if len(seeds) == 1 else f"up to {max(seeds)}"
    told = f"mean {'and standard deviation ' if spread else ''}over {count} seeds"
    told = "one seed" if count == "1" else told
    where = f" on {latex.text(datasets[0])}" if len(datasets) == 1 else ""
    if len(groups) == 1 and len(summary.test_sets) > 1:
        where += f", {_titles(groups)[0]}"
    text = f"Test results{where}, {told}. The best are in bold, the second best underlined."
    tested = [r for g in groups for r in g.summary.results.values() if r.users is not None]
    if any(significant(result.p_users) for result in tested):
        side = "one-sided paired" if summary.alternative == "better" else "paired"
        text += (
            rf" $^{{*}}$ differs from {model_name(summary.reference)} over users, {side} "
            r"$t$-test with Holm's correction, $p < 0.05$."
        )
    return text


def _label(groups: list[_Group]) -> str:
    names = list(dict.fromkeys(group.summary.dataset for group in groups))
    text = "-".join(names) if len(groups) > 1 else f"{names[0]}-{groups[0].test_set}"
    return re.sub(r"[^\w.-]+", "-", text)
