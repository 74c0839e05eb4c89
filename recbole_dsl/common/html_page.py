"""HTML pages with plots by Plotly, a dependency of RecBole's. They need no network.

Plotly's own code, 4.8 MB, is a file beside the pages of a folder, so that a page has some 100 KB:
pip's plotly has no smaller part of it, and compressed inside a page it would still take 2 MB.
"""

import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import plotly.io
import plotly.offline

from recbole_dsl.common import latex
from recbole_dsl.common.files import write_atomically

# Okabe and Ito's colours, which can be told apart with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
LEGEND = dict(orientation="h", yanchor="bottom", y=1.02, x=0)  # above the plot, on several lines


class Bold(str):
    """The text of a table's cell, in bold."""


class Section(NamedTuple):
    """A part of a page.

    Attributes:
        heading: its title.
        text: plain text; a blank line begins a new paragraph.
        figures: of plotly.graph_objects.Figure, shown in this order.
        table: rows of cells, the first one the header; or None. A cell may be :class:`Bold`.
        latex: what the button at the table copies; empty: the table as it is.
        choice: where it is not empty, the section is shown while this is chosen at the top.
    """

    heading: str
    text: str = ""
    figures: Sequence[Any] = ()
    table: Sequence[Sequence[object]] | None = None
    latex: str = ""
    choice: str = ""


class Page(NamedTuple):
    """A page.

    Attributes:
        title: plain text. sections: shown in this order.
        verdict: what it comes to, a paragraph for each sentence. warnings: shown below it.
        intro: plain text below these; a blank line begins a new paragraph.
        chosen: which of the sections' choices is shown first; empty: the first of them.
    """

    title: str
    sections: Sequence[Section]
    verdict: Sequence[str] = ()
    warnings: Sequence[str] = ()
    intro: str = ""
    chosen: str = ""


def write_page(path: str | os.PathLike[str], page: Page) -> None:
    """Write a page, all of it or nothing, and what it needs beside it."""
    text = page_text(page)
    write_plotly(Path(path).parent)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def plotly_name() -> str:
    """The name of the file with Plotly's code: an older page keeps its own version."""
    return f"plotly-{plotly.offline.get_plotlyjs_version()}.min.js"


def write_plotly(folder: Path) -> None:
    """Write Plotly's code to a folder, unless it is there."""
    path, code = folder / plotly_name(), plotly.offline.get_plotlyjs().encode()
    if not (path.is_file() and path.stat().st_size == len(code)):
        write_atomically(path, lambda temporary: temporary.write_bytes(code))


def page_text(page: Page) -> str:
    """A page as HTML; it needs the file :func:`plotly_name` beside it."""
    title = html.escape(page.title)
    head = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{_file('page.css')}</style>",
        f'<script src="{plotly_name()}"></script><script>{_file("page.js")}</script></head>',
    ]
    body = [
        f'<body data-plotly="{plotly_name()}">\n<h1>{title}</h1>',
        *(f'<p class="verdict">{html.escape(line)}</p>' for line in page.verdict),
        *(f'<p class="warning">{html.escape(line)}</p>' for line in page.warnings),
        _paragraphs(page.intro),
        *_menu(page),
        *(part for number, one in enumerate(page.sections) for part in _section(one, number)),
        f'<script type="application/json" id="template">{_template()}</script>',
    ]
    if any(section.figures for section in page.sections):
        body.append(
            "<footer>In a plot, drag to zoom and double-click to zoom out; a click on a name in a "
            f"legend hides it. The plots need {plotly_name()}, which lies beside this page.\n"
            "</footer>"
        )
    return "\n".join([*head, *body, "</body></html>\n"])


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _menu(page: Page) -> Iterator[str]:
    choices = list(dict.fromkeys(one.choice for one in page.sections if one.choice))
    if len(choices) > 1:
        options = "".join(
            f"<option{' selected' if name == page.chosen else ''}>{html.escape(name)}</option>"
            for name in choices
        )
        yield f'<p class="choices"><label>Metric: <select>{options}</select></label></p>'


def _section(section: Section, number: int) -> Iterator[str]:
    choice = f' data-choice="{html.escape(section.choice)}"' if section.choice else ""
    yield f"<section{choice}>\n<h2>{html.escape(section.heading)}</h2>"
    yield _paragraphs(section.text)
    name = re.sub(r"\W+", "-", f"{section.heading} {section.choice}".strip()).lower().strip("-")
    yield '<div class="figures">' * bool(section.figures)
    for place, figure in enumerate(section.figures, 1):
        several = f"-{place}" if len(section.figures) > 1 else ""
        yield _figure(figure, f"{name or f'plot-{number}'}{several}")
    yield "</div>" * bool(section.figures)
    if section.table:
        yield _table(section.table)
        yield _copy_button(section.latex or _latex(section.table))
    yield "</section>"


def _paragraphs(text: str) -> str:
    blocks = re.split(r"\n\s*\n", text.strip()) if text.strip() else []
    return "\n".join(f"<p>{html.escape(block)}</p>" for block in blocks)


def _figure(figure: Any, name: str) -> str:
    titled = bool(figure.layout.title.text or figure.layout.annotations)
    margin = dict(t=60 if titled else 10, r=20, b=50)
    figure.update_layout(template="none", colorway=COLOURS, margin=margin, title_font_size=16)
    drawn = figure.to_plotly_json()
    del drawn["layout"]["template"]  # the page has it once
    content = _json(drawn)
    buttons = "".join(
        f'<button data-save="{kind}">Save as {kind.upper()}</button>' for kind in ("svg", "png")
    )
    height = drawn["layout"].get("height", 450)
    return (
        f'<figure><div class="plotly-graph-div" data-name="{html.escape(name)}" '
        f'style="height:{height}px"></div>\n'
        f'<script type="application/json">{content}</script>\n'
        f'<div class="buttons">{buttons}</div></figure>'
    )


def _template() -> str:
    """The axes, colours and fonts of all plots."""
    white = plotly.io.templates["plotly_white"].to_plotly_json()
    return _json({"layout": white["layout"]})


def _json(content: Any) -> str:
    """JSON for a script, with numbers of six digits: a picture needs no more, and Plotly cannot
    draw an axis along which values differ by rounding errors alone."""
    text = plotly.io.to_json(content, validate=False)
    short = json.loads(text, parse_float=lambda number: float(f"{float(number):.6g}"))
    return json.dumps(short, separators=(",", ":")).replace("<", "\\u003c")


def _table(rows: Sequence[Sequence[object]]) -> str:
    lines = []
    for tag, row in [("th", rows[0]), *(("td", row) for row in rows[1:])]:
        cells = "".join(f"<{tag}>{_cell(cell)}</{tag}>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _cell(cell: object) -> str:
    text = html.escape(str(cell))
    return f"<b>{text}</b>" if isinstance(cell, Bold) else text


def _copy_button(text: str) -> str:
    return (
        f'<div><button data-copy="latex">Copy as LaTeX</button><textarea hidden readonly>'
        f"{html.escape(text)}</textarea></div>"
    )


def _latex(rows: Iterable[Sequence[object]]) -> str:
    return latex.tabular([[_latex_cell(cell) for cell in row] for row in rows])


def _latex_cell(cell: object) -> str:
    text = latex.text(cell)
    return rf"\textbf{{{text}}}" if isinstance(cell, Bold) else text


# Axes --------------------------------------------------------------------------------------------


def log_axis() -> Mapping[str, Any]:
    """A logarithmic axis with whole labels at 1, 2 and 5: Plotly writes 2 and 5 alone, whatever
    the power of ten they belong to."""
    ticks = [digit * 10.0**power for power in range(-12, 10) for digit in (1, 2, 5)]
    return dict(type="log", tickvals=ticks, ticktext=[f"{tick:,g}" for tick in ticks])


def epoch_axis(epochs: int) -> Mapping[str, Any]:
    """An axis of epochs, from 1 to a number of them, with ticks at whole ones."""
    return dict(title="epoch", dtick=1) if epochs <= 12 else dict(title="epoch", tickformat="d")
