"""The notebooks of examples/ run from the first cell to the last and have the outputs of a run."""

import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
from quick import ROOT

import recbole_dsl

NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"
# A cell for the test alone: what the notebook has found, as plain data.
_LAST = """
import json
from pathlib import Path

found = {
    "result": dict(result),
    "by_group": {
        name: by_group.loc[name].to_dict() for name in by_group.index.unique(level=0)
    },
    "recommended": recommender.recommend(["c196", "c186"], k=5).values.tolist(),
    "for_new": recommender.recommend_for_items(new, k=5).values.tolist(),
    "titles": titled(recommender.similar_items(["1"], k=5), "similar_item").values.tolist(),
    "dots": [list(dots.x), list(dots.y), list(dots.text)],
}
Path("found.json").write_text(json.dumps(found, default=float))
"""


def _stored():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def _code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _kinds(cell):
    """What a cell shows: each output's kinds, without the picture that is stored beside a plot."""
    return [sorted(set(output.get("data", ())) - {"image/png"}) for output in cell["outputs"]]


def test_the_stored_outputs_are_those_of_one_run_without_an_error():
    cells = _code(_stored())
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs and not [o for o in outputs if o["output_type"] == "error"]
    assert not [o for o in outputs if o.get("name") == "stderr"]


def test_each_plot_has_a_picture_for_readers_that_draw_none():
    plots = [
        output["data"]
        for cell in _code(_stored())
        for output in cell["outputs"]
        if "application/vnd.plotly.v1+json" in output.get("data", ())
    ]
    assert len(plots) == 3
    assert all(plot["image/png"].startswith("iVBORw0KGgo") for plot in plots)  # PNG's signature
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert "cdn.plot.ly" not in text and len(text) < 1_000_000  # Plotly's own code is not in it


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run in a folder of its own, the folder, and what it has found."""
    if not os.environ.get("RECBOLE_DSL_NEEDS_NOTEBOOK"):
        pytest.importorskip("nbclient")
        pytest.importorskip("ipykernel")
    import nbformat
    import notebooks

    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(_LAST))
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        done = notebooks.executed(notebook, folder)
    return done, folder, json.loads((folder / "found.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_its_cells_show_what_is_stored(executed):
    done, _, _ = executed
    now, stored = _code(done)[:-1], _code(_stored())
    assert [cell["source"] for cell in now] == ["".join(cell["source"]) for cell in stored]
    assert [_kinds(cell) for cell in now] == [_kinds(cell) for cell in stored]


@pytest.mark.slow
def test_it_goes_from_odd_columns_to_recommendations(executed):
    done, folder, found = executed
    assert "user = customer_id, item = sku, rating = stars, timestamp = purchased_at" in str(done)
    result = found["result"]
    assert result["dataset"] == "my-shop" and len(result["epochs"]) == 8
    assert result["test"]["ndcg@10"] > 0.25  # Pop: 0.1
    recommender = recbole_dsl.load_recommender(folder / result["checkpoint"])
    assert found["recommended"] == recommender.recommend(["c196", "c186"], k=5).values.tolist()
    ratings = pd.read_csv(folder / "ratings.csv", dtype=str)
    assert ratings.columns.tolist() == ["customer_id", "sku", "stars", "purchased_at"]
    seen = set(zip(ratings["customer_id"], ratings["sku"], strict=True))
    assert len(seen) == 100_000
    everyone = pd.read_csv(folder / "recommendations.csv", dtype={"user": str, "item": str})
    assert len(everyone) == 943 * 10 and everyone["user"].nunique() == 943
    assert not seen & set(zip(everyone["user"], everyone["item"], strict=True))
    assert everyone["score"].to_numpy() == pytest.approx(
        recommender.recommend(k=10)["score"].to_numpy(), abs=1e-6
    )


@pytest.mark.slow
def test_it_compares_groups_and_serves_a_new_user(executed):
    _, _, found = executed
    ours, popular = found["by_group"]["MF_DSL"], found["by_group"]["Pop"]
    measured = found["result"]["groups"]["item_popularity"]["metrics"]["test"]
    assert ours["recall@10"] == measured["recall@10"]
    assert ours["recall@10"]["mid"] > popular["recall@10"]["mid"]
    for exposure in (ours["exposure@10"], popular["exposure@10"]):
        assert sum(exposure.values()) == pytest.approx(1)
    rank, items, _ = zip(*found["for_new"], strict=True)
    assert list(rank) == [1, 2, 3, 4, 5] and not {"50", "181"} & set(items)
    assert [row[1] for row in found["titles"]] == [1, 2, 3, 4, 5]
    x, y, titles = found["dots"]
    assert len(set(titles)) >= 299 and np.std(x) > np.std(y) > 0  # the first axis has the most
