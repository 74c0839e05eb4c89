"""A backbone and a loss of one's own as the guide shows them, and packages that bring more."""

import re

from quick import ROOT

from recbole_dsl.models import registry

FILES = ("hinge.py", "hinge.yaml", "tower.py", "tower.yaml")


def guide_files():
    """The files of the recipes in docs/guide/extending.md: name -> text."""
    text = (ROOT / "docs/guide/extending.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:python|yaml)\n# (\w+\.\w+)\n(.*?)```", text, flags=re.DOTALL)
    assert tuple(name for name, _ in blocks) == FILES
    return dict(blocks)


def write_guide_files(folder):
    """Put them into a folder."""
    for name, text in guide_files().items():
        (folder / name).write_text(text, encoding="utf-8")


def forget_registered():
    """Forget what was registered, and the classes of entry points."""
    for parts in registry._KINDS.values():
        parts._registered.clear()
        parts._loaded.clear()


def write_distribution(folder, name, groups):
    """What pip leaves of an installed package: its name, version and entry points.

    Args:
        groups: group -> {name: "module:Class"}.
    """
    home = folder / f"{name.replace('-', '_')}-0.1.dist-info"
    home.mkdir()
    (home / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{entry} = {value}" for entry, value in entries.items())]
    (home / "entry_points.txt").write_text("\n".join(lines) + "\n")
