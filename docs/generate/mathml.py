"""Equations, ``$...$`` and ``$$...$$``, as MathML, which browsers draw by themselves."""

import re
import xml.etree.ElementTree as etree
from typing import Any

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

_BLOCK = re.compile(r"^\$\$\s*(.+?)\s*\$\$$", re.DOTALL)
_INLINE = r"\$(?!\s)([^$\n]+?(?:\n[^$\n]+?)*)(?<!\s)\$(?!\d)"
# Of TeX, what the converter does not know, and what it draws the same.
_SAME = (
    (r"\bigl", ""),
    (r"\bigr", ""),
    (r"\tfrac", r"\frac"),
    (r"\,", r"\:"),
    ("\\_", "_"),
    (r"\arccos", r"\operatorname{arccos}"),
)


# A function's name and what stands beside it, which TeX sets a little apart.
_BEFORE = re.compile(r"(?<=[\w}])\s*(?=\\(?:log|exp|cos)(?![A-Za-z]))")
_AFTER = re.compile(r"(\\(?:log|exp|cos))(?![A-Za-z_^])(?!\s*(?:\(|\\[bB]igl?\())")
# Brackets of a given size, and the slash: browsers would set them apart as they do signs.
_TIGHT = re.compile(r"<mo (?=[^>]*minsize)|<mo(?=>&#x0002F;<)")


def mathml(tex: str, display: str) -> str:
    """TeX as a ``math`` element; display is "block" or "inline".

    Raises:
        ValueError: a command of TeX came out as text, since the converter does not know it.
    """
    for ours, its in _SAME:
        tex = tex.replace(ours, its)
    tex = _AFTER.sub(r"\1\\: ", _BEFORE.sub(r"\\: ", tex))
    if "&" in tex and r"\begin" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    found: str = convert(" ".join(tex.split()), display=display)
    found = _TIGHT.sub('<mo lspace="0" rspace="0" ', found).replace('" >', '">')
    unknown = re.search(r">\\\w+<", found)
    if unknown:
        raise ValueError(f"no MathML for {unknown[0][1:-1]} in {tex}")
    return found


class _Inline(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:
        return self.md.htmlStash.store(mathml(m[1], "inline")), m.start(0), m.end(0)


class _Block(BlockProcessor):
    def test(self, parent: etree.Element, block: str) -> bool:
        return _BLOCK.match(block.strip()) is not None

    def run(self, parent: etree.Element, blocks: list[str]) -> None:
        found = _BLOCK.match(blocks.pop(0).strip())
        assert found is not None
        holder = etree.SubElement(parent, "div", {"class": "equation"})
        holder.text = self.parser.md.htmlStash.store(mathml(found[1], "block"))


class MathML(Extension):
    """The extension of Python-Markdown."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.parser.blockprocessors.register(_Block(md.parser), "mathml", 175)
        md.inlinePatterns.register(_Inline(_INLINE, md), "mathml", 185)  # code goes before it


def makeExtension(**options: Any) -> MathML:
    return MathML(**options)
