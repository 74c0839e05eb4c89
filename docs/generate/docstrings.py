"""The docstrings of the package as Markdown, for mkdocstrings and for the cards.

They have sections (Args, Returns, Source, ...), equations (``.. math::``) and roles of Sphinx
(``:func:`name```). Each becomes what the pages show, so that nothing is lost or guessed.
"""

import inspect
import re
from typing import Any

import griffe

_SECTION = re.compile(
    r"(Args|Arguments|Args and raises|Returns|Yields|Raises|Attributes|Source|Differs from source|"
    r"Differs from RecBole|Conventions|Limits|Definitions|Example|Symptom|Reported):(?: (.*))?$"
)
_ENTRY = re.compile(r"((?:\*{0,2}[\w.]+(?:\[\w+\])?(?:, )?)+): (.*)", re.DOTALL)
_TITLES = {"Args": "Arguments", "Args and raises": "Arguments and errors"}
_LISTS = {"Args", "Arguments", "Raises", "Attributes"}
_ROLE = re.compile(r":(func|class|meth|attr|mod|data):`~?\.?([^`]+)`")


def _paragraphs(text: str) -> str:
    """Equations and roles in a text without sections."""
    found: list[str] = []
    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        start = re.match(r"(\s*)\.\. math::\s*(.*)", line)
        if start is None:
            found.append(line)
            continue
        indent, tex = len(start[1]), [start[2]]
        while lines and (not lines[0].strip() or _indent(lines[0]) > indent):
            if not lines[0].strip() and not tex[-1].strip() and len(tex) > 1:
                break
            if not lines[0].strip() and any(part.strip() for part in tex):
                break
            tex.append(lines.pop(0).strip())
        space = start[1]
        found += ["", f"{space}$$ {' '.join(part for part in tex if part)} $$", ""]
    return "\n".join(found)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _inline(text: str, scope: str) -> str:
    """Roles as links, where the pages have what they name, and inline equations."""
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text, flags=re.DOTALL)
    return _ROLE.sub(lambda role: _link(role[1], role[2], scope), text)


def _link(kind: str, name: str, scope: str) -> str:
    full = name if name.startswith("recbole_dsl") else f"{scope}.{name}"
    shown = name.rpartition(".")[2] if kind != "mod" else name
    shown += "()" if kind in ("func", "meth") else ""
    return f'<autoref identifier="{full}" optional><code>{shown}</code></autoref>'


def _entries(body: str) -> str:
    """Lines ``name: text`` as a list; what goes on in the next line is indented."""
    items: list[str] = []
    for line in body.split("\n"):
        if line and not line[0].isspace():
            items.append(line)
        elif items:
            items[-1] += "\n" + line
    shown = []
    for item in items:
        match = _ENTRY.match(item)
        text = inspect.cleandoc(item)
        if match is not None:
            names = ", ".join(f"`{name}`" for name in match[1].split(", ") if name)
            text = f"{names}: {inspect.cleandoc(match[2])}"
        shown.append("- " + text.replace("\n", "\n    "))
    return "\n".join(shown)


def _example(body: str) -> str:
    return f"```pycon\n{body.strip()}\n```"


def markdown(text: str, scope: str) -> str:
    """A docstring as Markdown.

    Args:
        text: with the indentation of the first line. scope: dotted name in which short names of
            its roles are looked up.
    """
    head: list[str] = []
    sections: list[tuple[str, list[str]]] = []
    for line in inspect.cleandoc(text).split("\n"):
        match = _SECTION.match(line)
        if match is not None:
            sections.append((match[1], [match[2] or ""]))
        elif sections and (line.startswith(" ") or not line):
            sections[-1][1].append(line[4:] if line.startswith("    ") else line)
        elif sections and sections[-1][0] == "":
            sections[-1][1].append(line)
        elif sections:  # plain text after a section
            sections.append(("", [line]))
        else:
            head.append(line)
    parts = [_paragraphs("\n".join(head)).strip()]
    for name, lines in sections:
        body = "\n".join(lines).strip("\n")
        title = f"**{_TITLES.get(name, name)}:**" if name else ""
        if name == "Example":
            parts += ["**Example:**", _example(body)]
        elif name in _LISTS and ":" in body:
            parts += [title, _entries(body)]
        else:
            parts.append(f"{title} {_paragraphs(body)}".strip())
    return _inline("\n\n".join(part for part in parts if part), scope)


class Docstrings(griffe.Extension):
    """Of griffe: rewrites each docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            scope = obj.path if obj.is_module or obj.is_class else obj.module.path
            if obj.is_class:
                scope = obj.module.path
            obj.docstring.value = markdown(obj.docstring.value, scope)
