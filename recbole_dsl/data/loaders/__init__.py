"""Loaders of training positives and of validation and test users."""
