"""The Python blocks of README and pages, run in order, print what stands below them."""

import contextlib
import io
import math
import re
import shutil
from importlib import resources
from pathlib import Path

import documents
import pytest
from quick import ROOT

PAGES = [
    "README.md",
    "docs/guide/getting_started.md",
    "docs/guide/serving.md",
    "docs/guide/sequential.md",
]
WITHOUT_OUTPUT = ["docs/guide/own_data.md", "docs/guide/coming_from_recbole.md"]
_NUMBER = re.compile(r"-?\d+\.\d+")


@pytest.fixture
def ratings(own_folder):
    """ml-100k as a shop would have it, in the current folder."""
    source = resources.files("recbole") / "dataset_example/ml-100k/ml-100k.inter"
    rows = source.read_text().splitlines()[1:]
    lines = ["user_id,item_id,rating,timestamp", *(row.replace("\t", ",") for row in rows)]
    (own_folder / "ratings.csv").write_text("\n".join(lines) + "\n")


def _same(printed, wanted):
    """The same text, its broken numbers to a thousandth: other processors round otherwise."""
    parts = [_NUMBER.split(text.rstrip()) for text in (printed, wanted)]
    numbers = [[float(n) for n in _NUMBER.findall(text)] for text in (printed, wanted)]
    return parts[0] == parts[1] and all(
        math.isclose(a, b, rel_tol=2e-3, abs_tol=1e-3) for a, b in zip(*numbers, strict=True)
    )


def _run_all(path):
    """Run a page's Python blocks in one namespace; (block, what it printed) of each."""
    names = {"__name__": "of_a_page"}
    for block in documents.blocks(documents.of_page(ROOT / path)):
        if block.language != "python":
            continue
        if "saved/model.pth" in block.text:  # the page's name for what the block before has left
            newest = max(Path("saved").glob("*.pth"), key=lambda file: file.stat().st_mtime)
            shutil.copy(newest, "saved/model.pth")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(block.text, path, "exec"), names)
        yield block, said.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES)
def test_the_blocks_print_what_stands_below_them(path, ratings):
    compared = 0
    for block, printed in _run_all(path):
        if block.output is not None:
            assert _same(printed, block.output), f"{block.text}\nprints\n{printed}"
            compared += 1
    assert compared == {"README.md": 2}.get(path, compared) and compared


@pytest.mark.slow
@pytest.mark.parametrize("path", WITHOUT_OUTPUT)
def test_the_other_blocks_run(path, ratings):
    assert list(_run_all(path))


def test_every_page_with_python_is_run_here_or_is_the_recipes():
    for path in documents.WRITTEN:
        found = [block.language for block in documents.blocks(documents.of_page(path))]
        name = str(path.relative_to(ROOT))
        if "python" in found and name != "docs/guide/extending.md":  # tests/models run its files
            assert name in (*PAGES, *WITHOUT_OUTPUT)


def test_numbers_are_compared_and_words_too():
    assert _same("a 0.4012 b\n", "a 0.4013 b")
    assert not _same("a 0.41 b", "a 0.4 b") and not _same("a 0.4 c", "a 0.4 b")
    assert not _same("rank 2 0.4", "rank 1 0.4")
