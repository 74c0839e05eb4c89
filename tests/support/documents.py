"""The README and the pages of docs/ as tests read them: links, headings, blocks of code."""

import re
from typing import NamedTuple

from markdown.extensions.toc import slugify, unique
from quick import ROOT

DOCS = ROOT / "docs"
WRITTEN = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted(path for path in DOCS.rglob("*.md")),
]
_FENCE = re.compile(r"^(```+)(\w*)[^\n]*\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code and, where the next one has no language, what the page says it prints."""

    language: str
    text: str
    output: str | None


def blocks(text):
    """The blocks of a page, in order."""
    found = [(match[2], match[3]) for match in _FENCE.finditer(text)]
    after = [*found[1:], ("none", "")][: len(found)]
    return [
        Block(language, body, following[1] if following[0] == "" else None)
        for (language, body), following in zip(found, after, strict=True)
        if language
    ]


def without_code(text):
    """A page without its blocks and its code in the line."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def links(text):
    """The targets of a page's links and pictures."""
    return re.findall(r"\]\(<?([^)\s>]+)>?\)", without_code(text))


def anchors(text):
    """The addresses of a page's headings, as Python-Markdown makes them."""
    taken = set()
    for heading in re.findall(r"^#{1,6} (.+?)\s*$", _FENCE.sub("", text), flags=re.MULTILINE):
        plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading)
        unique(slugify(plain, "-"), taken)
    return taken


def of_page(path):
    """The text of a page."""
    return path.read_text(encoding="utf-8")


def command_lines(text):
    """Every command of a page's bash blocks, lines that go on joined."""
    for block in blocks(text):
        if block.language == "bash":
            for line in block.text.replace("\\\n", " ").split("\n"):
                yield from (part.strip() for part in line.split("&&") if part.strip())
