"""A forest plot: how far each model is from the reference, with confidence intervals."""

import plotly.graph_objects as go

from recbole_dsl.common.html_page import COLOURS, LEGEND
from recbole_dsl.experiments.benchmark.report.significance import significant
from recbole_dsl.experiments.benchmark.report.summary import Summary, Tested, smaller_is_better

_GREY = "#777777"
# What a model can be, against the reference -> its colour and symbol.
_KINDS = {
    "significantly better": (COLOURS[0], "circle"),
    "significantly worse": (COLOURS[1], "diamond"),
    "not significantly different": (_GREY, "circle-open"),
}


def forest(summary: Summary, test_set: str, metric: str) -> go.Figure | None:
    """Model minus reference by a metric, a row for each model; None where nothing was paired.

    Bars are the 95 % confidence intervals of :class:`significance.Comparison`, not corrected for
    the number of models; the colours are by Holm's p-values, as are the stars of the tables. The
    differences relative to the reference stand on the right.
    """
    rows = {
        label: tested
        for label in summary.labels
        if (tested := summary.results[test_set, label, metric].tested) is not None
    }
    if not rows:
        return None
    figure = go.Figure()
    for kind, (colour, symbol) in _KINDS.items():
        chosen = [label for label, one in rows.items() if _kind(one, metric) == kind]
        if chosen:
            figure.add_scatter(
                **_points({label: rows[label] for label in chosen}), name=kind, mode="markers",
                marker=dict(size=9, color=colour, symbol=symbol), line_color=colour,
            )  # fmt: skip
    figure.add_scatter(x=[None], y=[next(iter(rows))], yaxis="y2", showlegend=False)
    figure.add_vline(0, line=dict(color="#000000", width=1))
    over = next(iter(rows.values())).over
    title = f"{metric}{'' if test_set == 'test' else f', {test_set} test'}: "
    title += f"model minus {summary.reference},<br>95 % intervals over {over}"
    order = dict(type="category", categoryarray=list(rows), range=[len(rows) - 0.5, -0.5])
    figure.update_layout(
        height=190 + 26 * len(rows),
        legend=LEGEND,
        showlegend=True,
        xaxis=dict(title=title, zeroline=False, automargin=True),
        yaxis=dict(**order, automargin=True),
        yaxis2=dict(
            **order, overlaying="y", side="right", automargin=True, showgrid=False,
            tickvals=list(rows), ticktext=[_relative(one) for one in rows.values()],
        ),
    )  # fmt: skip
    return figure


def _kind(tested: Tested, metric: str) -> str:
    if not significant(tested.p):
        return "not significantly different"
    better = (tested.pair.difference < 0) == smaller_is_better(metric)
    return "significantly better" if better else "significantly worse"


def _points(rows: dict[str, Tested]) -> dict[str, object]:
    pairs = [one.pair for one in rows.values()]
    ends = [pair.interval or (pair.difference, pair.difference) for pair in pairs]
    texts = [
        f"{label}: {pair.difference:+.4f}, {low:+.4f} to {high:+.4f} over {pair.n:,} {one.over}"
        for (label, one), pair, (low, high) in zip(rows.items(), pairs, ends, strict=True)
    ]
    return dict(
        x=[pair.difference for pair in pairs],
        y=list(rows),
        error_x=dict(
            type="data",
            symmetric=False,
            array=[high - pair.difference for pair, (_, high) in zip(pairs, ends, strict=True)],
            arrayminus=[pair.difference - low for pair, (low, _) in zip(pairs, ends, strict=True)],
            thickness=2,
            width=5,
        ),
        text=texts,
        hovertemplate="%{text}<extra></extra>",
    )


def _relative(tested: Tested) -> str:
    pair = tested.pair
    return f"{100 * pair.difference / pair.base:+.1f} %" if pair.base else ""
