"""i.i.d. against shifted NDCG of the models on ml-100k, from the tables of docs/results/zoo.md.

zoo.py writes it as docs/results/zoo.svg, by Playwright and Chromium, as the tests of pages do.
"""

import re

import plotly.graph_objects as go
from measuring import RESULTS

from recbole_dsl.common.html_page import COLOURS

PAGE = RESULTS / "zoo.md"
METRIC = "ndcg@10"
BACKBONES = {"MF": "circle", "LightGCN": "diamond", "XSimGCL": "triangle-up"}
LOSSES = ("DSL", "SL", "PSL", "Talos", "BPR")
LABELLED = {"EASE": "top left", "NGCF": "bottom left", "ItemKNN": "top center",
            "SimpleX": "bottom left", "MultiVAE": "bottom right", "BPR": "top left"}  # fmt: skip


def values(test, text):
    """Model -> (mean, standard deviation) of NDCG@10 on a test set of the page.

    Args:
        test: iid or popularity. text: of the page.
    """
    after = text.split(f"## ml-100k, {test} test", 1)[1]
    lines = after[after.index("\n|") + 1 :].split("\n")  # a sentence stands before the table
    head = [cell.strip() for cell in lines[0].strip("|").split("|")]
    found = {}
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        mean, deviation = re.search(r"([\d.]+) ± ([\d.]+)", cells[head.index(METRIC)]).groups()
        found[cells[0]] = (float(mean), float(deviation))
    return found


def _points(name, models, iid, shifted, **marker):
    return go.Scatter(
        x=[iid[model][0] for model in models], y=[shifted[model][0] for model in models],
        error_x=dict(array=[iid[model][1] for model in models], thickness=0.8, width=2),
        error_y=dict(array=[shifted[model][1] for model in models], thickness=0.8, width=2),
        mode="markers+text", name=name, marker=dict(size=11, **marker), textfont=dict(size=12),
    )  # fmt: skip


def figure(text):
    """The picture of a page's tables."""
    iid, shifted = values("iid", text), values("popularity", text)
    drawn = go.Figure()
    for loss, colour in zip(LOSSES, COLOURS, strict=False):
        models = [f"{backbone}_{loss}" for backbone in BACKBONES]
        drawn.add_trace(
            _points(loss, models, iid, shifted, color=colour, symbol=list(BACKBONES.values()))
        )
    stock = [model for model in iid if "_" not in model and iid[model][0] > 0.3]
    points = _points("RecBole's own", stock, iid, shifted, color="#777", symbol="x-thin-open")
    points.update(text=stock, textposition=[LABELLED[model] for model in stock])
    drawn.add_trace(points)
    for backbone, symbol in BACKBONES.items():
        sign = dict(symbol=symbol, color="#444", size=9)
        drawn.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=backbone, marker=sign))
    drawn.update_xaxes(title="NDCG@10, i.i.d. test", range=[0.295, 0.42], title_standoff=6)
    drawn.update_yaxes(title="NDCG@10, popularity-shifted test", title_standoff=6)
    drawn.update_layout(
        margin=dict(l=70, r=20, t=20, b=50), plot_bgcolor="#fff", font=dict(size=13),
        legend=dict(x=1.01, y=1),
    )  # fmt: skip
    drawn.update_xaxes(gridcolor="#e6e6e6")
    drawn.update_yaxes(gridcolor="#e6e6e6")
    return drawn
