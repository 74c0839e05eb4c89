"""Which models a setting belongs to."""

from pathlib import Path

import recbole

from recbole_dsl.settings import SEARCH, properties_dir, read_yaml

HOST_PROPERTIES = Path(recbole.__file__).parent / "properties"


def owners_of_settings():
    """Setting -> names of the models whose own property file has it."""
    found = {}
    own = properties_dir()
    for key in read_yaml(own / "pair.yaml"):
        found.setdefault(key, []).append("<Backbone>_<Loss>")
    for folder in (own / "backbone", own / "loss", own / "model", HOST_PROPERTIES / "model"):
        for path in sorted(folder.glob("*.yaml")):
            name = f"*_{path.stem}" if folder == own / "loss" else path.stem
            name = f"{path.stem}_*" if folder == own / "backbone" else name
            for key in read_yaml(path).keys() - {SEARCH}:
                found.setdefault(key, []).append(name)
    return found
