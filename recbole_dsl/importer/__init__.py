"""Turns interaction files into RecBole's: ``python -m recbole_dsl.importer --help``."""

from recbole_dsl.importer.command import main
from recbole_dsl.importer.convert import import_interactions

__all__ = ["import_interactions", "main"]
