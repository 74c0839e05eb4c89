"""docs/results/ir_benchmark.svg: NDCG@20 of each loss, ours and as published."""

import math
import statistics

import plotly.graph_objects as go
from ir_benchmark_plan import LOSSES
from plotly.subplots import make_subplots

from recbole_dsl.common.html_page import COLOURS

COLUMNS = 2


def figure(tables, as_published):
    """A panel for each table: our mean and standard deviation over seeds, the published value, and
    our mean when tested as the published runs were.

    Args:
        tables: title -> list of :class:`ir_benchmark_tables.Result`.
        as_published: title -> loss -> that mean.
    Returns:
        plotly.graph_objects.Figure, and its number of rows.
    """
    height = math.ceil(len(tables) / COLUMNS)
    drawn = make_subplots(
        height, COLUMNS, subplot_titles=list(tables), vertical_spacing=0.28 / height
    )
    # No panel has all kinds before all have run; a kind's first panel puts it in the legend.
    named = set()
    for place, (title, results) in enumerate(tables.items()):
        found = as_published.get(title, {})
        for trace in (_published(results), _ours(results), *([_tested(found)] if found else [])):
            trace.showlegend = trace.name not in named
            named.add(trace.name)
            drawn.add_trace(trace, place // COLUMNS + 1, place % COLUMNS + 1)
    drawn.update_yaxes(categoryorder="array", categoryarray=LOSSES[::-1], gridcolor="#e6e6e6")
    drawn.update_xaxes(title="NDCG@20", title_standoff=4, gridcolor="#e6e6e6")
    drawn.update_layout(
        plot_bgcolor="#fff", font=dict(size=13), margin=dict(l=90, r=20, t=40, b=50),
        legend=dict(orientation="h", x=0, y=-0.18 / height),
    )  # fmt: skip
    return drawn, height


def _ours(results):
    values = [result.test["ndcg@20"] for result in results]
    return go.Scatter(
        x=[statistics.mean(x) for x in values], y=[result.best["loss"] for result in results],
        error_x=dict(array=[statistics.stdev(x) for x in values], thickness=1, width=3),
        mode="markers", name="here, 3 seeds", marker=dict(size=10, color=COLOURS[0]),
    )  # fmt: skip


def _tested(means):
    return go.Scatter(
        x=list(means.values()), y=list(means), mode="markers", name="here, tested as published",
        marker=dict(size=10, symbol="circle-open", color=COLOURS[0], line=dict(width=2)),
    )  # fmt: skip


def _published(results):
    printed = [result for result in results if result.published]
    return go.Scatter(
        x=[result.published["ndcg@20"] for result in printed],
        y=[result.best["loss"] for result in printed],
        mode="markers", name="published",
        marker=dict(size=11, symbol="diamond-open", color="#444", line=dict(width=2)),
    )  # fmt: skip
