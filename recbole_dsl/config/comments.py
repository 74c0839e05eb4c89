"""What the comments of a property file say of its settings: ``key: value  # (type) meaning``.

Or a comment on the lines above a key that has none beside it, as a few files of RecBole's have it.
"""

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# A line up to its comment: "#" starts one after a blank, and never between quotes.
_LINE = re.compile(
    r"""(?P<indent>\ *)(?:(?P<key>[^\s#:'"-][^\s#:'"]*):(?=\s|$))?
        (?:[^'"\#]|'[^']*'|"[^"]*"|(?<=\S)\#)*?
        (?:(?:^|(?<=\s))\#(?P<comment>.*))?$""",
    re.VERBOSE,
)
# "(type) meaning" or "name (type): meaning".
_TYPED = re.compile(r"(?:\((?P<type>[^)]*)\)|[\w-]+ \((?P<named>[^)]*)\):)\s*(?P<meaning>.*)")


class Comment(NamedTuple):
    """What a property file says of a setting; "" for what it leaves out."""

    type: str
    meaning: str


@functools.lru_cache(maxsize=256)
def comments_of(path: Path) -> dict[tuple[str, ...], Comment]:
    """:func:`read_comments` of a file, which is read once in a process."""
    return read_comments(path.read_text(encoding="utf-8"))


def read_comments(text: str) -> dict[tuple[str, ...], Comment]:
    """What the comments of a property file say of its keys.

    Args:
        text: content of the file: YAML in block style, a key and its value on one line.
    Returns:
        dict: path of a key, such as ("train_neg_sample_args", "block") -> its comment; keys without
        one are left out. Lines of comment stand for all keys that follow without one of their own,
        up to a blank line or a key that has one.
    """
    found: dict[tuple[str, ...], Comment] = {}
    path: list[tuple[int, str]] = []  # indents and keys that the line stands under
    above: list[str] = []
    used = False
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:  # a string that goes on in the next line
            above = []
            continue
        indent, key, comment = match["indent"], match["key"], match["comment"]
        if key is None:
            if comment is None or used:
                above, used = [], False
            above += [] if comment is None else [comment.strip()]
            continue
        while path and path[-1][0] >= len(indent):
            path.pop()
        path.append((len(indent), key))
        if comment is not None:
            above = []
        lines = above if comment is None else [comment.strip()]
        used = True
        if lines:
            found[tuple(name for _, name in path)] = _comment(lines)
    return found


def _comment(lines: Iterable[str]) -> Comment:
    text = " ".join(lines)
    match = _TYPED.fullmatch(text)
    if match is None:
        return Comment("", text)
    return Comment(match["type"] or match["named"] or "", match["meaning"])
