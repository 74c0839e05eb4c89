"""Evaluation of trained models: metrics, groups, values by user, diagnostics."""
