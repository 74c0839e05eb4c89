"""``recbole_dsl settings``: every setting of a model, with value, meaning and layer."""

import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from recbole_dsl.cli.command import WIDTH, Command
from recbole_dsl.cli.parser import Arguments
from recbole_dsl.cli.run_options import (
    ANY_SETTING,
    CONFIG_FILES,
    DATASET,
    LAYERS,
    files_and_settings,
)
from recbole_dsl.common.errors import UsageError

if TYPE_CHECKING:
    from recbole_dsl.config.settings_table import Setting

# The layers in the order in which they win, by how their names begin; "backbone " and "loss " are
# the signature and the file of one that is not this package's, "" is any other.
_LAYERS = (
    "RecBole overall.yaml", "properties/overall.yaml", "RecBole model/",
    "RecBole dataset/sample.yaml", "RecBole dataset/", "RecBole quick_start_config/", "model name",
    "properties/pair.yaml", "properties/sequence.yaml", "properties/backbone/", "backbone ",
    "backbone file ", "properties/loss/", "loss ", "loss file ", "", "properties/model/",
    "properties/dataset/", "dataset file ", "config file ", "config dict", "command line",
)  # fmt: skip
_TITLES = ("  setting", "value", "type", "meaning")
_WIDTHS = (26, 20, 13)  # of the columns but the last, which has what is left
_GAP = "  "


def _rank(layer: str) -> int:
    """The place of a layer among the others, by the longest beginning that fits."""
    fitting = [rank for rank, start in enumerate(_LAYERS) if layer.startswith(start)]
    return max(fitting, key=lambda rank: len(_LAYERS[rank]))


def settings_text(settings: Iterable["Setting"]) -> str:
    """Settings as a table, those of a layer together; the layers that win come last."""
    by_layer: dict[str, list[Setting]] = {}
    for setting in settings:
        by_layer.setdefault(setting.layer, []).append(setting)
    lines = [*_row(_TITLES), "=" * WIDTH]
    for layer in sorted(by_layer, key=_rank):
        lines.append(f"{layer}:")
        for setting in by_layer[layer]:
            name = f"  {setting.name}"
            if len(name) > _WIDTHS[0]:
                lines.append(name)
                name = ""
            lines += _row((name, _shown(setting.value), setting.type, setting.meaning))
    return "\n".join(lines)


def _shown(value: Any) -> str:
    """A value as it is written on a command line; in quotes where blanks would be lost."""
    text = str(value)
    return text if text == text.strip() != "" else repr(value)


def _row(cells: Sequence[str]) -> list[str]:
    """The lines of a row, each cell wrapped to its width."""
    widths = [*_WIDTHS, WIDTH - sum(_WIDTHS) - len(_WIDTHS) * len(_GAP)]
    wrapped = [textwrap.wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return [
        _GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*wrapped, fillvalue="")
    ]


def _work(given: Arguments) -> int:
    if len(given.operands) != 1:
        got = f", got {' and '.join(given.operands)}" if given.operands else ""
        raise UsageError(f"recbole_dsl settings takes one MODEL{got} (see --help)")
    options = {**given.options, "model": given.operands[0]}
    files, pairs = files_and_settings(given._replace(options=options))
    from recbole_dsl.config.run_config import Config
    from recbole_dsl.config.settings_table import settings_table

    config = Config(config_file_list=files, arguments=pairs)
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{config['model']} on {config['dataset']}; layers win over those above them\n")
    print(settings_text(settings_table(config)))
    return 0


COMMAND = Command(
    name="settings",
    summary="show every setting of a model: value, type, meaning, and the layer it comes from",
    usage=["MODEL [--dataset=NAME] [--config_files=FILES] [--KEY=VALUE ...]"],
    about="""
    Shows every setting that a run of MODEL would have: value, type, meaning, and the layer that the
    value comes from. The settings of a layer stand together, those of the layers that win last.
    MODEL is what recbole_dsl run takes as --model. Nothing is trained or written.
    """,
    options=[DATASET, CONFIG_FILES],
    settings=[ANY_SETTING],
    settings_about=LAYERS,
    examples=[
        "LightGCN_DSL",
        "MF_SL --config_files=mine.yaml --tau=0.1",
        "BPR --dataset=my-shop",
    ],
    operands=True,
    work=_work,
)

main = COMMAND.run
