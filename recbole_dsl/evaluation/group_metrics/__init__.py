"""Metrics by group of items or users, as RecBole metrics and in the result of a run."""
