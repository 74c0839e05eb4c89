"""The picture of time_to_quality.py: validation NDCG@20 by seconds of training, as SVG."""

import math
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from quality_methods import METHODS, MODELS, library
from quality_report import SHARES, SOONEST, seconds_to, targets

from recbole_dsl.common.html_page import COLOURS, Page, Section, write_page

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from browsing import CHROMIUM, opened

_DASHES = {"random": "dot", "spectral": "solid", "ALS": "dash"}
_DRAW_COLOURS = {"1": COLOURS[0], "1024": COLOURS[1], "all": COLOURS[2]}


def _curve(entry, **style):
    row = entry.runs[min(entry.runs)]
    return go.Scatter(x=row["seconds"], y=row["ndcg"], mode="lines", **style)


def _soonest_variants(found, target):
    """Of each of our models the entry that is first at 99 % of the target."""
    kept = []
    for model in MODELS:
        variants = [entry for entry in found if METHODS[entry.method].model == model]
        seed = min(target, default=None)

        def order(entry, seed=seed):
            row = entry.runs.get(seed)
            late = seconds_to(row, 0.99 * target[seed]) if row else math.inf
            return late, -entry.best

        kept += [min(variants, key=order)] if variants else []
    return kept


def figure(found, title):
    """Validation NDCG@20 by seconds of training, the first seed.

    Returns:
        plotly.graph_objects.Figure: all libraries, ours by its soonest variant; then all variants
        of each of our models.
    """
    _, target = targets(found)
    heads = ["soonest of ours, and others", *MODELS]
    drawn = make_subplots(
        2, 2, subplot_titles=heads, horizontal_spacing=0.07, vertical_spacing=0.14
    )
    others = [e for e in found if library(e.method) != "ours" and e.choice != SOONEST]
    for at, entry in enumerate([*_soonest_variants(found, target), *others]):
        colour = COLOURS[:7][at % 7]
        dash = {"ours": "solid", "RecBole": "dash", "implicit": "dot"}[library(entry.method)]
        line = dict(color=colour, dash=dash, width=2)
        drawn.add_trace(_curve(entry, name=entry.label, line=line, legend="legend"), 1, 1)
    shown = set()
    for entry in found:
        model, *rest = entry.method.split("/")
        if model not in MODELS or entry.choice == SOONEST:
            continue
        start, draw = rest
        name = f"{start} start, {'all items' if draw == 'all' else f'block {draw}'}"
        line = dict(color=_DRAW_COLOURS[draw], dash=_DASHES[start], width=1.5)
        place = MODELS.index(model) + 1
        drawn.add_trace(
            _curve(
                entry, name=name, line=line, legend="legend2", legendgroup=name,
                showlegend=name not in shown,
            ),
            place // 2 + 1, place % 2 + 1,
        )  # fmt: skip
        shown.add(name)
    drawn.update_xaxes(type="log", dtick=1, title="seconds of training", title_standoff=4)
    drawn.update_xaxes(matches="x")
    drawn.update_yaxes(title="validation NDCG@20", title_standoff=4)
    if target:
        full = target[min(target)]
        for share in SHARES:
            drawn.add_hline(share * full, line=dict(color="#999", width=0.7))
        highest = max(max(row["ndcg"]) for entry in found for row in entry.runs.values())
        for place in (1, 2, 3):  # near the target, where variants differ
            drawn.update_yaxes(
                range=[0.7 * full, 1.02 * highest], row=place // 2 + 1, col=place % 2 + 1
            )
    drawn.update_layout(
        title=dict(text=title, x=0.01, y=0.985),
        legend=dict(x=1.01, y=1, title="soonest of ours, and others"),
        legend2=dict(x=1.01, y=0.42, title="variants of ours", tracegroupgap=0),
    )
    return drawn


# Plotly names parts of a picture at random: with the same names each time, a picture changes only
# with what it shows.
_SAME_NAMES = "let n = 1; Math.random = () => (n = n * 16807 % 2147483647) / 2147483647"


def save_svg(drawn, path, width=1400, height=900):
    """Write a figure as SVG, by Plotly in a headless Chromium.

    Raises:
        SystemExit: there is no Chromium.
    """
    if CHROMIUM is None:
        raise SystemExit(f"error: {path} is not drawn: a picture needs Chromium on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder) / "page.html"
        write_page(page_file, Page("", [Section("", figures=[drawn])]))
        with opened(page_file, script=_SAME_NAMES) as (page, _):
            address = page.evaluate(
                "size => Plotly.toImage(document.querySelector('.plotly-graph-div'), size)",
                {"format": "svg", "width": width, "height": height},
            )
    Path(path).write_text(unquote(address.split(",", 1)[1]) + "\n", encoding="utf-8")
