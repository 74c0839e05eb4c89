"""The pictures of dsl_study.py: where each loss stands, and how validation depends on settings."""

import math

import plotly.graph_objects as go
from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_plan import METRIC, Cell
from dsl_study_settings import DSL, LOSSES, MF, SL
from plotly.subplots import make_subplots
from quality_picture import save_svg

from recbole_dsl.common.html_page import COLOURS

NAMES = {IID: "i.i.d.", POPULARITY: "shifted"}
_PARAMETERS = ("tau", "beta", "gamma")


def _colour(place):
    return COLOURS[place % len(COLOURS)]


def front(study):
    """I.i.d. against shifted NDCG@20 of every loss, MF: the tests where one training set has both,
    by either selection; then both validations of every trial, on each data set.

    Returns:
        plotly.graph_objects.Figure, and its number of rows.
    """
    tested = [name for name, data in DATA.items() if data.two]
    titles = [f"{name}, tests" for name in tested] + [f"{name}, trials" for name in DATA]
    height = math.ceil(len(titles) / 3)
    drawn = make_subplots(height, 3, subplot_titles=titles, vertical_spacing=0.25 / height)
    for at, loss in enumerate(LOSSES):
        shown = False
        for place, title in enumerate(titles):
            name = title.rsplit(",", 1)[0]
            points = (_tests if place < len(tested) else _validations)(study, name, loss)
            if points:
                trace = go.Scatter(
                    x=[x for x, _ in points], y=[y for _, y in points], name=loss,
                    mode="lines+markers" if place < len(tested) else "markers",
                    marker=dict(color=_colour(at), size=9 if place < len(tested) else 6),
                    line=dict(width=1), legendgroup=loss, showlegend=not shown,
                )  # fmt: skip
                drawn.add_trace(trace, place // 3 + 1, place % 3 + 1)
                shown = True
    drawn.update_xaxes(title="i.i.d. NDCG@20", title_standoff=4)
    drawn.update_yaxes(title="shifted NDCG@20", title_standoff=4)
    return drawn, height


def _tests(study, name, loss):
    """(i.i.d., shifted) test NDCG@20 of a loss, by the i.i.d. and by the shifted selection."""
    found = []
    for selection in (IID, POPULARITY):
        pair = [study.result(Cell(name, MF, loss), selection, test) for test in (IID, POPULARITY)]
        if None not in pair:
            found.append(tuple(result.mean for result in pair))
    return found


def _validations(study, name, loss):
    """(i.i.d., shifted) best validation NDCG@20 of each trial of a loss's own."""
    rows = study.runs.trained(Cell(name, MF, loss))
    return [tuple(row["valid"][kind][METRIC] for kind in (IID, POPULARITY)) for row in rows]


def sensitivity(study):
    """Validation NDCG@20 of the trials of DSL, and by tau of SL's, over the best of SL's.

    Returns:
        plotly.graph_objects.Figure: a row for tau, beta and gamma, a column for each validation.
    """
    titles = [f"{NAMES[kind]} validation" for kind in (IID, POPULARITY)]
    drawn = make_subplots(3, 2, subplot_titles=titles, vertical_spacing=0.08)
    for at, name in enumerate(DATA):
        sl, dsl = (study.runs.trained(Cell(name, MF, loss)) for loss in (SL, DSL))
        if not sl:
            continue
        for column, kind in enumerate((IID, POPULARITY), 1):
            best = max(row["valid"][kind][METRIC] for row in sl)
            for line, parameter in enumerate(_PARAMETERS, 1):
                for loss, rows, symbol in ((SL, sl, "circle-open"), (DSL, dsl, "circle")):
                    if loss == SL and parameter != "tau":
                        continue
                    trace = go.Scatter(
                        x=[row["settings"][parameter] for row in rows],
                        y=[row["valid"][kind][METRIC] / best for row in rows],
                        mode="markers", name=f"{loss}, {name}", legendgroup=f"{loss}, {name}",
                        showlegend=column == line == 1,
                        marker=dict(color=_colour(at), symbol=symbol, size=8),
                    )  # fmt: skip
                    drawn.add_trace(trace, line, column)
    for line, parameter in enumerate(_PARAMETERS, 1):
        drawn.update_xaxes(title=parameter, title_standoff=4, row=line)
    drawn.update_yaxes(title="NDCG@20 over SL's best", title_standoff=4)
    return drawn


def save(study, page):
    """Write both pictures beside the page, of what there is."""
    if not study.runs.by_key:
        return
    drawn, height = front(study)
    save_svg(drawn, page.with_name(f"{page.stem}_front.svg"), height=80 + 360 * height)
    save_svg(sensitivity(study), page.with_name(f"{page.stem}_sensitivity.svg"), height=1000)
