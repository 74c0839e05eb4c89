"""Metrics that RecBole lacks, as functions of arrays. Knows nothing of RecBole."""
