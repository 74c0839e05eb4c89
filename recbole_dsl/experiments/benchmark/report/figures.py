"""The plots of a benchmark, as Plotly figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from recbole_dsl.common.html_page import COLOURS, LEGEND, epoch_axis, log_axis
from recbole_dsl.experiments.benchmark.report.summary import Record, Summary

_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x")


def line_styles(labels: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """Label -> (colour, dash, symbol), all different for up to 28 labels."""
    legible = COLOURS[:7]  # a line in the last one, yellow, can hardly be seen on white
    found = {}
    for at, label in enumerate(labels):
        turn, place = divmod(at, len(legible))
        dash, symbol = _DASHES[turn % len(_DASHES)], _SYMBOLS[turn % len(_SYMBOLS)]
        found[label] = (legible[place], dash, symbol)
    return found


def metrics(summary: Summary, metric: str) -> go.Figure:
    """A metric by model, with its deviation over seeds, on each test set."""
    figure = go.Figure()
    labels = summary.labels
    for place, at in enumerate(summary.test_sets):
        found = [summary.results[at, label, metric] for label in labels]
        figure.add_scatter(
            x=[result.mean for result in found],
            y=labels,
            error_x=dict(array=[result.std or 0 for result in found], thickness=2, width=6),
            mode="markers",
            marker=dict(size=10, color=COLOURS[place], symbol=_SYMBOLS[place]),
            name=f"{at} test" if at != "test" else "test",
            hovertemplate="%{y}: %{x:.4f} ± %{error_x.array:.4f}<extra></extra>",
        )
    figure.update_layout(
        height=170 + 26 * len(labels), showlegend=len(summary.test_sets) > 1, legend=LEGEND
    )
    figure.update_xaxes(title=metric)
    figure.update_yaxes(
        type="category", range=[len(labels) - 0.5, -0.5], categoryarray=labels, automargin=True
    )
    return figure


def curves(summary: Summary) -> list[go.Figure]:
    """The validation metric by epoch, and by seconds of training and validation, all seeds."""
    found = []
    epochs = max(len(record["epochs"]) for rows in summary.records.values() for record in rows)
    axes = (epoch_axis(epochs), dict(title="seconds, validation included"))
    for axis, by_time in zip(axes, (False, True), strict=True):
        figure = go.Figure()
        for label, (colour, dash, symbol) in line_styles(summary.labels).items():
            for at, record in enumerate(summary.records[label]):
                x, y = _curve(record, summary.valid_metric, by_time)
                figure.add_scatter(
                    x=x,
                    y=y,
                    mode="markers" if len(x) == 1 else "lines",
                    line=dict(color=colour, dash=dash, width=1.5),
                    marker=dict(color=colour, symbol=symbol, size=9),
                    name=label,
                    legendgroup=label,
                    showlegend=at == 0,
                    hovertemplate=f"{label}, seed {record['seed']}: %{{y:.4f}}<extra></extra>",
                )
        figure.update_layout(height=_height(summary.labels), legend=LEGEND)
        figure.update_xaxes(axis)
        figure.update_yaxes(title=f"valid {summary.valid_metric}", automargin=True)
        found.append(figure)
    return found if any(trace.x for figure in found for trace in figure.data) else []


def _curve(record: Record, metric: str, by_time: bool) -> tuple[list[float], list[float]]:
    """Epochs from 1, or seconds, and the metric, of those epochs that were validated."""
    x: list[float] = []
    y: list[float] = []
    seconds = 0.0
    for epoch in record["epochs"]:
        seconds += epoch["train_seconds"] + (epoch["eval_seconds"] or 0)
        if epoch["valid"]:
            x.append(seconds if by_time else epoch["epoch"] + 1)
            y.append(epoch["valid"][metric])
    return x, y


def times(summary: Summary, metric: str) -> list[go.Figure]:
    """A metric against the time of a run: a figure for each test set."""
    found, seconds = [], summary.seconds.values()
    wide = max(seconds) > 10 * min(seconds)  # a log axis of less than a decade has no ticks
    for at in summary.test_sets:
        figure = go.Figure()
        for label, (colour, _, symbol) in line_styles(summary.labels).items():
            result = summary.results[at, label, metric]
            figure.add_scatter(
                x=[summary.seconds[label]],
                y=[result.mean],
                error_y=dict(array=[result.std or 0], thickness=1.5),
                mode="markers",
                marker=dict(size=11, color=colour, symbol=symbol),
                name=label,
                legendgroup=label,  # groups are set as densely as the page is wide
                hovertemplate=f"{label}: %{{y:.4f}} in %{{x:.1f}} s<extra></extra>",
            )
        figure.update_layout(height=_height(summary.labels), legend=LEGEND)
        figure.update_xaxes(title="seconds of a run, median", **(log_axis() if wide else {}))
        figure.update_yaxes(title=_axis_title(metric, at), automargin=True)
        found.append(figure)
    return found


class OfGroups(NamedTuple):
    """A metric by group of items or users: name of the grouping, metric, a figure of its values and
    one of the gains over the reference for each test set."""

    kind: str
    metric: str
    values: list[go.Figure]
    gains: list[go.Figure]


def groups(summary: Summary, metric: str) -> list[OfGroups]:
    """All groupings that were measured, by a metric or, where they lack it, by the first."""
    found = []
    measured = [r for rows in summary.records.values() for r in rows if r.get("groups")]
    for kind in measured[0]["groups"] if measured else ():
        sets = measured[0]["groups"][kind]["metrics"]
        of_first = next(iter(sets.values()))
        chosen = metric if metric in of_first else next(iter(of_first))
        drawn = OfGroups(kind, chosen, [], [])
        for at in sets:
            means = {label: _means(summary, label, kind, at, chosen) for label in summary.labels}
            drawn.values.append(_by_group(summary, means, kind, _axis_title(chosen, at)))
            if summary.reference in means and len(means) > 1:
                title = f"{_axis_title(chosen, at)}:<br>% above {summary.reference}"
                gains = relative_gains(means, summary.reference)
                drawn.gains.append(_by_group(summary, gains, kind, title, zero=True))
        found.append(drawn)
    return found


Spread = tuple[float, float]  # mean and standard deviation over seeds


def _means(summary: Summary, label: str, kind: str, at: str, metric: str) -> dict[str, Spread]:
    """Group -> mean of a metric and its deviation; nan where nothing was measured."""
    values: dict[str, list[float]] = {}
    for record in summary.records[label]:
        of_kind = record.get("groups", {}).get(kind)
        for name, value in of_kind["metrics"][at][metric].items() if of_kind else ():
            values.setdefault(name, []).append(np.nan if value is None else value)
    return {
        name: (float(np.mean(column)), float(np.std(column, ddof=len(column) > 1)))
        for name, column in values.items()
    }


def relative_gains(
    means: Mapping[str, Mapping[str, Spread]], reference: str
) -> dict[str, dict[str, Spread]]:
    """Label -> group -> 100 (model / reference - 1), for all but the reference; nan where that
    has 0. Their deviation is not worked out."""
    base = {name: mean or np.nan for name, (mean, _) in means[reference].items()}
    return {
        label: {
            name: (100 * (mean / base.get(name, np.nan) - 1), 0.0)
            for name, (mean, _) in groups.items()
        }
        for label, groups in means.items()
        if label != reference
    }


def _by_group(
    summary: Summary,
    means: Mapping[str, Mapping[str, Spread]],
    kind: str,
    title: str,
    zero: bool = False,
) -> go.Figure:
    figure = go.Figure()
    for label, (colour, dash, symbol) in line_styles(summary.labels).items():
        if not means.get(label):
            continue
        figure.add_scatter(
            x=list(means[label]),
            y=[mean for mean, _ in means[label].values()],
            error_y=None
            if zero
            else dict(array=[deviation for _, deviation in means[label].values()]),
            mode="lines+markers",
            line=dict(color=colour, dash=dash, width=1.5),
            marker=dict(color=colour, symbol=symbol, size=8),
            name=label,
            legendgroup=label,
        )
    if zero:
        figure.add_hline(0, line=dict(color="#000000", width=1))
    figure.update_layout(height=_height(summary.labels), legend=LEGEND, showlegend=True)
    figure.update_xaxes(title=f"group by {kind.replace('_', ' ')}", type="category")
    figure.update_yaxes(title=title, automargin=True)
    return figure


def _axis_title(metric: str, test_set: str) -> str:
    return metric if test_set == "test" else f"{metric}, {test_set} test"


def _height(labels: Sequence[str]) -> int:
    """Pixels for the plot and, below it, a legend that takes many lines on a phone."""
    return 420 + 12 * len(labels)
