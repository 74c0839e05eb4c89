"""The array dataset is RecBole's Dataset, number for number."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recbole
import torch
from recbole.data.dataset import Dataset, SequentialDataset
from recbole.utils import init_seed

from recbole_dsl.compat import atomic_reader
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.loading.dataset import ArrayDataset

HEAD = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
ALL = {"load_col": None, "state": "ERROR", "dataset_cache": False, "device": "cpu"}

NASTY = {
    "leading zeros": "007\t1\t1\t1\n7\t01\t2\t2\n07\t1\t3\t3\n7\t1\t4\t4\n",
    "words for missing": "nan\ta\t1\t1\nNone\tb\t1\t1\nNA\tc\t2\t2\nu\tNULL\t1\t1\nu\ta\t1\t1\n",
    "float tokens": "1.0\t2.50\t1\t1\n1\t2.5\t2\t2\n1e3\t2.5\t3\t3\n",
    "unicode": "\u7528\tcaf\u00e9\t1\t1\n\U0001f600\tcafe\u0301\t1\t1\n\u7528\t\u2028x\t1\t1\n",
    "spaces": "a b\t x \t1\t1\na b\tx\t 1.5 \t2\n a\tx\t3\t1\n",
    "missing numbers": "a\tx\t\t1\nb\ty\t2\t\nc\tz\tNaN\t3\n",
    "missing ids": "a\tx\t1\t1\n\ty\t2\t2\nb\t\t3\t3\nb\tx\t4\t4\n",
    "duplicates": "a\tx\t1\t3\na\tx\t2\t2\nb\tx\t1\t1\na\tx\t1\t3\na\ty\t1\t3\n",
    "empty lines": "a\tx\t1\t1\n\n\nb\ty\t2\t2\n   \nc\tz\t3\t3\n\n",
    "carriage returns": "a\tx\t1\t1\r\nb\ty\t2\t2\r\na\ty\t2\t2\r\n",
    "lone carriage returns": "a\tx\t1\t1\rb\ty\t2\t2\na\ty\t2\t2\n",
    "quotes": 'a"b\t"x\ty"\t1\t1\n"a\tx"\ty\t2\t2\n"q"\tx\t1\t1\n',
    "leading blank": " a\tx\t1\t1\n  b\ty\t1\t1\n a\ty\t2\t2\n",
    "numbers as Python writes them": "a\tx\t1_000\t1\nb\tx\t1e3\tinf\n",
    "numbers": "a\tx\t0.1\t1234567890.123456789\nb\tx\t1e-320\t.5\nc\tx\t-1.7e308\t5.\n",
    "no last line end": "a\tx\t1\t1\nb\ty\t2\t2",
    "comment sign": "#a\tx#y\t1\t1\n#b\ty\t2\t2\n",
}


def _write(folder, text, **more):
    home = folder / "dataset" / "d"
    home.mkdir(parents=True)
    (home / "d.inter").write_bytes((HEAD + text).encode())
    for suffix, content in more.items():
        (home / f"d.{suffix}").write_bytes(content.encode())


def _recboles(config, monkeypatch):
    """RecBole's Dataset, read by RecBole's reader."""
    with monkeypatch.context() as patch:
        patch.setattr(atomic_reader, "obstacle", lambda path, delimiter: "the test")
        return Dataset(config)


def _load(cls, config, monkeypatch):
    config = copy.deepcopy(config)
    init_seed(config["seed"], True)
    if cls is Dataset:
        return _recboles(config, monkeypatch)
    return cls(config)


def assert_same_frames(left, right):
    assert list(left) == list(right)
    for name in left:
        a, b = left[name], right[name]
        if isinstance(a, torch.Tensor):
            assert a.dtype == b.dtype and torch.equal(a.nan_to_num(-1), b.nan_to_num(-1)), name
        elif a.dtype == object:
            assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True)), name
        else:
            pd.testing.assert_series_equal(a, b)


def assert_same_dataset(theirs, ours):
    assert theirs.feat_name_list == ours.feat_name_list
    for feat in theirs.feat_name_list:
        assert_same_frames(getattr(theirs, feat), getattr(ours, feat))
    assert theirs.field2id_token.keys() == ours.field2id_token.keys()
    for field, tokens in theirs.field2id_token.items():
        assert tokens.dtype == ours.field2id_token[field].dtype
        assert tokens.tolist() == ours.field2id_token[field].tolist()
    for name in ("field2token_id", "field2type", "field2source", "field2seqlen", "field2bucketnum"):
        assert getattr(theirs, name) == getattr(ours, name), name
    assert vars(theirs).keys() == vars(ours).keys()
    if len(theirs):
        assert str(theirs) == str(ours)


def _both(config, monkeypatch):
    return [_load(cls, config, monkeypatch) for cls in (Dataset, ArrayDataset)]


def assert_same(config, monkeypatch):
    """Equal after loading and in every part; returns RecBole's dataset and ours, built."""
    results = _both(config, monkeypatch)
    assert_same_dataset(*results)
    parts = []
    for dataset in results:
        init_seed(config["seed"], True)
        parts.append(dataset.build())
    assert len(parts[0]) == len(parts[1])
    for theirs, ours in zip(*parts, strict=True):
        assert len(theirs) == len(ours)
        assert_same_dataset(theirs, ours)
    return results


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("cuts", [{}, {"_CHUNK": 2}], ids=["whole", "in chunks"])
def test_awkward_files_are_read_as_recbole_reads_them(name, cuts, own_folder, monkeypatch):
    for key, value in cuts.items():
        monkeypatch.setattr(atomic_reader, key, value)
    _write(own_folder, NASTY[name])
    assert_same(Config("MF_SL", "d", config_dict=ALL), monkeypatch)


@pytest.fixture
def movielens(own_folder):
    """The first rows of ml-100k, with its users and items."""
    source = Path(recbole.__file__).parent / "dataset_example" / "ml-100k"
    home = own_folder / "dataset" / "ml"
    home.mkdir(parents=True)
    for suffix, lines in (("inter", 8001), ("user", None), ("item", None)):
        text = (source / f"ml-100k.{suffix}").read_text(encoding="utf-8").splitlines(True)
        (home / f"ml.{suffix}").write_text("".join(text[:lines]), encoding="utf-8")
    return "ml"


@pytest.mark.slow
def test_ml_100k_is_loaded_and_split_as_recbole_does_it(monkeypatch):
    assert_same(Config("MF_SL", "ml-100k", config_dict={"state": "ERROR"}), monkeypatch)


SPLITS = [
    {"order": order, "group_by": group_by, "split": split}
    for order in ("RO", "TO")
    for group_by, split in (
        ("user", {"RS": [0.8, 0.1, 0.1]}),
        ("none", {"RS": [0.8, 0.1, 0.1]}),
        ("user", {"RS": [7, 0, 3]}),
        ("user", {"LS": "valid_and_test"}),
        ("user", {"LS": "valid_only"}),
        ("user", {"LS": "test_only"}),
        ("user", {"TS": [0.8, 0.1, 0.1]}),
    )
]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", SPLITS, ids=str)
def test_movielens_is_split_as_recbole_splits_it(arguments, movielens, monkeypatch):
    settings = {**ALL, "eval_args": arguments}
    assert_same(Config("MF_SL", movielens, config_dict=settings), monkeypatch)


def _few(*sizes):
    """Users with these numbers of rows, in turn: u0 u1 u2 u1 u2 ..."""
    rows = [(turn, user) for user, size in enumerate(sizes) for turn in range(size)]
    return "".join(f"u{user}\ti{turn}\t1\t{turn * 7 % 5}\n" for turn, user in sorted(rows))


@pytest.mark.parametrize("arguments", SPLITS, ids=str)
def test_small_users_are_split_as_recbole_splits_them(arguments, own_folder, monkeypatch):
    _write(own_folder, _few(1, 2, 3, 4, 9, 10, 11, 25, 1, 2))
    settings = {**ALL, "eval_args": arguments}
    assert_same(Config("MF_SL", "d", config_dict=settings), monkeypatch)


@pytest.mark.parametrize(
    "arguments",
    [
        {"split": {"LS": "all"}},
        {"split": {"RS": 0.8}},
        {"split": {"RS": [0.8, 0.1, 0.1]}, "group_by": "item"},
    ],
    ids=str,
)
def test_splits_that_recbole_refuses_are_refused(arguments, own_folder, monkeypatch):
    _write(own_folder, _few(3, 4))
    config = Config("MF_SL", "d", config_dict=ALL)
    config["eval_args"] = {**config["eval_args"], **arguments}  # a Config refuses them before
    messages = []
    for dataset in _both(config, monkeypatch):
        with pytest.raises((ValueError, NotImplementedError)) as caught:
            dataset.build()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


FILTERS = [
    {"user_inter_num_interval": "[5,inf)", "item_inter_num_interval": "[5,inf)"},
    {"user_inter_num_interval": "[5,200)", "item_inter_num_interval": None},
    {"user_inter_num_interval": None, "item_inter_num_interval": "(3,40];[60,70]"},
    {"user_inter_num_interval": None, "item_inter_num_interval": None},
    {"val_interval": {"rating": "[4,inf)"}, "user_inter_num_interval": "[10,inf)"},
    {"val_interval": {"user_id": ["196", "186", "22", "9999"]}},
    {"rm_dup_inter": "first"},
    {"rm_dup_inter": "last", "load_col": {"inter": ["user_id", "item_id"]}},
    {"threshold": {"rating": 4}},
    {"normalize_all": True},
    {"unload_col": {"inter": ["timestamp"]}},
    {"unused_col": {"inter": ["timestamp", "rating"]}},
    {"load_col": {"inter": ["item_id", "user_id"], "item": ["item_id", "class"]}},
    {"load_col": {"inter": "*", "user": ["user_id", "age"]}, "val_interval": {"age": ["24"]}},
    {"numerical_features": ["rating"], "discretization": {"rating": {"method": "ED", "bucket": 3}}},
    {"alias_of_item_id": ["gender"], "load_col": {"inter": "*", "user": "*"}},
]


@pytest.mark.slow
@pytest.mark.parametrize("changes", FILTERS, ids=str)
def test_filters_and_features_are_recboles(changes, movielens, monkeypatch):
    base = {**ALL, "load_col": {"inter": "*"}}
    if "unload_col" in changes:
        base["load_col"] = None
    assert_same(Config("MF_SL", movielens, config_dict={**base, **changes}), monkeypatch)


@pytest.mark.parametrize("cls", [Dataset, ArrayDataset])
def test_filters_that_leave_nothing_say_so_as_recbole_does(cls, movielens, monkeypatch):
    changes = {"user_inter_num_interval": "[9999,inf)"}
    with pytest.raises(ValueError, match="Some feat is empty"):
        _load(cls, Config("MF_SL", movielens, config_dict={**ALL, **changes}), monkeypatch)


def test_two_sided_filters_repeat_until_every_count_is_right(own_folder, monkeypatch):
    """A chain: each removal makes the next user or item too small."""
    chain = "".join(f"u{n}\ti{n}\t1\t1\nu{n}\ti{n + 1}\t1\t1\n" for n in range(6))
    block = "".join(f"v{n}\tj{m}\t1\t1\n" for n in range(2) for m in range(2))
    _write(own_folder, chain + block)
    changes = {"user_inter_num_interval": "[2,inf)", "item_inter_num_interval": "[2,inf)"}
    theirs, ours = assert_same(Config("MF_SL", "d", config_dict={**ALL, **changes}), monkeypatch)
    assert len(theirs) == len(ours) > 0
    assert set(ours.field2id_token["user_id"]) == {"[PAD]", "v0", "v1"}


def test_pre_split_files_are_recboles(own_folder, monkeypatch):
    parts = {"train.inter": _few(3, 4, 5), "valid.inter": _few(2, 1), "test.inter": _few(1, 1, 2)}
    _write(own_folder, "", **{name: HEAD + text for name, text in parts.items()})
    changes = {"benchmark_filename": ["train", "valid", "test"]}
    assert_same(Config("MF_SL", "d", config_dict={**ALL, **changes}), monkeypatch)


def test_pre_split_files_of_different_tokens_share_ids_with_side_features(own_folder, monkeypatch):
    parts = {"train.inter": _few(3, 4, 5), "valid.inter": _few(2), "test.inter": "u9\ti9\t1\t1\n"}
    files = {name: HEAD + text for name, text in parts.items()}
    files["user"] = "user_id:token\tage:float\nu9\t1\nu1\t2\nu7\t3\n"
    files["item"] = "item_id:token\tkind:token\ni1\tx\ni8\ty\n"
    _write(own_folder, "", **files)
    changes = {"benchmark_filename": ["train", "valid", "test"]}
    assert_same(Config("MF_SL", "d", config_dict={**ALL, **changes}), monkeypatch)


def test_side_features_share_the_ids_of_the_interactions(own_folder, monkeypatch):
    item = "item_id:token\ttags:token_seq\tprice:float\tvec:float_seq\n"
    rows = "i1\ta b\t2\t1 2 3\ni9\t\t\t\ni0\tb c d\t5.5\t4\ni2\td\t1\t0\n"
    user = "user_id:token\tcity:token\nu3\tx\nu1\t007\nu2\t\n"
    _write(own_folder, _few(3, 4, 2, 5), **{"item": item + rows, "user": user})
    for changes in ({}, {"user_inter_num_interval": "[3,inf)"}):
        assert_same(Config("MF_SL", "d", config_dict={**ALL, **changes}), monkeypatch)


def test_recboles_other_datasets_are_read_the_same_by_the_fast_parser(movielens, monkeypatch):
    changes = {"state": "ERROR", "train_neg_sample_args": None}
    config = Config("SASRec", movielens, config_dict=changes)
    fast = SequentialDataset(copy.deepcopy(config))
    monkeypatch.setattr(atomic_reader, "obstacle", lambda path, delimiter: "the test")
    assert_same_dataset(SequentialDataset(copy.deepcopy(config)), fast)
