"""The plots of a benchmark, as Plotly figures."""

from collections.abc import Iterable, Sequence

import numpy as np
import plotly.graph_objects as go

from recbole_dsl.common.html_page import COLOURS
from recbole_dsl.experiments.benchmark.report.summary import Record, Summary

_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x")
_LEGEND = dict(orientation="h", yanchor="top", y=-0.2, x=0)


def line_styles(labels: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """Label -> (colour, dash, symbol), all different for up to 28 labels."""
    legible = COLOURS[:7]  # a line in the last one, yellow, can hardly be seen on white
    found = {}
    for at, label in enumerate(labels):
        turn, place = divmod(at, len(legible))
        dash, symbol = _DASHES[turn % len(_DASHES)], _SYMBOLS[turn % len(_SYMBOLS)]
        found[label] = (legible[place], dash, symbol)
    return found


def metrics(summary: Summary) -> go.Figure:
    """Each metric by model, with its deviation over seeds; a menu chooses the metric."""
    figure = go.Figure()
    labels = summary.labels
    shown = summary.valid_metric if summary.valid_metric in summary.metrics else summary.metrics[0]
    traces = [(metric, at) for metric in summary.metrics for at in summary.test_sets]
    for metric, at in traces:
        found = [summary.results[at, label, metric] for label in labels]
        place = summary.test_sets.index(at)
        figure.add_scatter(
            x=[result.mean for result in found],
            y=labels,
            error_x=dict(array=[result.std or 0 for result in found], thickness=2, width=6),
            mode="markers",
            marker=dict(size=10, color=COLOURS[place], symbol=_SYMBOLS[place]),
            name=f"{at} test" if at != "test" else "test",
            visible=metric == shown,
            hovertemplate="%{y}: %{x:.4f} ± %{error_x.array:.4f}<extra></extra>",
        )
    buttons = [
        dict(
            label=metric,
            method="update",
            args=[{"visible": [one == metric for one, _ in traces]}, {"xaxis.title.text": metric}],
        )
        for metric in summary.metrics
    ]
    menu = dict(
        buttons=buttons, x=0, xanchor="left", y=1, yanchor="bottom", pad=dict(b=8),
        active=summary.metrics.index(shown),
    )  # fmt: skip
    figure.update_layout(
        height=210 + 30 * len(labels),
        updatemenus=[menu],
        showlegend=len(summary.test_sets) > 1,
        legend=dict(orientation="h", x=0, y=-60 / (30 * len(labels)), yanchor="top"),
    )
    figure.update_xaxes(title=shown)
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def curves(summary: Summary) -> list[go.Figure]:
    """The validation metric by epoch, and by seconds of training and validation, all seeds."""
    found = []
    for title, by_time in (("epoch", False), ("seconds, validation included", True)):
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
        figure.update_layout(height=_height(summary.labels), legend=_LEGEND)
        figure.update_xaxes(title=title)
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


def times(summary: Summary) -> list[go.Figure]:
    """Accuracy against the time of a run: a figure for each test set."""
    metric = summary.valid_metric if summary.valid_metric in summary.metrics else summary.metrics[0]
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
        figure.update_layout(height=_height(summary.labels), legend=_LEGEND)
        figure.update_xaxes(title="seconds of a run, median", type="log" if wide else "linear")
        figure.update_yaxes(title=_axis_title(metric, at), automargin=True)
        found.append(figure)
    return found


def groups(summary: Summary) -> list[tuple[str, list[go.Figure]]]:
    """A metric by group of items or users: (name of the grouping, figures), where measured."""
    found: dict[str, list[go.Figure]] = {}
    measured = [r for rows in summary.records.values() for r in rows if r.get("groups")]
    for kind in measured[0]["groups"] if measured else ():
        sets = measured[0]["groups"][kind]["metrics"]
        for at, by_metric in sets.items():
            wanted = summary.valid_metric
            metric = wanted if wanted in by_metric else next(iter(by_metric))
            found.setdefault(kind, []).append(_by_group(summary, kind, at, metric))
    return list(found.items())


def _by_group(summary: Summary, kind: str, test_set: str, metric: str) -> go.Figure:
    figure = go.Figure()
    for label, (colour, dash, symbol) in line_styles(summary.labels).items():
        values: dict[str, list[float]] = {}
        for record in summary.records[label]:
            of_kind = record.get("groups", {}).get(kind)
            for name, value in of_kind["metrics"][test_set][metric].items() if of_kind else ():
                values.setdefault(name, []).append(np.nan if value is None else value)
        if not values:
            continue
        figure.add_scatter(
            x=list(values),
            y=[float(np.mean(column)) for column in values.values()],
            error_y=dict(array=[float(np.std(c, ddof=len(c) > 1)) for c in values.values()]),
            mode="lines+markers",
            line=dict(color=colour, dash=dash, width=1.5),
            marker=dict(color=colour, symbol=symbol, size=8),
            name=label,
            legendgroup=label,
        )
    figure.update_layout(height=_height(summary.labels), legend=_LEGEND)
    figure.update_xaxes(title=f"group by {kind.replace('_', ' ')}", type="category")
    figure.update_yaxes(title=_axis_title(metric, test_set), automargin=True)
    return figure


def _axis_title(metric: str, test_set: str) -> str:
    return metric if test_set == "test" else f"{metric}, {test_set} test"


def _height(labels: Sequence[str]) -> int:
    """Pixels for the plot and, below it, a legend that takes many lines on a phone."""
    return 420 + 12 * len(labels)
