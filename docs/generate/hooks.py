"""What MkDocs runs as it builds: equations as MathML, and pages made from the source."""

import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

import cards
import rooms
import settings_page
from mathml import MathML

from recbole_dsl.models.registry import BACKBONES, LOSSES

_ROOT = Path(__file__).parents[2]


@event_priority(100)  # before mkdocstrings reads the extensions
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.markdown_extensions.append(MathML())  # type: ignore[arg-type]
    for section in config.nav or []:
        _fill(section)
    return config


def _fill(section: Any) -> None:
    """Put the cards in the place of the index pages' sections."""
    for title, content in section.items() if isinstance(section, dict) else ():
        for kind, table in (("losses", LOSSES), ("backbones", BACKBONES)):
            if content == [f"{kind}/index.md"]:
                section[title] = [
                    *content,
                    *({name: f"{kind}/{cards.file_name(name)}"} for name in table),
                ]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    made = {
        **cards.pages(),
        "reference/settings.md": settings_page.page(),
        "about/changelog.md": (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    }
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    return markdown.replace("<!-- rooms -->", rooms.svg())
