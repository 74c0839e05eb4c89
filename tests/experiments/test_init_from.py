"""Embeddings that start from a model trained before, or from vectors of anybody's."""

import logging
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from recbole_dsl import load, load_recommender
from recbole_dsl.cli import run as command
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data import pipeline
from recbole_dsl.experiments import init_from
from recbole_dsl.experiments.single_run import run
from recbole_dsl.models.build import build_model
from recbole_dsl.serving.export import export

PAIR = {
    "embedding_size": 8, "train_batch_size": 64, "epochs": 2, "state": "ERROR",
    "show_progress": False, "train_neg_sample_args": {"sample_num": 4},
}  # fmt: skip
# So small that no weight moves: what a run begins with is what it ends with.
STILL = {"epochs": 1, "learning_rate": 1e-30}


def _pairs(users, items):
    return [(f"u{u}", f"i{i}") for u in users for i in items if (u * 7 + i * 3) % 5 < 2]


@pytest.fixture
def old(make_dataset):
    """Users 0 to 29 and items 0 to 24; the newer data have some others."""
    make_dataset("new", _pairs(range(35, 5, -1), range(28, 2, -1)))
    return make_dataset("old", _pairs(range(30), range(25)))


def _trained(model, **settings):
    return run(model, "old", config_dict={**PAIR, **settings})["checkpoint"]


def _started(model, path, data="new", **settings):
    """A new model on the newer data, before and after it takes a start; ids -> row of the table."""
    given = {**PAIR, "init_from": str(path), **settings}
    config = Config(model, data, config_dict=given)
    parts = pipeline.split_dataset(config, pipeline.load_dataset(config))
    made = build_model(config, parts.train._dataset)
    before = {name: weights.clone() for name, weights in made.state_dict().items()}
    said = init_from.apply(init_from.read(config), made, parts)
    return made, before, parts.train._dataset, said


def _rows(dataset, known, kind):
    """The rows of a table whose ids are known, their places among the known; and the other rows."""
    field = dataset.uid_field if kind == "user" else dataset.iid_field
    tokens = dataset.field2id_token[field].tolist()
    places = {text: place for place, text in enumerate(known.tolist())}
    rows = [row for row, text in enumerate(tokens) if text in places]
    others = [row for row in range(len(tokens)) if row not in rows]
    return rows, [places[tokens[row]] for row in rows], others


def _name(model, kind):
    """The name of a model's table of users, or of items."""
    table = getattr(model.backbone, f"{kind}_embedding").weight
    return next(name for name, weights in model.named_parameters() if weights is table)


@pytest.mark.parametrize("model", ["MF_SL", "LightGCN_DSL", "SGL_SL"])
def test_known_users_and_items_start_as_the_same_backbone_learned_them(model, old):
    path = _trained(model)
    made, before, dataset, said = _started(model, path)
    older, learned = load_recommender(path), load(path).model.state_dict()
    for kind, ids in (("user", older.users), ("item", older.items)):
        name = _name(made, kind)
        rows, places, others = _rows(dataset, ids, kind)
        assert 3 < len(rows) < len(made.state_dict()[name]) - 1
        assert said[f"{kind}s"] == len(rows)
        expected = learned[name][torch.tensor(places) + 1]
        assert torch.equal(made.state_dict()[name][rows], expected)
        assert torch.equal(made.state_dict()[name][others], before[name][others])
    assert said["path"] == path and said["of"].startswith(f"{model} on old, epoch ")


def test_another_backbone_gives_directions_and_the_length_of_the_random_start_stays(old):
    path = _trained("LightGCN_SL")
    made, before, dataset, _ = _started("MF_SL", path)
    older = load_recommender(path)
    for kind, ids, vectors in (
        ("user", older.users, older.user_vectors),
        ("item", older.items, older.item_vectors),
    ):
        name = f"backbone.{kind}_embedding.weight"
        rows, places, others = _rows(dataset, ids, kind)
        found, first = made.state_dict()[name], before[name]
        ratio = found[rows].numpy() / vectors[places]
        np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-4)
        torch.testing.assert_close(found[rows].square().sum(), first[rows].square().sum())
        assert torch.equal(found[others], first[others])


def test_layers_of_the_same_backbone_are_taken_too(old):
    path = _trained("NGCF_SL")
    made, before, _, _ = _started("NGCF_SL", path)
    learned = load(path).model.state_dict()
    layers = [
        name for name, _ in made.named_parameters()
        if name.startswith("backbone.") and "_embedding." not in name
    ]  # fmt: skip
    assert layers
    for name in layers:
        assert torch.equal(made.state_dict()[name], learned[name])
    assert any(not torch.equal(before[name], learned[name]) for name in layers)
    with pytest.raises(
        UsageError, match=r"init_from: .*pth: the weights backbone\..* are .*, those"
    ):
        _started("NGCF_SL", path, hidden_size_list=[8])


def test_a_folder_that_export_has_written_is_a_start(old):
    path = _trained("MF_SL")
    export(path, "exported")
    made, before, _, said = _started("LightGCN_DSL", "exported")
    assert (said["path"], said["of"]) == ("exported", "vectors")
    other, _, _, _ = _started("LightGCN_DSL", path)
    for name in ("backbone.user_embedding.weight", "backbone.item_embedding.weight"):
        torch.testing.assert_close(made.state_dict()[name], other.state_dict()[name])
        assert not torch.equal(made.state_dict()[name], before[name])


def _write(vectors, ids, kind="item", folder="given"):
    Path(folder).mkdir(exist_ok=True)
    np.save(Path(folder) / f"{kind}_vectors.npy", vectors)
    (Path(folder) / f"{kind}_ids.txt").write_bytes("".join(f"{x}\r\n" for x in ids).encode())
    return folder


def test_vectors_of_items_alone_and_zeros_that_say_nothing(old):
    vectors = np.arange(24, dtype=np.float64).reshape(3, 8)
    vectors[1] = 0
    made, before, dataset, said = _started("MF_SL", _write(vectors, ["i9", "i8", "i10"]))
    assert (said["users"], said["items"]) == (0, 3)
    name = "backbone.item_embedding.weight"
    nine, eight, ten = dataset.token2id(dataset.iid_field, ["i9", "i8", "i10"])
    found, first = made.state_dict()[name], before[name]
    assert torch.equal(found[eight], first[eight])
    # One factor for all vectors: lengths keep their ratio.
    of_given = torch.from_numpy(vectors[2]).norm() / torch.from_numpy(vectors[0]).norm()
    torch.testing.assert_close(found[ten].norm() / found[nine].norm(), of_given.float())
    torch.testing.assert_close(found[[nine, ten]].square().sum(), first[[nine, ten]].square().sum())
    users = "backbone.user_embedding.weight"
    assert torch.equal(made.state_dict()[users], before[users])


NUMBERS = np.ones((2, 8), np.float32)
BAD_FOLDERS = {
    "no such file": (lambda: "none", r"none: no such file or folder"),
    "empty folder": (lambda: os.makedirs("given") or "given", r"given has neither user_vectors"),
    "a row too few": (lambda: _write(NUMBERS[:1], ["i9", "i8"]), r"has 1 rows, and .* 2 lines"),
    "twice": (lambda: _write(NUMBERS, ["i9", "i9"]), r"item_ids.txt has 'i9' twice"),
    "nan": (lambda: _write(NUMBERS * np.nan, ["i9", "i8"]), r"values that are not finite"),
    "too large": (
        lambda: _write(NUMBERS * np.float64(1e300), ["i9", "i8"]),
        r"not finite numbers in float32",
    ),
    "one dimension": (lambda: _write(NUMBERS[0], ["i9"]), r"must hold numbers of shape \(N, D\)"),
    "texts": (lambda: _write(np.array([["a"]]), ["i9"]), r"must hold numbers of shape \(N, D\)"),
    "pickles": (
        lambda: _write(np.array([[None]], dtype=object), ["i9"]), r"is no array that numpy.save",
    ),
    "size": (
        lambda: _write(NUMBERS[:, :4], ["i9", "i8"]),
        r"vectors of 4 dimensions, and embedding_size is 8: set embedding_size to 4",
    ),
    "no ids": (
        lambda: os.remove(Path(_write(NUMBERS, ["i9", "i8"])) / "item_ids.txt") or "given",
        r"given/item_ids.txt: No such file",
    ),
    "no checkpoint": (lambda: Path("x.pth").write_text("x") and "x.pth", r"init_from: x.pth "),
}  # fmt: skip


@pytest.mark.parametrize("make", BAD_FOLDERS)
def test_what_is_no_start_is_said_before_data_are_read(make, old, own_folder, capsys):
    path, message = BAD_FOLDERS[make][0](), BAD_FOLDERS[make][1]
    before = sorted(own_folder.rglob("*"))
    words = [f"--{key}={value}" for key, value in PAIR.items()]
    assert command.main(["--model=MF_SL", "--dataset=old", f"--init_from={path}", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: init_from: ") and err.count("\n") == 1
    assert re.search(message, err)
    assert sorted(own_folder.rglob("*")) == before


def test_ids_of_other_data_are_no_start(old):
    with pytest.raises(UsageError, match="given knows no user and no item of new"):
        _started("MF_SL", _write(NUMBERS, ["a", "b"]))


def test_a_backbone_that_does_not_name_its_size_is_checked_by_its_tables(old):
    made, _, _, _ = _started("MF_SL", _write(NUMBERS, ["i9", "i8"]))
    config = Config("MF_SL", "new", config_dict=PAIR)
    parts = pipeline.split_dataset(config, pipeline.load_dataset(config))
    known = {"item": init_from.Vectors(pd.Index(["i9"]), torch.ones(1, 4))}
    with pytest.raises(UsageError, match="vectors of 4 dimensions, and embedding_size is 8"):
        init_from.apply(init_from.Start("given", "vectors", (None,), known), made, parts)


def test_models_without_tables_of_users_and_items_refuse_it(old):
    for model in ("BPR", "SASRec_SL"):
        with pytest.raises(UsageError, match="init_from"):
            Config(model, "new", config_dict={"init_from": "x"})


def test_a_run_begins_where_the_older_one_ended_and_says_what_it_knows(old, caplog):
    first = run("MF_SL", "old", config_dict={**PAIR, "epochs": 5})
    path = first["checkpoint"]
    with caplog.at_level(logging.WARNING):
        second = run("MF_SL", "old", config_dict={**PAIR, **STILL, "init_from": path})
    assert second["valid"] == first["valid"] and second["test"] == first["test"]
    assert second["init_from"]["users"] == 30 and "init_from" not in first
    assert "was trained on" not in caplog.text
    shutil.move(path, "moved.pth")
    assert load(second["checkpoint"]).config["init_from"] is None


def test_rows_that_the_older_model_was_trained_on_are_counted(old, caplog):
    path = _trained("MF_SL", eval_args={"split": {"RS": [1.0, 0.0, 0.0]}})
    _, _, dataset, _ = _started("MF_SL", path)
    config = Config("MF_SL", "new", config_dict=PAIR)
    parts = pipeline.split_dataset(config, pipeline.load_dataset(config))
    known = set(_pairs(range(30), range(25)))
    for name in ("valid", "test"):
        rows = parts.loaders[name]._dataset.inter_feat
        users = dataset.id2token(dataset.uid_field, rows[dataset.uid_field].numpy())
        items = dataset.id2token(dataset.iid_field, rows[dataset.iid_field].numpy())
        count = sum(pair in known for pair in zip(users, items, strict=True))
        assert 0 < count < len(rows)
        assert f"{count:,} of the {len(rows):,} rows of {name}" in caplog.text
    assert caplog.text.count("was trained on") == 1 and "rows of train" not in caplog.text


class _Stop(Exception):
    pass


def test_a_run_that_goes_on_does_not_need_the_start(old):
    path = _trained("MF_SL")
    settings = {**PAIR, "epochs": 4, "checkpoint_every": 1, "init_from": path}
    whole = run("MF_SL", "new", config_dict=settings)

    def stop(epoch, _):
        if epoch == 1:
            raise _Stop

    with pytest.raises(_Stop):
        run("MF_SL", "new", config_dict=settings, after_validation=stop)
    os.remove(path)
    again = run("MF_SL", "new", config_dict=settings, resume=True)
    assert again["resumed_after"] and again["test"] == whole["test"]


@pytest.mark.slow
def test_two_processes_start_alike(old):
    path = _trained("MF_SL")
    alone = run("MF_SL", "new", config_dict={**PAIR, **STILL, "init_from": path})
    both = run("MF_SL", "new", config_dict={**PAIR, **STILL, "init_from": path, "nproc": 2})
    assert both["init_from"] == alone["init_from"] and both["valid"] == alone["valid"]
