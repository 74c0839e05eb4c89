"""Text and plain tables as LaTeX; the tables need the package booktabs."""

from collections.abc import Sequence

_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": r"\textbar{}", "±": r"$\pm$", "\u00a0": "~",
}  # fmt: skip


def text(value: object) -> str:
    """A value's text with LaTeX's special characters escaped."""
    return "".join(_SPECIAL.get(c, c) for c in str(value))


def tabular(rows: Sequence[Sequence[str]]) -> str:
    """A ``tabular`` with booktabs' rules.

    Args:
        rows: cells of LaTeX, the first row the header; the first column is flush left, the others
            right.
    """
    columns = "l" + "r" * (len(rows[0]) - 1)
    lines = [" & ".join(row) + r" \\" for row in rows]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule", *lines[1:],
            r"\bottomrule", r"\end{tabular}",
        ]
    )  # fmt: skip
