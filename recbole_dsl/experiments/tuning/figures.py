"""The plots of a study, as Plotly figures. Epochs are counted from 1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from recbole_dsl.common.html_page import COLOURS, LEGEND, epoch_axis, log_axis
from recbole_dsl.common.text import short
from recbole_dsl.experiments.tuning.attempts import StudyState
from recbole_dsl.experiments.tuning.plan import Plan
from recbole_dsl.experiments.tuning.search_space import Choice

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_BEST, _OTHER = COLOURS[1], COLOURS[0]
_GREY = "#999999"


def history(plan: Plan, state: StudyState, winner: int) -> go.Figure:
    """The score of each complete trial, and the best so far."""
    trials = dict(sorted(state.complete.items()))
    scores = [trial.values[0] for trial in trials.values()]
    choose, best, reached = max if plan.bigger else min, scores[0], []
    for score in scores:
        best = choose(best, score)
        reached.append(best)
    figure = go.Figure()
    figure.add_scatter(
        x=list(trials), y=reached, mode="lines", line=dict(shape="hv", color=_GREY),
        name="best so far", hoverinfo="skip",
    )  # fmt: skip
    texts = [_text(plan, number, trial) for number, trial in trials.items()]
    _add_points(figure, list(trials), scores, texts, list(trials).index(winner))
    step = 1 if len(trials) <= 12 else None
    return _laid_out(figure, plan, dict(title="trial", dtick=step, tickformat="d"))


def settings(plan: Plan, state: StudyState, winner: int) -> list[go.Figure]:
    """The score of each complete trial over each setting that was tuned."""
    return [_over_setting(plan, state, winner, name) for name in sorted(plan.ranges)]


def _over_setting(plan: Plan, state: StudyState, winner: int, name: str) -> go.Figure:
    trials, span = state.complete, plan.ranges[name]
    scores = [trial.values[0] for trial in trials.values()]
    texts = [_text(plan, number, trial) for number, trial in trials.items()]
    values = [trial.params[name] for trial in trials.values()]
    axis: dict[str, Any] = dict(title=name, automargin=True)
    if isinstance(span, Choice):
        shown = [short(value) for value in span.values]
        values = [shown[span.labels.index(label)] for label in values]
        axis |= dict(type="category", categoryorder="array", categoryarray=shown)
        axis |= dict(range=[-0.5, len(shown) - 0.5])
    elif span.log:
        axis |= log_axis()
    figure = go.Figure()
    _add_points(figure, values, scores, texts, list(trials).index(winner))
    return _laid_out(figure, plan, axis, height=330)


def importance(shares: Mapping[str, float]) -> go.Figure:
    """How much each setting matters, the most important on top."""
    names = sorted(shares, key=lambda name: shares[name])
    figure = go.Figure()
    figure.add_bar(
        y=names, x=[shares[name] for name in names], orientation="h", marker_color=_OTHER,
        text=[f"{shares[name]:.2f}" for name in names], textposition="auto",
        hoverinfo="skip",
    )  # fmt: skip
    figure.update_layout(height=150 + 34 * len(names), showlegend=False)
    figure.update_xaxes(title="share of the importance", range=[0, 1])
    figure.update_yaxes(type="category", automargin=True)
    return figure


def curves(plan: Plan, state: StudyState, winner: int) -> go.Figure:
    """The score after each epoch: the winner in colour, the others in grey."""
    figure, seen = go.Figure(), set()
    drawn = {n: t for n, t in sorted(state.done.items()) if t.intermediate_values}
    for number in sorted(drawn, key=lambda number: number == winner):  # the winner on top
        trial = drawn[number]
        kind = "ended early" if trial.state.name == "PRUNED" else "other trials"
        kind = f"trial {number}, the best" if number == winner else kind
        epochs = sorted(trial.intermediate_values)
        figure.add_scatter(
            x=[epoch + 1 for epoch in epochs],
            y=[trial.intermediate_values[epoch] for epoch in epochs],
            mode="lines+markers" if len(epochs) == 1 else "lines",
            line=dict(
                color=_BEST if number == winner else _GREY,
                width=3 if number == winner else 1.2,
                dash="dot" if trial.state.name == "PRUNED" else "solid",
            ),
            name=kind,
            legendgroup=kind,
            showlegend=kind not in seen,
            hovertemplate=f"trial {number}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
        seen.add(kind)
    last = max((max(t.intermediate_values) + 1 for t in drawn.values()), default=1)
    return _laid_out(figure, plan, epoch_axis(last))


def _add_points(figure: go.Figure, x: list[Any], y: list[float], texts: list[str], at: int) -> None:
    """A point for each trial; that at a place is the winner."""
    for name, chosen, style in (
        ("trial", [place for place in range(len(x)) if place != at], dict(color=_OTHER, size=8)),
        ("best", [at], dict(color=_BEST, size=13, symbol="diamond")),
    ):
        figure.add_scatter(
            x=[x[place] for place in chosen], y=[y[place] for place in chosen], mode="markers",
            marker=style, name=name, text=[texts[place] for place in chosen],
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip


def _text(plan: Plan, number: int, trial: "FrozenTrial") -> str:
    values = [f"{name} {short(value)}" for name, value in plan.decode(trial.params).items()]
    return "<br>".join([f"trial {number}: {trial.values[0]:.4f}", *values])


def _laid_out(
    figure: go.Figure, plan: Plan, axis: Mapping[str, Any], height: int = 420
) -> go.Figure:
    figure.update_layout(height=height, legend=LEGEND, showlegend=True)
    figure.update_xaxes(axis)
    figure.update_yaxes(title=f"{plan.metric} on validation", automargin=True)
    return figure
