"""``recbole_dsl list``: every name that ``--model`` takes."""

import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from recbole_dsl.cli.command import WIDTH, Command
from recbole_dsl.cli.parser import Arguments
from recbole_dsl.common.property_files import properties_dir


def describe() -> str:
    """Losses and backbones with paper and property file, and RecBole's models."""
    from recbole_dsl.models.registry import BACKBONES, LOSSES
    from recbole_dsl.models.resolve import host_models

    names = "  ".join(sorted(host_models("general_recommender")))
    return "\n".join(
        [
            "Models: <Backbone>_<Loss>, any backbone with any loss, such as LightGCN_DSL;",
            "        <Backbone>_<module>:<Class> with a loss of your own (README, Add a loss).",
            "",
            "Losses:",
            *_entries("loss", LOSSES),
            "",
            "Backbones:",
            *_entries("backbone", BACKBONES),
            "",
            f"The files are in {properties_dir()}.",
            "",
            "RecBole's general models; its context-aware, sequential and knowledge-aware models",
            "can be run too:",
            textwrap.fill(names, WIDTH, initial_indent="  ", subsequent_indent="  "),
        ]
    )


def _entries(folder: str, table: Mapping[str, Any]) -> Iterator[str]:
    for name, item in table.items():
        first_line = (sys.modules[item.__module__].__doc__ or "").splitlines()[0]
        summary = first_line.split(": ", 1)[1].rstrip(".")
        yield f"  {name:<12}{summary}"
        yield f"  {'':<12}{item.paper}; properties/{folder}/{name}.yaml"


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
