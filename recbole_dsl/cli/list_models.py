"""``recbole_dsl list``: every name that ``--model`` takes, and the presets."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from recbole_dsl.cli.command import WIDTH, Command
from recbole_dsl.cli.parser import Arguments
from recbole_dsl.common.property_files import PRESET, presets, properties_dir


def describe() -> str:
    """Losses and backbones with paper and property file, and RecBole's models.

    Those of other packages are imported, to be described; one that cannot be is a line that says
    why.
    """
    from recbole_dsl.models.adapters import fitting
    from recbole_dsl.models.registry import BACKBONES, LOSSES
    from recbole_dsl.models.resolve import host_models

    names = "  ".join(sorted(host_models("general_recommender")))
    return "\n".join(
        [
            "Models: <Backbone>_<Loss>, any backbone with any loss, such as LightGCN_DSL;",
            "        <module>:<Class> in place of either is your own (docs/guide/extending.md).",
            "",
            "Losses:",
            *_entries("loss", LOSSES),
            "",
            "Backbones:",
            *_entries("backbone", BACKBONES),
            "",
            f"The files are in {properties_dir()}.",
            "",
            "RecBole's own models in the place of a backbone, such as SASRec_DSL:",
            *(_filled(kind, found) for kind, found in fitting.names(BACKBONES).items()),
            "",
            *_presets(),
            *_of_others("Losses", "loss"),
            *_of_others("Backbones", "backbone"),
            "RecBole's general models; its context-aware, sequential and knowledge-aware models",
            "can be run too:",
            textwrap.fill(names, WIDTH, initial_indent="  ", subsequent_indent="  "),
        ]
    )


def _entries(folder: str, table: Mapping[str, Any]) -> Iterator[str]:
    for name, item in table.items():
        yield _line(name, _summary(item))
        yield _line("", f"{item.paper}; properties/{folder}/{name}.yaml")


def _presets() -> Iterator[str]:
    yield f"Presets of settings, --config_files={PRESET}NAME:"
    found = presets()
    width = max(map(len, found))
    for name, path in found.items():
        first = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        yield f"  {name:{width}}  {first}"
    yield ""


def _of_others(title: str, kind: str) -> Iterator[str]:
    """Registered ones and those of installed packages, or why one cannot be had; nothing where
    there are none."""
    from recbole_dsl.models.registry import class_of, of_other_packages

    found = of_other_packages(kind)
    if not found:
        return
    yield f"{title} of other packages:"
    for name, part in found:
        if isinstance(part, str):
            yield _line(name, part)
            continue
        cls = class_of(part)
        paper = getattr(cls, "paper", None)
        yield _line(name, _summary(cls))
        yield _line("", "; ".join(filter(None, [part.origin, paper])))
        yield _line("", "no property file" if part.properties is None else str(part.properties))
    yield ""


def _filled(kind: str, names: Iterable[str]) -> str:
    start, indent = f"  {kind:<12}", " " * 14
    return textwrap.fill("  ".join(names), WIDTH, initial_indent=start, subsequent_indent=indent)


def _summary(item: type) -> str:
    """What a class is, from the first line of its module or of its own text."""
    lines = (sys.modules[item.__module__].__doc__ or item.__doc__ or "").splitlines()
    before, colon, after = (lines[0] if lines else "").partition(": ")
    return (after if colon else before).rstrip(".")


def _line(name: str, text: str) -> str:
    return f"  {name:<12}{text}".rstrip()


def _work(given: Arguments) -> int:
    print(describe())
    return 0


COMMAND = Command(
    name="list",
    summary="show models, losses and backbones, with paper and property file",
    usage=[""],
    about="Shows every loss and backbone with its paper and property file, and RecBole's models.",
    options=[],
    examples=[""],
    work=_work,
)

main = COMMAND.run
