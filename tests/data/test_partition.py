"""Splits as settings of a run: one test set or two, masks, seeds, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from quick import QUICK, QUICK_PAIR

import recbole_dsl
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.data.splitting import hold_out_shifted
from recbole_dsl.data.splitting.write_files import write_split

PS = {"eval_args": {"split": {"PS": [0.7, 0.1, 0.2]}}, "state": "ERROR"}
BOTH = {**PS, "test_sets": ["iid", "popularity"]}


@pytest.fixture
def shop(make_dataset):
    """40 users by 30 items, popularity falling off."""
    rng = np.random.default_rng(0)
    pairs = {(int(u), int(i)) for u, i in zip(*rng.geometric(0.08, (2, 3000)) % 40, strict=True)}
    return make_dataset("shop", sorted(pairs))


def _split(dataset="shop", model="MF_SL", **settings):
    config = Config(model, dataset, config_dict=settings)
    return split_dataset(config, load_dataset(config))


def _loaders(*arguments, **settings):
    return list(_split(*arguments, **settings).loaders.values())


def _rows(loader):
    part = loader._dataset
    users, items = part.inter_feat[part.uid_field], part.inter_feat[part.iid_field]
    return sorted(zip(users.tolist(), items.tolist(), strict=True))


def _masked_and_positive(loader):
    masked, positive = set(), set()
    for frame, (rows, items), positive_rows, positive_items in loader:
        users = frame["user_id"]
        masked |= set(zip(users[rows].tolist(), items.tolist(), strict=True))
        positive |= set(zip(users[positive_rows].tolist(), positive_items.tolist(), strict=True))
    return masked, positive


def test_each_test_set_is_masked_by_train_and_valid_and_never_by_the_other(shop):
    split = _split(**BOTH)
    assert list(split.tests) == ["iid", "popularity"]
    train, valid, *tests = split.loaders.values()
    assert not set(_rows(tests[0])) & set(_rows(tests[1]))
    for test in tests:
        users = {user for user, _ in _rows(test)}
        masked, positive = _masked_and_positive(test)
        assert positive == set(_rows(test))
        assert masked == {row for row in _rows(train) + _rows(valid) if row[0] in users}


def test_the_two_test_sets_and_the_rest_are_all_rows(shop):
    loaders = _loaders(**BOTH)
    rows = [row for loader in loaders for row in _rows(loader)]
    assert len(rows) == len(set(rows)) == len(load_dataset(Config("MF_SL", "shop")))


def test_the_split_follows_split_seed_and_not_the_training_seed(shop):
    first = _rows(_loaders(**PS, seed=1)[2])
    assert first == _rows(_loaders(**PS, seed=2)[2]) == _rows(_loaders(**PS, split_seed=2020)[2])
    assert first != _rows(_loaders(**PS, split_seed=1)[2])


@pytest.mark.parametrize("split", [{"RS": [0.8, 0.1, 0.1]}, {"LS": "valid_and_test"}])
def test_recboles_own_splits_follow_split_seed_where_it_is_given(shop, split):
    def test_rows(**seeds):
        return _rows(_loaders(eval_args={"split": split}, state="ERROR", **seeds)[2])

    assert test_rows(seed=1) != test_rows(seed=2)
    assert test_rows(seed=1, split_seed=3) == test_rows(seed=2, split_seed=3)
    assert test_rows(seed=1, split_seed=3) != test_rows(seed=1, split_seed=4)


def test_validation_held_out_of_a_pre_split_file_follows_split_seed(checkerboard):
    def valid_rows(**seeds):
        parts = {"benchmark_filename": ["train", "test"], "state": "ERROR"}
        return _rows(_loaders(checkerboard, **parts, **seeds)[1])

    assert valid_rows(seed=1, split_seed=3) == valid_rows(seed=2, split_seed=3)
    assert valid_rows(seed=1) == valid_rows(seed=2, split_seed=1)
    assert valid_rows(seed=1) != valid_rows(seed=2)


@pytest.mark.parametrize(
    "settings", [PS, {"eval_args": {"split": {"RS": [8, 1, 1]}}, "split_seed": 3}]
)
def test_a_split_with_a_seed_of_its_own_leaves_the_global_generators_alone(shop, settings):
    config = Config("MF_SL", "shop", config_dict={"state": "ERROR", **settings})
    dataset = load_dataset(config)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    split_dataset(config, dataset)
    assert torch.equal(before, torch.get_rng_state())
    assert (np.random.get_state()[1] == numpy_before).all()


def test_split_shift_moves_the_test_set(shop):
    ginis = [
        _split(**PS, split_shift=shift).card["popularity"]["test"]["gini"] for shift in (0, 0.5, 1)
    ]
    assert ginis[0] > ginis[1] > ginis[2]


def test_valid_shift_moves_validation_alone(shop):
    plain, shifted = _split(**BOTH), _split(**BOTH, valid_shift=1.0)
    for name in ("iid", "popularity"):
        assert _rows(plain.tests[name]) == _rows(shifted.tests[name])
    assert [split.card["valid_shift"] for split in (plain, shifted)] == [0.0, 1.0]
    ginis = [split.card["popularity"]["valid"]["gini"] for split in (plain, shifted)]
    assert ginis[0] > ginis[1] + 0.1
    assert not set(_rows(shifted.valid)) & set(_rows(shifted.train))
    rows = [row for loader in shifted.loaders.values() for row in _rows(loader)]
    assert len(rows) == len(set(rows)) == len(load_dataset(Config("MF_SL", "shop")))


@pytest.mark.parametrize("valid_shift", [0.0, 1.0])
def test_validation_held_out_of_train_is_drawn_by_valid_shift(shop, valid_shift):
    """From the rows of train alone, those of test stay."""
    two = {"eval_args": {"split": {"RS": [0.8, 0.2]}}, "state": "ERROR", "split_seed": 3}
    whole = _split(**two, benchmark_valid=0)
    split = _split(**two, benchmark_valid=0.25, valid_shift=valid_shift)
    train, valid = _rows(split.train), _rows(split.valid)
    assert sorted(train + valid) == _rows(whole.train)
    assert _rows(split.tests["test"]) == _rows(whole.tests["test"])
    assert len(valid) == round(0.25 * len(_rows(whole.train)))
    assert split.card["valid_shift"] == valid_shift
    assert ("reserved" in split.card) == (valid_shift > 0)
    rows = whole.train._dataset.inter_feat
    users, items = rows["user_id"].numpy(), rows["item_id"].numpy()
    if valid_shift:
        drawn, reserved = hold_out_shifted(users, items, len(valid), seed=3, shift=1.0)
        assert split.card["reserved"] == reserved
        assert {user for user, _ in train} == set(users.tolist())
    else:  # what it was before there was a valid_shift
        drawn = torch.randperm(len(users), generator=torch.Generator().manual_seed(3))
        drawn = drawn[: len(valid)].numpy()
    assert valid == sorted(zip(users[drawn].tolist(), items[drawn].tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["MF_SL", "LightGCN_BPR", "BPR", "EASE"])
def test_one_model_reports_both_test_sets(model, own_folder):
    settings = {**(QUICK_PAIR if "_" in model else QUICK), **BOTH, "result_file": "x.json"}
    result = recbole_dsl.run(model, "ml-100k", config_dict={**settings, "state": "INFO"})
    written = json.loads((own_folder / "x.json").read_text())
    assert list(written["tests"]) == ["iid", "popularity"]
    assert written["test"] == written["tests"]["iid"] != written["tests"]["popularity"]
    assert written["tests"] == result["tests"] and result["test_result"] == result["test"]
    assert list(written["splits"]) == ["train", "valid", "test_iid", "test_popularity"]
    assert [size["rows"] for size in written["splits"].values()] == [50000, 10000, 20000, 20000]
    card = written["split_card"]
    assert card["split"] == {"PS": [0.7, 0.1, 0.2]} and card["seed"] == 2020
    assert card["reserved"] == 2099 and card["left_out"] == {}
    for name, size in written["splits"].items():
        assert {key: card["popularity"][name][key] for key in size} == size
    shift = {name: size.get("kl_train", 0) for name, size in card["popularity"].items()}
    assert shift["test_popularity"] > 0.5 > 0.2 > shift["test_iid"]
    log = next((own_folder / "log").rglob("*.log")).read_text()
    assert "split: train 50,000 rows / 943 users / 1,682 items, valid" in log
    assert "item popularity: train Gini 0." in log and "test_popularity Gini 0.3" in log
    assert "split by seed 2020: 2,099 rows reserved for train" in log
    lines = log.rstrip().splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("====="))
    table = [line.split()[0] for line in lines[start + 1 : start + 4]]
    assert table == ["valid", "test_iid", "test_popularity"]
    assert "item_popularity, test iid" in log and "item_popularity, test popularity" in log
    assert list(written["groups"]["item_popularity"]["metrics"]) == ["iid", "popularity"]
    if model == "MF_SL":
        loaded = recbole_dsl.load(written["checkpoint"])
        assert loaded.config["test_sets"] == ["iid", "popularity"]
        assert len(loaded.dataset) == 50000


def test_both_test_sets_give_what_each_gives_alone(shop):
    """The same trained model, each set evaluated as the only one of a run on the written files."""
    write_split("shop", output="out", test_sets=["iid", "popularity"])
    settings = {**QUICK_PAIR, "train_batch_size": 256, "epochs": 3}
    both = recbole_dsl.run("MF_BPR", "shop", config_dict={**settings, **BOTH})
    files = ["train", "valid", "test_iid", "test_popularity"]
    written = recbole_dsl.run(
        "MF_BPR", "out", config_dict={**settings, "benchmark_filename": files}
    )
    assert list(written["tests"]) == ["iid", "popularity"]
    assert written["splits"] == both["splits"]
    for name in ("iid", "popularity"):
        parts = ["train", "valid", f"test_{name}"]
        alone = recbole_dsl.run(
            "MF_BPR", "out", config_dict={**settings, "benchmark_filename": parts}
        )
        assert "tests" not in alone and list(alone["splits"]) == ["train", "valid", "test"]
        if name == "iid":  # what comes first decides how RecBole numbers the items: same numbers
            assert alone["test"] == written["tests"]["iid"]
        assert set(alone["test"]) == set(both["tests"][name])


@pytest.mark.slow
def test_a_temporal_test_set_beside_an_iid_one():
    settings = {**QUICK_PAIR, "eval_args": {"split": {"GT": [0.7, 0.1, 0.2]}}}
    result = recbole_dsl.run(
        "MF_SL", "ml-100k", config_dict={**settings, "test_sets": "iid, temporal"}
    )
    left_out = result["split_card"]["left_out"]["test_temporal"]
    assert result["splits"]["test_temporal"]["rows"] == 20000 - sum(left_out.values()) < 3000
    assert set(result["tests"]) == {"iid", "temporal"}


@pytest.mark.slow
def test_knowledge_graph_models_take_the_split_too():
    fields = {"inter": ["user_id", "item_id"], "kg": ["head_id", "relation_id", "tail_id"]}
    fields["link"] = ["item_id", "entity_id"]
    sizes = _split("ml-100k", "CKE", **BOTH, load_col=fields).summary
    assert list(sizes) == ["train", "valid", "test_iid", "test_popularity"]
    # RecBole drops the rows of items that the graph lacks before anything is split.
    assert sizes["test_popularity"] == {"rows": 19510, "users": 936, "items": 1470}


def test_validation_may_be_empty(shop):
    settings = {**PS, "eval_args": {"split": {"PS": [0.8, 0, 0.2]}}}
    split = _split(**settings)
    assert split.valid is None and len(_rows(split.tests["test"])) > 0
    assert split.card["popularity"]["valid"]["rows"] == split.summary["valid"]["rows"] == 0


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"PS": [0.01, 0, 0.99]}, "eval_args: split .*valid and test need .* can leave train"),
        ({"RS": [0.4, 0.2, 0.2, 0.2]}, "split RS takes the shares .train, valid, test., such as"),
        ({"GT": [0.7, 0.1, 0.2]}, "GT needs the column 'timestamp' .TIME_FIELD. of the .inter"),
    ],
)
def test_a_split_that_the_rows_do_not_allow_gets_one_line(shop, split, message):
    with pytest.raises(UsageError, match=message):
        _loaders(eval_args={"split": split}, state="ERROR")
    assert not Path("saved").exists()
