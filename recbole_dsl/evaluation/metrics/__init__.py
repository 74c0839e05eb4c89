"""Metrics as functions of arrays. Knows nothing of RecBole."""
