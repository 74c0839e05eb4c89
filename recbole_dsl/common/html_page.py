"""HTML pages with plots by Plotly, a dependency of RecBole's. They need no network."""

import html
import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly
import plotly.io
import plotly.offline

from recbole_dsl.common.files import write_atomically

# Okabe and Ito's colours, which can be told apart with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd }
td { white-space: nowrap }
th:first-child, td:first-child { text-align: left } .wide { overflow-x: auto }
"""


class Bold(str):
    """The text of a table's cell, in bold."""


class Section(NamedTuple):
    """A part of a page.

    Attributes:
        heading: its title.
        text: plain text; a blank line begins a new paragraph.
        figures: of plotly.graph_objects.Figure, shown in this order.
        table: rows of cells, the first one the header; or None. A cell may be :class:`Bold`.
    """

    heading: str
    text: str = ""
    figures: Sequence[Any] = ()
    table: Sequence[Sequence[object]] | None = None


def write_page(
    path: str | os.PathLike[str], title: str, intro: str, sections: Sequence[Section]
) -> None:
    """Write a page, all of it or nothing; title, intro and sections as for :func:`page_text`."""
    page = page_text(title, intro, sections)
    write_atomically(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))


def page_text(title: str, intro: str, sections: Sequence[Section]) -> str:
    """A page with its figures, its tables and Plotly itself, as HTML.

    Args:
        title, intro: plain text at the top.
        sections: shown in this order.
    """
    parts = [f"<h1>{html.escape(title)}</h1>", _paragraphs(intro)]
    for section in sections:
        parts += [f"<h2>{html.escape(section.heading)}</h2>", _paragraphs(section.text)]
        parts += [_figure(figure) for figure in section.figures]
        if section.table:
            parts.append(_table(section.table))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<script>{plotly.offline.get_plotlyjs()}</script></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _paragraphs(text: str) -> str:
    blocks = re.split(r"\n\s*\n", text.strip()) if text.strip() else []
    return "\n".join(f"<p>{html.escape(block)}</p>" for block in blocks)


def _figure(figure: Any) -> str:
    figure.update_layout(
        template="plotly_white", colorway=COLOURS, margin=dict(t=60, r=20), title_font_size=16
    )
    text: str = plotly.io.to_html(
        figure,
        include_plotlyjs=False,
        full_html=False,
        config={"displaylogo": False, "responsive": True},
    )
    return text


def _table(rows: Sequence[Sequence[object]]) -> str:
    lines = []
    for tag, row in [("th", rows[0]), *(("td", row) for row in rows[1:])]:
        cells = "".join(f"<{tag}>{_cell(cell)}</{tag}>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _cell(cell: object) -> str:
    text = html.escape(str(cell))
    return f"<b>{text}</b>" if isinstance(cell, Bold) else text
