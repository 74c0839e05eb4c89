"""Recommendations from a checkpoint alone."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import served

import recbole_dsl
from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving import top_k
from recbole_dsl.serving.fold_in import unit
from recbole_dsl.serving.recommender import Recommender


@pytest.fixture
def content():
    return served.section()


@pytest.fixture
def recommender(content):
    return Recommender(content)


def _by_loops(content, users, k, parts, allowed=None):
    """(user, rank, item, score) by plain loops over ids."""
    rows = []
    for user in users:
        u = content.user_ids.tolist().index(user)
        out = set()
        for part in parts:
            starts, items = content.seen[part]
            out |= set(items[starts[u] : starts[u + 1]].tolist())
        scores = {}
        for i, item in enumerate(content.item_ids):
            if i not in out and (allowed is None or item in allowed):
                pairs = zip(content.user_vectors[u], content.item_vectors[i], strict=True)
                scores[i] = sum(float(a) * float(b) for a, b in pairs)
        best = sorted(scores, key=lambda i: (-scores[i], i))[:k]
        rows += [(user, n + 1, content.item_ids[i], scores[i]) for n, i in enumerate(best)]
    return rows


def _rows(table):
    return [tuple(row) for row in table.itertuples(index=False)]


@pytest.mark.parametrize(
    ("exclude", "parts"),
    [
        ("seen", ["train", "valid", "test"]),
        ("train", ["train"]),
        (["train", "valid"], ["train", "valid"]),
        (None, []),
    ],
)
def test_it_equals_plain_loops(content, recommender, exclude, parts, monkeypatch):
    monkeypatch.setattr(top_k, "SCORES", 90)  # three users a block
    table = recommender.recommend(k=28, exclude=exclude)
    assert list(table.columns) == ["user", "rank", "item", "score"]
    assert _rows(table) == _by_loops(content, content.user_ids, 28, parts)
    some = recommender.recommend(["u3", "u1", "u3"], 4, exclude=exclude)
    assert _rows(some) == _by_loops(content, ["u3", "u1", "u3"], 4, parts)
    assert [len(block) for block in recommender.recommend_blocks(k=1)] == [3, 3, 1]


def test_items_and_filter_leave_some_items(content, recommender):
    allowed = ["é 3", "é 20", "é 7", "é 8"]
    table = recommender.recommend(k=3, items=allowed)
    parts = ["train", "valid", "test"]
    assert _rows(table) == _by_loops(content, content.user_ids, 3, parts, allowed)
    for chosen in (np.isin(content.item_ids, allowed), lambda ids: np.isin(ids, allowed)):
        pd.testing.assert_frame_equal(recommender.recommend(k=3, filter=chosen), table)
    both = recommender.recommend(k=3, items=allowed, filter=lambda ids: ids == "é 7", exclude=None)
    assert set(both["item"]) == {"é 7"} and len(both) == 7
    assert len(recommender.recommend(k=3, items=[])) == 0


def test_integers_stand_for_their_digits(content):
    ids = np.array([str(n) for n in range(7)], object)
    recommender = Recommender(content._replace(user_ids=ids))
    expected = recommender.recommend("3")
    for users in (3, np.int64(3), [3], np.array([3]), pd.Series([3]), pd.Series(["3"])):
        pd.testing.assert_frame_equal(recommender.recommend(users), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.recommend("u11"), "the model knows no user 'u11'; did you mean u1?"),
        (
            lambda r: r.recommend(["x", "u1", "y", "z", "w"]),
            "the model does not know 4 of 5 users: 'x', 'y', 'z', ...",
        ),
        (lambda r: r.recommend([1.0]), "user ids must be texts or integers, got 1.0, a float"),
        (lambda r: r.recommend([True]), "user ids must be texts or integers, got True, a bool"),
        (lambda r: r.recommend(2.5), "user ids must be texts or integers, got 2.5"),
        (lambda r: r.recommend(k=0), "k must be an integer >= 1, got 0"),
        (lambda r: r.recommend(k=True), "k must be an integer >= 1, got True"),
        (lambda r: r.recommend(k=2.0), "k must be an integer >= 1, got 2.0"),
        (
            lambda r: r.recommend(exclude="trian"),
            "exclude must be None or among seen, train, valid, test, got 'trian'; did you mean "
            "train?",
        ),
        (
            lambda r: r.recommend(exclude="seen,train"),
            "exclude: seen is all parts and stands alone, got seen, train",
        ),
        (lambda r: r.recommend(unknown="skip"), "unknown must be one of error, warn, got 'skip'"),
        (lambda r: r.recommend(items="é"), "the model knows no item 'é'"),
        (
            lambda r: r.recommend(filter=[True]),
            "filter must give a boolean for each of the 30 items, got bool of shape (1,)",
        ),
        (
            lambda r: r.recommend(filter=lambda ids: np.zeros(30)),
            "filter must give a boolean for each of the 30 items, got float64 of shape (30,)",
        ),
        (lambda r: r.recommend_for_items([]), "a new user needs at least one item, got none"),
        (lambda r: r.recommend_for_items("é"), "the model knows no item 'é'"),
        (
            lambda r: r.recommend_for_items("é 3", method="sofmax"),
            "method must be one of softmax, mean, got 'sofmax'; did you mean softmax?",
        ),
        (lambda r: r.similar_items("é 3", 0), "k must be an integer >= 1, got 0"),
        (
            lambda r: r.score(["u1", "u2"], ["é 1", "é 2", "é 3"]),
            "score needs as many users as items, got 2 and 3",
        ),
    ],
)
def test_a_mistake_is_one_line(recommender, call, message):
    with pytest.raises(UsageError) as error:
        call(recommender)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_mistakes_are_told_before_the_first_block(recommender):
    with pytest.raises(UsageError):
        recommender.recommend_blocks("nobody")


def test_unknown_users_are_left_out_with_a_warning_where_asked(recommender):
    with pytest.warns(UserWarning, match=r"does not know 1 of 2 users: 'x'.*: left out"):
        table = recommender.recommend(["x", "u1"], 2, unknown="warn")
    assert set(table["user"]) == {"u1"}
    with pytest.warns(UserWarning, match="knows no user 'x'"):
        assert len(recommender.recommend("x", unknown="warn")) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recommender.recommend("u1", unknown="warn")


@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_similar_items_are_those_of_largest_cosine(content, score):
    if score == "cosine":
        content = content._replace(item_vectors=unit(content.item_vectors))
    recommender = Recommender(content._replace(meta={**content.meta, "score": score}))
    table = recommender.similar_items(["é 3", "é 0"], 29)
    assert list(table.columns) == ["item", "rank", "similar_item", "score"]
    vectors = content.item_vectors.astype(float)
    lengths = np.linalg.norm(vectors, axis=1)
    for item, rows in table.groupby("item"):
        own = int(item.split()[1])
        cosines = vectors @ vectors[own] / np.maximum(lengths * lengths[own], 1e-9)
        assert item not in set(rows["similar_item"]) and len(rows) == 29
        found = [int(text.split()[1]) for text in rows["similar_item"]]
        np.testing.assert_allclose(rows["score"], cosines[found], atol=1e-6)
        assert (np.diff(cosines[found]) < 1e-6).all()


def test_scores_of_pairs(content, recommender):
    table = recommender.score(["u1", "u2"], ["é 3", "é 4"])
    expected = [
        float(content.user_vectors[u] @ content.item_vectors[i]) for u, i in ((1, 3), (2, 4))
    ]
    assert _rows(table) == [("u1", "é 3", expected[0]), ("u2", "é 4", expected[1])]
    assert len(recommender.score("u1", content.item_ids)) == 30


def test_a_new_user_gets_no_item_that_was_named(content, recommender):
    table = recommender.recommend_for_items(["é 3", "é 4", "é 3"], 40, method="mean")
    assert list(table.columns) == ["rank", "item", "score"] and len(table) == 28
    assert not {"é 3", "é 4"} & set(table["item"])
    mean = content.item_vectors[[3, 4]].mean(axis=0)
    best = content.item_vectors @ mean
    best[[3, 4]] = -np.inf
    assert table["item"][0] == content.item_ids[best.argmax()]
    some = recommender.recommend_for_items("é 3", items_allowed=["é 9", "é 3"])
    assert set(some["item"]) == {"é 9"}


def test_it_says_what_it_is(recommender):
    assert repr(recommender) == (
        "Recommender(MF_SL on toy: 7 users, 30 items, 4 dimensions, score dot)"
    )


@pytest.mark.slow
def test_a_checkpoint_is_served_from_any_folder_without_recbole_and_torch(tmp_path):
    path = served.write(tmp_path / "a.pth", served.section())
    code = (
        "import sys, recbole_dsl\n"
        f"r = recbole_dsl.load_recommender({str(path)!r})\n"
        "print(len(r.recommend(k=2)), len(r.recommend_for_items('é 1', 2)))\n"
        "from recbole_dsl.__main__ import main\n"
        f"assert main(['recommend', {str(path)!r}, '--output=out.csv', '--k=1']) == 0\n"
        "assert not {'recbole', 'torch'} & set(sys.modules)"
    )
    (tmp_path / "other").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "other", check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.stdout == "14 2\nMF_SL on toy: 7 rows\nwrote out.csv\n"


def test_the_face_loads_it(tmp_path):
    path = served.write(tmp_path / "a.pth", served.section())
    assert len(recbole_dsl.load_recommender(path).items) == 30
    with pytest.raises(UsageError, match="no checkpoint .*none.pth"):
        recbole_dsl.load_recommender(tmp_path / "none.pth")
