"""Vectors, ids and an index as plain files."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import served

from recbole_dsl import load_recommender
from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving.export import INDEXES, export
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
    for name in ("items.hnsw", "items.faiss", "mine.txt", "meta.json"):
        (folder / name).write_text("old")
    export(checkpoint, folder)
    assert not (folder / "items.hnsw").exists() and not (folder / "items.faiss").exists()
    assert (folder / "mine.txt").read_text() == "old"
    assert json.loads((folder / "meta.json").read_text())["index"] is None


def test_an_id_with_a_line_break_is_refused(tmp_path):
    content = served.section()
    content.item_ids[3] = "a\nb"
    path = served.write(tmp_path / "a.pth", content)
    with pytest.raises(UsageError, match=r"an id has a line break in it, and item_ids.txt has"):
        export(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "name"), [("hnswlib", r'"recbole_dsl\[hnswlib\]"'), ("faiss", "faiss-cpu")]
)
def test_a_missing_package_is_one_line_and_leaves_nothing(
    checkpoint, tmp_path, monkeypatch, kind, name
):
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(UsageError, match=f"{kind} is not installed: pip install {name}"):
        export(checkpoint, tmp_path / "out", index=kind)
    assert not (tmp_path / "out").exists()


# With an index -----------------------------------------------------------------------------------

FILES = {"hnswlib": "items.hnsw", "faiss": "items.faiss"}


def _described(**entries):
    """A change of what meta.json says of the index."""

    def change(meta, index):
        said = json.loads(meta.read_text())
        meta.write_text(json.dumps({**said, "index": {**said["index"], **entries}}))

    return change


def _needs(kind):
    if not os.environ.get(f"RECBOLE_DSL_NEEDS_{kind.upper()}"):
        pytest.importorskip(kind)


@pytest.fixture(params=FILES)
def large(tmp_path, request):
    """A model of 2,000 items, its checkpoint and its export with an index of each kind."""
    _needs(request.param)
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
    return path, tmp_path / "out", export(path, tmp_path / "out", index=request.param)


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
    kind, file = INDEXES[large[2]["index"]["kind"]]
    size = content.item_vectors.shape
    few, all_of_them = (
        kind.load(large[1] / file, size, ef).measure(content.user_vectors, content.item_vectors, 10)
        for ef in (1, 2000)
    )
    assert few.recall < all_of_them.recall == pytest.approx(1, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta, index: index.unlink(), "has no index: .*INDEX: No such"),
        (lambda meta, index: meta.unlink(), "has no index: .*meta.json: No such"),
        (lambda meta, index: meta.write_text("{"), "meta.json is not what was"),
        (lambda meta, index: meta.write_text("{}"), "meta.json is not what was"),
        (_described(kind="annoy"), "meta.json is not what was"),
        (_described(kind=["faiss"]), "meta.json is not what was"),
        (_described(ef="many"), "INDEX is not what was written"),
        (
            lambda meta, index: meta.write_text('{"index": null}'),
            "has no index: recbole_dsl export --index writes one",
        ),
        (
            lambda meta, index: index.write_bytes(index.read_bytes()[:-1]),
            "INDEX is not what was written",
        ),
    ],
)
def test_an_index_that_is_not_what_was_written_is_refused(large, change, message):
    path, folder, meta = large
    file = FILES[meta["index"]["kind"]]
    change(folder / "meta.json", folder / file)
    with pytest.raises(UsageError, match=message.replace("INDEX", file)) as error:
        load_recommender(path, index=folder)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_file_of_another_size_is_refused(large):
    kind, file = INDEXES[large[2]["index"]["kind"]]
    with pytest.raises(UsageError, match=f"{file} has .*2000"):
        kind.load(large[1] / file, (1999, 8), 10)


@pytest.mark.slow
def test_the_index_of_another_model_is_refused(large, checkpoint):
    with pytest.raises(UsageError, match="has the index of another checkpoint"):
        load_recommender(checkpoint, index=large[1])
    assert INDEXES.keys() == FILES.keys()


@pytest.mark.slow
def test_an_export_with_an_index_removes_that_of_another_kind(large):
    path, folder, meta = large
    kind = meta["index"]["kind"]
    other = next(name for name in FILES if name != kind)
    (folder / FILES[other]).write_text("old")
    export(path, folder, index=kind)
    assert (folder / FILES[kind]).exists() and not (folder / FILES[other]).exists()


@pytest.mark.slow
def test_threads_that_search_with_other_numbers_of_items_do_not_disturb_each_other(large):
    recommender = load_recommender(large[0], index=large[1])
    asked = [(f"u{n % 50}", k) for n, k in enumerate((3, 700, 20, 300) * 25)]
    expected = [recommender.recommend(user, k) for user, k in asked]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: recommender.recommend(*one), asked))
    assert all(a.equals(b) for a, b in zip(expected, found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_items_that_no_link_leads_to_are_told_of(kind):
    _needs(kind)
    rng = np.random.default_rng(0)  # inner products of lengths that differ: few items are near
    items = (rng.random((3000, 8)) * rng.exponential(1, (3000, 1)) ** 3).astype(np.float32)
    index = INDEXES[kind].of.build(items, 10)
    with pytest.raises(UsageError, match="the index does not find 3000 items; a recommender with"):
        index.top_k(items[:2], 3000, (np.zeros(0, int), np.zeros(0, int)))


_WITH_TORCH = """
import {0}, {1}
import numpy as np
import faiss, torch
vectors = np.random.default_rng(0).standard_normal((1_000, 16)).astype(np.float32)
flat = faiss.IndexFlatIP(16)
for _ in range(3):
    graph = faiss.IndexHNSWFlat(16, 16, faiss.METRIC_INNER_PRODUCT)
    graph.add(vectors)
    flat.reset()
    flat.add(vectors)
    exact = flat.search(vectors[:200], 10)[1]
    assert (graph.search(vectors[:200], 10)[1] == exact).mean() > 0.9
    scores = torch.from_numpy(vectors[:200]) @ torch.from_numpy(vectors).T
    assert (scores.topk(10).indices.numpy() == exact).mean() > 0.999
print(torch.get_num_threads(), faiss.omp_get_max_threads())
"""


@pytest.mark.slow
@pytest.mark.parametrize("order", [("torch", "faiss"), ("faiss", "torch")])
def test_faiss_and_torch_compute_in_one_process_each_with_its_threads(order):
    _needs("faiss")
    # Threads that wait without computing: on a busy machine building takes 30 times as long else.
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(
        [sys.executable, "-c", _WITH_TORCH.format(*order)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "2 2\n"), done.stderr
