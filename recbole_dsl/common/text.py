"""Numbers, times and tables as text for a terminal."""

from collections.abc import Iterable, Sequence

from texttable import Texttable


def short(value: object) -> str:
    """A setting's value for a table: floats to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Seconds in the unit that fits: 34 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """Rows of cells under a header and a line.

    Args:
        header: N titles. rows: N cells each, as they are shown.
        align: N letters, ``l`` or ``r``: the side on which a column is flush.
    """
    drawn = Texttable(max_width=0)
    drawn.set_deco(Texttable.HEADER)
    drawn.set_cols_dtype(["t"] * len(header))
    drawn.set_cols_align(list(align))
    drawn.header(list(header))
    for row in rows:
        drawn.add_row(list(row))
    text: str = drawn.draw()
    return text
