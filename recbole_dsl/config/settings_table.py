"""Every setting of a model with its value, type, meaning and layer, for people to read.

Type and meaning come from the comments of the property files: ``key: value  # (type) meaning``,
or a comment on the lines above a key that has none beside it, as a few files of RecBole's have it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from recbole_dsl.config.run_config import Config, plain_data

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


class Setting(NamedTuple):
    """A setting of a run.

    Attributes:
        name: as in ``--name=value``.
        value: what the layers give it, as plain data.
        type, meaning: from the comments of the property files, "" where those say nothing.
        layer: where the value comes from, such as ``properties/loss/SL.yaml``.
    """

    name: str
    value: Any
    type: str
    meaning: str
    layer: str


def settings_table(config: Config) -> list[Setting]:
    """Every setting of a Config's model that a layer gives a value, in the order of the layers.

    What RecBole derives from them is left out. The meaning of a map such as
    ``train_neg_sample_args`` goes on with those of its keys.
    """
    comments: dict[tuple[str, ...], Comment] = {}
    for path in config.property_paths:
        comments.update(read_comments(path.read_text(encoding="utf-8")))
    return [
        Setting(name, plain_data(value), *_described(name, value, comments), config.origins[name])
        for name, value in config.layered.items()
    ]


def _described(name: str, value: Any, comments: Mapping[tuple[str, ...], Comment]) -> Comment:
    found = comments.get((name,), Comment("", ""))
    keys = [
        f"{key} ({comment.type}): {comment.meaning}"
        for key in (value if isinstance(value, dict) else ())
        if (comment := comments.get((name, key))) and comment.type
    ]
    if not keys:
        return found
    return Comment(found.type, " ".join([found.meaning.rstrip(".") + ".", *keys]))


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
