"""Atomic files to a RecBole dataset at the speed of the file: read, filter, split, cache."""
