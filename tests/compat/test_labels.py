"""Rows labelled 0: counted, said, and left out as if the files did not have them."""

import pytest
import torch

from recbole_dsl.common.errors import UsageError
from recbole_dsl.compat.data_notes import data_notes
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.models.build import build_model

IDS = "user_id:token\titem_id:token"
BASE = {"state": "WARNING", "device": "cpu", "load_col": None}
LABELED = {
    "train_neg_sample_args": None,
    "eval_args": {"mode": "labeled"},
    "metrics": ["AUC"],
    "valid_metric": "AUC",
}
SAID = "rows are labelled 0"


def _rows(n=60):
    return [(f"u{k % 6}", f"i{(k * 7) % 11}", 1 + k % 5) for k in range(n)]


def _write(folder, name, rows, head="label:float", value=lambda rating: int(rating >= 4)):
    home = folder / "dataset" / name
    home.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{user}\t{item}\t{value(rating)}\n" for user, item, rating in rows)
    (home / f"{name}.inter").write_text(f"{IDS}\t{head}\n{text}", encoding="utf-8")


def _load(model="MF_SL", name="shop", **settings):
    config = Config(model, name, config_dict={**BASE, **settings})
    return config, load_dataset(config)


IDS_ONLY = {"load_col": {"inter": ["user_id", "item_id"]}}


@pytest.mark.parametrize("kind", ["float", "token"])
@pytest.mark.parametrize("model", ["MF_SL", "BPR", "EASE", "ItemKNN", "NeuMF", "SASRec"])
@pytest.mark.parametrize("changes", [{}, IDS_ONLY], ids=["loaded", "not loaded"])
def test_models_that_take_every_row_for_a_positive_say_so(model, changes, kind, own_folder, caplog):
    _write(
        own_folder, "shop", _rows(), f"label:{kind}\ttimestamp:float", lambda r: f"{r >= 4:d}\t{r}"
    )
    if model == "SASRec":
        changes = {**changes, "train_neg_sample_args": None, "eval_args": {"order": "TO"}}
        if "load_col" in changes:
            changes["load_col"] = {"inter": ["user_id", "item_id", "timestamp"]}
    _, dataset = _load(model, **changes)
    found = data_notes(dataset)["labels"]
    assert found == {"field": "label", "rows": 60, "zeros": 36}
    assert f"36 of 60 {SAID} (label), and {model} takes every row for a positive" in caplog.text
    assert "drop_zero_labels: True leaves them out" in caplog.text


def test_models_that_learn_from_labels_say_nothing(own_folder, caplog):
    _write(own_folder, "shop", _rows())
    _load("FM", **LABELED)
    assert SAID not in caplog.text


def test_labels_of_other_kinds_are_no_labels(own_folder, caplog):
    _write(own_folder, "shop", _rows(), "label:token", lambda rating: f"group{rating}")
    _, dataset = _load(**IDS_ONLY)
    assert data_notes(dataset)["labels"] is None and SAID not in caplog.text


CASES = {
    "a label": ("label:float", lambda rating: int(rating >= 4), {}),
    "a label not loaded": ("label:float", lambda rating: int(rating >= 4), IDS_ONLY),
    "a threshold": ("rating:float", lambda rating: rating, {"threshold": {"rating": 4}}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("model", ["MF_SL", "BPR", "CKE"])
def test_dropping_is_as_if_the_files_did_not_have_the_rows(case, model, own_folder, caplog):
    head, value, changes = CASES[case]
    if model == "CKE":
        for name in ("shop", "liked"):
            home = own_folder / "dataset" / name
            home.mkdir(parents=True)
            links = "".join(f"i{k}\te{k}\n" for k in range(11))
            graph = "".join(f"e{k}\tr\te{(k + 1) % 11}\n" for k in range(11))
            (home / f"{name}.link").write_text("item_id:token\tentity_id:token\n" + links)
            (home / f"{name}.kg").write_text(
                "head_id:token\trelation_id:token\ttail_id:token\n" + graph
            )
        fields = {"kg": ["head_id", "relation_id", "tail_id"], "link": ["item_id", "entity_id"]}
        inter = ["user_id", "item_id"] + [head.split(":")[0]] * (changes is not IDS_ONLY)
        changes = {**changes, "load_col": {"inter": inter, **fields}}
    rows = _rows()
    _write(own_folder, "shop", rows, head, value)
    _write(own_folder, "liked", [row for row in rows if row[2] >= 4], head, value)
    settings = {**changes, "user_inter_num_interval": "[3,inf)"}
    config, ours = _load(model, **settings, drop_zero_labels=True)
    _, alone = _load(model, "liked", **settings)
    notes = data_notes(ours)
    assert notes["removed"][f"labelled 0: {notes['labels']['field']}"] == 36
    assert ours.field2id_token["item_id"].tolist() == alone.field2id_token["item_id"].tolist()
    assert ours.inter_feat.equals(alone.inter_feat)
    assert SAID not in caplog.text
    assert split_dataset(config, ours).card["data"]["labels"]["zeros"] == 36


def test_ready_parts_lose_their_zeros_each(own_folder):
    for part in ("train", "test"):
        _write(own_folder, "shop", _rows(60 if part == "train" else 20))
        home = own_folder / "dataset" / "shop"
        (home / "shop.inter").rename(home / f"shop.{part}.inter")
    settings = {"benchmark_filename": ["train", "test"], "benchmark_valid": 0}
    for changes in ({}, IDS_ONLY):
        config, dataset = _load(**{**settings, **changes}, drop_zero_labels=True)
        sizes = split_dataset(config, dataset).summary
        assert [sizes[part]["rows"] for part in ("train", "test")] == [24, 8]


def test_the_cache_knows_whether_zeros_are_dropped(own_folder):
    _write(own_folder, "shop", _rows())
    sizes = [
        len(_load(dataset_cache=True, drop_zero_labels=word)[1]) for word in (True, False, True)
    ]
    assert sizes == [24, 60, 24]


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ({"rating": 6}, "leaves no positive among 60 rows: the largest rating is 5"),
        ({"rating": float("nan")}, "leaves no positive"),
        ({"user_id": 3}, "threshold: user_id:token is no column of numbers"),
        ({"price": 3}, r"Field \[price\] not in inter_feat"),
        ({"rating": "four"}, "threshold must be a field and a number, such as rating: 4, got"),
        ({"rating": 3, "other": 4}, "threshold must be a field and a number"),
    ],
)
def test_thresholds_that_cannot_be_had_get_one_line(threshold, message, own_folder):
    _write(own_folder, "shop", _rows(), "rating:float", lambda rating: rating)
    config = Config("MF_SL", "shop", config_dict=BASE)
    config["threshold"] = threshold
    with pytest.raises(UsageError, match=message) as caught:
        load_dataset(config)
    assert "\n" not in str(caught.value)


def test_a_threshold_labels_as_recbole_does(own_folder):
    _write(own_folder, "shop", _rows(), "rating:float", lambda rating: rating)
    _, dataset = _load("FM", threshold={"rating": 4}, **LABELED)
    labels = torch.tensor(dataset.inter_feat["label"].tolist())
    assert labels.tolist() == [int(rating >= 4) for _, _, rating in _rows()]


def test_where_every_row_is_dropped_nothing_is_left(own_folder):
    _write(own_folder, "shop", _rows(), value=lambda rating: 0)
    with pytest.raises(UsageError, match="Some feat is empty"):
        _load(drop_zero_labels=True)


@pytest.mark.parametrize("setting", ["save_dataset", "save_dataloaders"])
def test_what_is_saved_with_zeros_is_not_taken_without(setting, own_folder):
    _write(own_folder, "shop", _rows())
    rows = []
    for word in (False, True, False):
        config, dataset = _load(drop_zero_labels=word, **{setting: True})
        rows.append(sum(size["rows"] for size in split_dataset(config, dataset).summary.values()))
    assert rows == [60, 24, 60]


@pytest.mark.parametrize(
    ("head", "value", "message"),
    [
        ("label:float", lambda rating: rating, "needs labels that are 0 or 1, and one is 5"),
        ("label:float", lambda rating: rating / 5, "that are 0 or 1, and one is 0.8"),
        ("label:float", lambda rating: "" if rating == 3 else 1, "and 12 rows have no label"),
        ("label:float", lambda rating: "inf" if rating == 3 else 1, "0 or 1, and one is inf"),
        ("label:token", lambda rating: rating % 2, "label:token must be label:float"),
        ("rating:float", lambda rating: rating, "mode labeled needs labels: the column 'label'"),
        ("label:float", lambda rating: 1, "AUC compares .*, and valid has none of the latter"),
        ("label:float", lambda rating: 0, "AUC compares .*, and valid has none of the former"),
    ],
)
def test_what_reads_labels_gets_zeros_and_ones_or_one_line(head, value, message, own_folder):
    rows = [(user, item, 6 - rating) for user, item, rating in _rows()]
    _write(own_folder, "shop", rows, head, value)
    with pytest.raises(UsageError, match=message) as caught:
        split_dataset(*_load("FM", **LABELED))
    assert "\n" not in str(caught.value)


def test_what_threshold_labels_is_there_in_every_row(own_folder):
    """RecBole fills the mean first, and labels that."""
    _write(
        own_folder, "shop", _rows(), "rating:float", lambda rating: "" if rating == 2 else rating
    )
    with pytest.raises(UsageError, match="labels that are 0 or 1, and 12 rows have no rating"):
        _load("FM", threshold={"rating": 3}, **LABELED)
    assert len(_load(threshold={"rating": 3}, drop_zero_labels=True)[1]) == 36


def test_labels_of_one_kind_are_enough_for_the_log_loss(own_folder):
    _write(own_folder, "shop", _rows(), value=lambda rating: 1)
    split_dataset(*_load("FM", **{**LABELED, "metrics": ["LogLoss"], "valid_metric": "LogLoss"}))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["NeuMF", "DMF", "NAIS", "NNCF", "FISM"])
@pytest.mark.parametrize("kind", ["none", "words", "labels"])
def test_a_pointwise_model_that_draws_no_negatives_needs_labels(model, kind, own_folder):
    head, value = {
        "none": ("rating:float", lambda rating: rating),
        "words": ("label:float", lambda rating: rating),
        "labels": ("label:float", lambda rating: int(rating >= 4)),
    }[kind]
    _write(own_folder, "shop", _rows(), head, value)
    config, dataset = _load(model, train_neg_sample_args=None)
    train = split_dataset(config, dataset).train._dataset
    if kind == "labels":
        assert build_model(config, train) is not None
        return
    wrong = "needs labels: the column 'label'" if kind == "none" else "needs labels that are 0 or 1"
    with pytest.raises(UsageError, match=f"{model} {wrong}.* must draw negatives"):
        build_model(config, train)
