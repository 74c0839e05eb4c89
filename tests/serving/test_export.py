"""Vectors, ids and an index as plain files."""

import json
import os
import sys

import numpy as np
import pytest
import served

from recbole_dsl import load_recommender
from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving import export as module
from recbole_dsl.serving.export import export
from recbole_dsl.serving.hnsw_index import HnswIndex
from recbole_dsl.serving.section import item_lists


@pytest.fixture
def checkpoint(tmp_path):
    return served.write(tmp_path / "a.pth", served.section(score="cosine"))


def test_other_programs_read_what_is_exported(checkpoint, tmp_path):
    folder, content = tmp_path / "out", served.section(score="cosine")
    meta = export(checkpoint, folder)
    assert json.loads((folder / "meta.json").read_text()) == meta
    assert meta == {
        **content.meta, "normalised": True, "users": 7, "items": 30, "dimensions": 4,
        "dtype": "float32", "index": None,
    }  # fmt: skip
    for kind, vectors, ids in (
        ("user", content.user_vectors, content.user_ids),
        ("item", content.item_vectors, content.item_ids),
    ):
        np.testing.assert_array_equal(np.load(folder / f"{kind}_vectors.npy"), vectors)
        text = (folder / f"{kind}_ids.txt").read_text("utf-8")
        assert text.endswith("\n") and text.splitlines() == ids.tolist()
    assert len(list(folder.iterdir())) == 5


def test_an_export_without_index_removes_an_older_one_and_keeps_other_files(checkpoint, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("items.hnsw", "mine.txt", "meta.json"):
        (folder / name).write_text("old")
    export(checkpoint, folder)
    assert not (folder / "items.hnsw").exists()
    assert (folder / "mine.txt").read_text() == "old"
    assert json.loads((folder / "meta.json").read_text())["index"] is None


def test_an_id_with_a_line_break_is_refused(tmp_path):
    content = served.section()
    content.item_ids[3] = "a\nb"
    path = served.write(tmp_path / "a.pth", content)
    with pytest.raises(UsageError, match=r"an id has a line break in it, and item_ids.txt has"):
        export(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_hnswlib_is_one_line_and_leaves_nothing(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    with pytest.raises(UsageError, match=r'hnswlib is not installed.*"recbole_dsl\[hnswlib\]"'):
        export(checkpoint, tmp_path / "out", index="hnswlib")
    assert not (tmp_path / "out").exists()


# With hnswlib ------------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path):
    """A model of 2,000 items, its checkpoint and its export with an index."""
    if not os.environ.get("RECBOLE_DSL_NEEDS_HNSWLIB"):
        pytest.importorskip("hnswlib")
    rng = np.random.default_rng(1)
    vectors = [rng.standard_normal((n, 8)).astype(np.float32) for n in (50, 2000)]
    content = served.section()._replace(
        user_ids=np.array([f"u{n}" for n in range(50)], object),
        item_ids=np.array([f"i{n}" for n in range(2000)], object),
        user_vectors=vectors[0],
        item_vectors=vectors[1],
        seen={
            "train": item_lists(rng.integers(0, 50, 3000), rng.integers(0, 2000, 3000), 50, 2000)
        },
    )
    path = served.write(tmp_path / "a.pth", content)
    return path, tmp_path / "out", export(path, tmp_path / "out", index="hnswlib")


@pytest.mark.slow
def test_an_index_answers_as_exact_search_does_nearly_always(large):
    path, folder, meta = large
    exact, indexed = load_recommender(path), load_recommender(path, index=folder)
    for exclude in ("seen", None):
        tables = [r.recommend(k=10, exclude=exclude) for r in (exact, indexed)]
        same = set(zip(*(tables[0][c] for c in ("user", "item")), strict=True)) & set(
            zip(*(tables[1][c] for c in ("user", "item")), strict=True)
        )
        assert len(tables[1]) == 500 and len(same) > 0.98 * 500
        merged = tables[0].merge(tables[1], on=["user", "item"])
        np.testing.assert_allclose(merged["score_x"], merged["score_y"], rtol=1e-5)
    table = indexed.recommend_for_items(["i3", "i4"], 5)
    assert len(table) == 5 and not {"i3", "i4"} & set(table["item"])
    assert len(indexed.recommend("u1", k=10**4, exclude=None)) == 2000
    with pytest.raises(UsageError, match="an index searches all items"):
        indexed.recommend("u1", items=["i3"])
    measured = meta["index"]["measured"]
    assert measured["k"] == 20 and measured["queries"] == 50 and 0.98 < measured["recall"] <= 1
    assert measured["queries_per_second"] > 0 and measured["exact_per_second"] > 0


@pytest.mark.slow
def test_the_measured_recall_is_the_share_of_the_best_that_is_found(large):
    content = load_recommender(large[0])
    index = HnswIndex.build(content.item_vectors, ef=1)
    few = index.measure(content.user_vectors, content.item_vectors, 10)
    index.ef = 2000
    all_of_them = index.measure(content.user_vectors, content.item_vectors, 10)
    assert few.recall < all_of_them.recall == pytest.approx(1, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "items.hnsw").unlink(), "has no index: .*items.hnsw: No such"),
        (lambda folder: (folder / "meta.json").unlink(), "has no index: .*meta.json: No such"),
        (lambda folder: (folder / "meta.json").write_text("{"), "meta.json is not what was"),
        (lambda folder: (folder / "meta.json").write_text("{}"), "meta.json is not what was"),
        (
            lambda folder: (folder / "meta.json").write_text('{"index": null}'),
            "has no index: recbole_dsl export --index=hnswlib writes one",
        ),
        (
            lambda folder: (folder / "items.hnsw").write_bytes(
                (folder / "items.hnsw").read_bytes()[:-1]
            ),
            "items.hnsw is not what was written",
        ),
    ],
)
def test_an_index_that_is_not_what_was_written_is_refused(large, change, message):
    path, folder, _ = large
    change(folder)
    with pytest.raises(UsageError, match=message) as error:
        load_recommender(path, index=folder)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_index_of_another_model_is_refused(large, checkpoint):
    with pytest.raises(UsageError, match="has the index of another checkpoint"):
        load_recommender(checkpoint, index=large[1])
    assert module.INDEXES == ("hnswlib",)
