"""The settings of a run: layers, checks, and the object that RecBole's classes read."""
