"""Negative sampling on the device. Knows no RecBole."""
