"""Turns interaction files into RecBole's: ``recbole_dsl import --help``. Knows no RecBole."""

from recbole_dsl.data.importer.convert import import_interactions

__all__ = ["import_interactions"]
