"""Notebooks run as their reader would run them: ``python tests/support/notebooks.py NOTEBOOK ...``
runs them in a folder of its own and stores what the cells show."""

import base64
import os
import sys
import tempfile
from pathlib import Path

import plotly.graph_objects as go
import plotly.io
from browsing import opened

PLOT = "application/vnd.plotly.v1+json"
PICTURE = "image/png"
SECONDS = 600  # that a cell may take on a busy machine


def executed(notebook, folder):
    """A copy of a notebook, whose cells have been run from the first to the last.

    Args:
        notebook: of nbformat. folder: where its kernel runs.
    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises.
    """
    import nbclient
    from nbformat import from_dict

    copy = from_dict(notebook)
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    # Jupyter's default output of a plot holds Plotly's code, 4.8 MB.
    plain = {**os.environ, "PLOTLY_RENDERER": "plotly_mimetype"}
    client = nbclient.NotebookClient(
        copy, timeout=SECONDS, kernel_name="python3", coalesce_streams=True
    )
    client.execute(cwd=str(folder), env=plain)
    return copy


def add_pictures(notebook, width=700, height=450):
    """Add a PNG to each plot, for readers that draw no plots; Plotly draws it in Chromium."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if PLOT in output.get("data", {}):
                output.data[PICTURE] = _picture(output.data[PLOT], width, height)


def _picture(plot, width, height):
    figure = go.Figure({"data": plot["data"], "layout": plot["layout"]})
    size = {
        "format": "png", "scale": 2,
        "width": figure.layout.width or width, "height": figure.layout.height or height,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plot.html"
        plotly.io.write_html(figure, path)
        with opened(path) as (page, _):
            address = page.evaluate(
                "size => Plotly.toImage(document.querySelector('.plotly-graph-div'), size)", size
            )
    content = address.split(",", 1)[1]
    assert base64.b64decode(content).startswith(b"\x89PNG")
    return content


def store(path):
    """Run a notebook in a folder of its own and write it back with its outputs."""
    import nbformat

    with tempfile.TemporaryDirectory() as folder:
        found = executed(nbformat.read(path, as_version=4), folder)
    add_pictures(found)
    for cell in found.cells:
        cell.metadata.pop("execution", None)  # times of day
    found.metadata.get("language_info", {}).pop("version", None)
    nbformat.write(found, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        store(name)
