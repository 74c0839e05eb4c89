"""A page for each loss and backbone: from its docstrings, its property file, its measured cost."""

import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from recbole_dsl import losses
from recbole_dsl.common.property_files import SEARCH, properties_dir, read_yaml
from recbole_dsl.config.comments import comments_of
from recbole_dsl.models.registry import BACKBONES, LOSSES

ROOT = Path(__file__).parents[2]
_COSTS = ROOT / "docs/results/step.md"
_SCORES = {"cosine": "cosine", "dot": "inner product"}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in lines
    )


def code(value: Any) -> str:
    """A value of YAML as code."""
    if isinstance(value, dict):
        value = "{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}"
    return f"`{'~' if value is None else value}`"


def plain(text: str) -> str:
    """A comment of a property file, in which <name> is no HTML."""
    return text.replace("<", "&lt;")


def options(path: Path) -> str:
    """The settings of a property file: name, default, what it may be, meaning."""
    comments, rows = comments_of(path), []

    def add(place: tuple[str, ...], value: Any) -> None:
        comment = comments.get(place)
        kind, meaning = (comment.type, comment.meaning) if comment else ("", "")
        nested = isinstance(value, dict)
        shown = "" if nested else code(value)
        rows.append([f"`{'.'.join(place)}`", shown, plain(kind), plain(meaning)])
        if nested:
            for key, item in value.items():
                add((*place, str(key)), item)

    for key, value in read_yaml(path).items():
        if key != SEARCH:
            add((key,), value)
    return table(["setting", "default", "values", "meaning"], rows)


def search_range(path: Path) -> str:
    """What tuning tries."""
    found = read_yaml(path).get(SEARCH) or {}
    if not found:
        return "None: `recbole_dsl tune` needs `--params_file`."
    return table(["setting", "tried"], [[f"`{key}`", code(value)] for key, value in found.items()])


def summary(module: ModuleType) -> str:
    """What a loss or a backbone is: the first line of its module, without its name."""
    line = (module.__doc__ or "").split("\n", 1)[0]
    return line.partition(": ")[2] or line


@functools.cache
def measured(name: str) -> list[str] | None:
    """The row of a loss or a backbone in the page of a training step; None where it has none."""
    for line in _COSTS.read_text(encoding="utf-8").split("\n"):
        if line.startswith(f"| `{name}` |"):
            return [cell.strip() for cell in line.strip("|").split("|")][1:]
    return None


def _cost_of_loss(name: str) -> str:
    row = measured(name)
    page = "[A training step](../results/step.md#losses)"
    if row is None:
        return f"Not measured; other losses: {page}."
    return (
        f"{row[1]} times the step of SL with negatives of its own for every row, {row[3]} times "
        f"with one draw a batch ({row[0]} and {row[2]} ms, MF, 1,024 positives with 1,000 "
        f"negatives, 2 cores). How it was measured: {page}."
    )


def _cost_of_backbone(name: str) -> str:
    row = measured(name)
    page = "[A training step](../results/step.md#backbones)"
    if row is None:
        return f"Not measured; other backbones: {page}."
    return f"{row[0]} ms a step with SL, of which {row[2]} are its graph (2 cores): {page}."


def _members(module: ModuleType) -> list[str]:
    """The public functions of a loss's module that have an equation or are offered to users, and
    those of other modules that its texts name."""
    own = [
        name
        for name, item in vars(module).items()
        if getattr(item, "__module__", "") == module.__name__ and not name.startswith("_")
        and not (isinstance(item, type) and issubclass(item, losses.RowLoss))
        and (name in losses.__all__ or ".. math::" in (item.__doc__ or ""))
    ]  # fmt: skip
    own.sort(key=lambda name: "loss" not in name)
    texts = " ".join(filter(None, (getattr(module, name).__doc__ for name in own)))
    named = dict.fromkeys(re.findall(r":(?:func|class):`(\w+)`", texts))
    others = [
        name
        for name in named
        if name in losses.__all__ and getattr(module, name).__module__ != module.__name__
    ]
    full = [f"{module.__name__}.{name}" for name in own]
    return full + [f"{getattr(module, name).__module__}.{name}" for name in others]


def _directives(names: list[str]) -> Iterator[str]:
    for name in names:
        yield f"::: {name}\n    options:\n      heading_level: 3\n      members: []\n"


def _card(
    name: str, cls: Any, kind: str, facts: list[list[str]], model: str, cost: str, shown: list[str]
) -> str:
    """The page of a loss or a backbone.

    Args:
        kind: "loss" or "backbone".
        facts: rows of its first table, after its source.
        model: one that has it. cost: of a step. shown: what stands under its equation.
    """
    what, settings = summary(sys.modules[cls.__module__]), f"properties/{kind}/{name}.yaml"
    path = properties_dir() / kind / f"{name}.yaml"
    parts = [
        f"# {name}",
        f"{what[0].upper()}{what[1:]}",
        table(["", ""], [["source", cls.paper], *facts, ["settings", f"`{settings}`"]]),
        f"```bash\nrecbole_dsl run --model={model}\n```",
        "## Settings",
        options(path),
        "## Search range",
        search_range(path),
        "## Cost",
        cost,
        "## Equation and source",
        *_directives(shown),
    ]
    return "\n\n".join(parts) + "\n"


def loss_card(name: str) -> str:
    """The page of a loss."""
    cls = LOSSES[name]
    facts = [
        ["class", f"`recbole_dsl.losses.{cls.__name__}`"],
        ["models", ", ".join(f"`{backbone}_{name}`" for backbone in BACKBONES)],
        ["asks the model for", ", ".join(f"`{part}`" for part in cls.inputs)],
        ["scores", " or ".join(_SCORES[score] for score in cls.scores)],
    ]
    shown = [*_members(sys.modules[cls.__module__]), f"{cls.__module__}.{cls.__name__}"]
    return _card(name, cls, "loss", facts, f"MF_{name}", _cost_of_loss(name), shown)


def backbone_card(name: str) -> str:
    """The page of a backbone."""
    cls: Any = BACKBONES[name]
    facts = [
        ["class", f"`recbole_dsl.backbones.{cls.__name__}`"],
        ["models", ", ".join(f"`{name}_{loss}`" for loss in LOSSES)],
        ["term of its own", "yes" if hasattr(cls, "auxiliary_loss") else "none"],
        ["`learner: sparse_adam`", "yes" if getattr(cls, "row_wise", False) else "no"],
    ]
    shown = [f"{cls.__module__}.{cls.__name__}"]
    return _card(name, cls, "backbone", facts, f"{name}_SL", _cost_of_backbone(name), shown)


def file_name(name: str) -> str:
    """The page's file name, without signs that an address would have to escape."""
    return name.replace("+", "p") + ".md"


def losses_index() -> str:
    """All losses in a table."""
    rows = [
        [f"[`{name}`]({file_name(name)})", summary(sys.modules[cls.__module__]), cls.paper,
         (measured(name) or ["", "not measured"])[1]]
        for name, cls in LOSSES.items()
    ]  # fmt: skip
    head = ["loss", "what it is", "source", "cost over SL's"]
    text = (
        "Every loss works on every [backbone](../backbones/index.md) and in plain torch. Each page "
        "has the equation, the source, what differs from it, the settings, the range that tuning "
        "searches and the cost of a step. Which to take: "
        "[Choosing a loss](../guide/choosing_a_loss.md). The page of a loss is made from its "
        "docstring and its property file when these pages are built."
    )
    return f"# Losses\n\n{text}\n\n{table(head, rows)}\n"


def backbones_index() -> str:
    """All backbones in a table."""
    rows = [
        [f"[`{name}`]({file_name(name)})", summary(sys.modules[cls.__module__]), cls.paper,
         (measured(name) or ["not measured"])[0]]
        for name, cls in _backbones().items()
    ]  # fmt: skip
    text = (
        "Every backbone works with every [loss](../losses/index.md): `LightGCN_DSL`, `MF_SL`, ..."
    )
    head = ["backbone", "what it is", "source", "ms a step"]
    return f"# Backbones\n\n{text}\n\n{table(head, rows)}\n"


def _backbones() -> dict[str, Any]:
    found: dict[str, type[torch.nn.Module]] = dict(BACKBONES)
    return found


@functools.cache
def pages() -> dict[str, str]:
    """All pages: path below docs/ -> Markdown."""
    found = {"losses/index.md": losses_index(), "backbones/index.md": backbones_index()}
    found |= {f"losses/{file_name(name)}": loss_card(name) for name in LOSSES}
    return found | {f"backbones/{file_name(name)}": backbone_card(name) for name in BACKBONES}
