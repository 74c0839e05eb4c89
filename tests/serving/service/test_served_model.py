"""The model of a service, and its replacement."""

import logging
import os
import queue
import threading

import numpy as np
import pytest
import served

from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving.service import served_model as module
from recbole_dsl.serving.service.served_model import ServedModel


def _write(path, items):
    """A checkpoint of so many items, put there as a whole."""
    new = path.with_name("new.pth")
    served.write(new, served.section(items=items))
    os.replace(new, path)


@pytest.fixture
def path(tmp_path):
    _write(tmp_path / "a.pth", 30)
    return tmp_path / "a.pth"


def test_it_is_loaded_with_its_tables_and_the_digest_of_its_file(path):
    loaded = ServedModel(path).current
    assert loaded.version == path.read_bytes()[-64:-48].decode()
    assert loaded.time.endswith("+00:00") and len(loaded.recommender.items) == 30
    ranking = loaded.recommender.ranking
    assert all("_places" in vars(ids) for ids in (ranking.user_ids, ranking.item_ids))


def test_a_reload_replaces_the_model_and_leaves_the_old_one_to_those_who_hold_it(path, caplog):
    model = ServedModel(path)
    old = model.current
    before = old.recommender.recommend(k=3)
    _write(path, 20)
    assert model.reload() and model.error is None
    assert len(model.current.recommender.items) == 20 and model.current.version != old.version
    assert old.recommender.recommend(k=3).equals(before)
    assert caplog.messages == [
        f"reloaded {path}: Recommender(MF_SL on toy: 7 users, 20 items, 4 dimensions, score dot), "
        f"checkpoint {model.current.version}"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "no checkpoint "),
        (lambda path: path.write_bytes(b"x"), "is not a checkpoint of recbole_dsl"),
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), "is not a checkpoint"),
    ],
)
def test_a_file_of_no_use_changes_nothing_and_is_told(path, change, said, caplog):
    model = ServedModel(path)
    old, whole = model.current, path.read_bytes()
    change(path)
    assert not model.reload()
    assert model.current is old and said in model.error and "\n" not in model.error
    (record,) = caplog.records
    assert record.levelno == logging.ERROR and said in record.getMessage()
    assert f"the model loaded {old.time} goes on" in record.getMessage()
    assert not record.exc_info
    path.write_bytes(whole)
    assert model.reload() and model.error is None


def test_an_error_that_nobody_has_foreseen_changes_nothing_and_leaves_its_traceback(
    path, monkeypatch, caplog
):
    model = ServedModel(path)
    old = model.current

    def load(*_, **__):
        raise MemoryError

    monkeypatch.setattr(module, "load_recommender", load)
    assert not model.reload()
    assert model.current is old and model.error.endswith(": MemoryError")
    assert caplog.records[0].exc_info


def test_what_is_of_no_use_at_the_start_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint"):
        ServedModel(tmp_path / "none.pth")


def test_what_is_asked_while_it_reloads_is_one_reload_more(path, monkeypatch):
    model = ServedModel(path)
    begun, go_on, calls, done = threading.Event(), threading.Event(), [], threading.Event()

    def reload():
        calls.append(1)
        begun.set()
        assert go_on.wait(10)
        if len(calls) == 2:
            done.set()

    monkeypatch.setattr(model, "reload", reload)
    asked = queue.SimpleQueue()
    model.follow(asked)
    asked.put(None)
    assert begun.wait(10)
    for _ in range(5):
        asked.put(None)
    go_on.set()
    assert done.wait(10)
    begun.clear()
    assert not begun.wait(0.02) and len(calls) == 2


def test_an_index_is_reloaded_too_and_must_be_of_the_checkpoint(path, tmp_path, monkeypatch):
    seen = []

    def load_index(folder, items):
        seen.append((folder, len(items)))
        if len(items) == 20:
            raise UsageError("has the index of another checkpoint")

    monkeypatch.setattr("recbole_dsl.serving.recommender.load_index", load_index)
    model = ServedModel(path, tmp_path)
    _write(path, 20)
    assert not model.reload() and "has the index of another checkpoint" in model.error
    assert seen == [(tmp_path, 30), (tmp_path, 20)]
    assert np.array_equal(model.current.recommender.items, served.section().item_ids)
