"""The picture of the package's folders, from the rule that tests/test_architecture.py holds."""

import ast
import html
from pathlib import Path

ROOT = Path(__file__).parents[2]
_WIDTH, _ROW, _GAP = 900, 74, 14


def layers() -> list[list[str]]:
    """The folders, those of a layer together, the top layer first."""
    tree = ast.parse((ROOT / "tests/test_architecture.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS":
            assert isinstance(node.value, ast.List)
            return [
                [part.value for part in row.elts]  # type: ignore[attr-defined]
                for row in node.value.elts
            ]
    raise ValueError("tests/test_architecture.py has no LAYERS")


def purpose(folder: str) -> str:
    """What a folder is for: the first line of its docstring."""
    path = ROOT / "recbole_dsl" / folder / "__init__.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n")[0].rstrip(".")


def svg() -> str:
    """The picture as an element of a page; its colours follow the page's."""
    shapes = []
    rows = layers()
    for number, folders in enumerate(rows):
        width = (_WIDTH - _GAP * (len(folders) - 1)) / len(folders)
        top = number * (_ROW + _GAP)
        for place, folder in enumerate(folders):
            left = place * (width + _GAP)
            shapes.append(
                f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{_ROW}" rx="6" '
                'fill="none" stroke="currentColor" stroke-opacity=".45"/>'
                f'<text x="{left + width / 2:.0f}" y="{top + 24}" text-anchor="middle" '
                f'font-weight="bold" font-size="16">{folder}</text>'
            )
            for line, words in enumerate(_wrapped(purpose(folder), int(width / 6.6))):
                shapes.append(
                    f'<text x="{left + width / 2:.0f}" y="{top + 43 + 15 * line}" '
                    f'text-anchor="middle" font-size="12">{html.escape(words)}</text>'
                )
    height = len(rows) * (_ROW + _GAP) - _GAP
    return (
        f'<svg class="rooms" viewBox="-1 -1 {_WIDTH + 2} {height + 2}" role="img" '
        'aria-label="The folders of the package, each above those that it may import" '
        f'fill="currentColor" xmlns="http://www.w3.org/2000/svg">{"".join(shapes)}</svg>'
    )


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:2]
