"""The settings reference: from the schema that checks values and the property files' comments."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cards import code, plain, table

from recbole_dsl.common.property_files import properties_dir, read_yaml
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES
from recbole_dsl.config.run_config import Config

_INTRO = """# Settings reference

Every setting that all models have, with its default, the values it may have and its meaning. This
page is made from the schema that checks a run's settings when these pages are built.
`recbole_dsl settings MODEL` shows the same for one model, and which layer each value comes from.
Those of a loss stand on [its page](../losses/index.md), those of a backbone on
[its own](../backbones/index.md), those of RecBole's models in RecBole's documentation. How the
layers go over each other:
[Settings and results](../guide/settings_and_results.md).
"""
_LAYERS = {
    "Runs and evaluation": (
        properties_dir() / "overall.yaml",
        "`properties/overall.yaml`: what this package adds for every model, RecBole's included.",
    ),
    "Models of a backbone and a loss": (
        properties_dir() / "pair.yaml",
        "`properties/pair.yaml`: for every `<Backbone>_<Loss>`. A dot leads into a map: "
        '`--train_neg_sample_args="{block: 32}"`.',
    ),
    "RecBole: training and evaluation": (
        RECBOLE_PROPERTIES / "overall.yaml",
        "RecBole's `overall.yaml`, whose names and meanings are kept.",
    ),
    "RecBole: data": (
        RECBOLE_PROPERTIES / "dataset" / "sample.yaml",
        "RecBole's `dataset/sample.yaml`: columns, filters, files.",
    ),
}


def _rows(path: Path, config: Config) -> Iterable[list[str]]:
    schema = config.schema

    def add(place: tuple[str, ...], value: Any) -> Iterable[list[str]]:
        comment = schema.comments.get(place)
        # A map whose keys mean something of their own has a row for each.
        nested = isinstance(value, dict) and any(
            (*place, str(key)) in schema.comments for key in value
        )
        shown = "" if nested else code(value)
        meaning = comment.meaning if comment else ""
        yield [f"`{'.'.join(place)}`", shown, plain(schema.words(*place)), plain(meaning)]
        if nested:
            for key, item in value.items():
                yield from add((*place, str(key)), item)

    defaults = read_yaml(path)
    for key in defaults:
        yield from add((key,), config.layered.get(key, defaults[key]))


def page() -> str:
    """The page as Markdown."""
    config = Config("MF_BPR", "ml-100k")  # any pair: its own settings are left out
    parts = [_INTRO]
    for title, (path, text) in _LAYERS.items():
        head = ["setting", "default", "values", "meaning"]
        parts += [f"## {title}", text, table(head, list(_rows(path, config)))]
    return "\n\n".join(parts) + "\n"
