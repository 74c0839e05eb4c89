"""Rows are split and sequences ordered by exact times; as stock does where float32 holds them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recbole
import torch
from recbole.data.dataset import Dataset

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data import partition
from recbole_dsl.data.pipeline import load_dataset, split_dataset

HEAD = "user_id:token\titem_id:token\ttimestamp:float\n"
COLUMNS = ["user_id", "item_id", "timestamp"]
ALL = {"load_col": {"inter": COLUMNS}, "state": "ERROR", "device": "cpu", "dataset_cache": False}
SEQUENTIAL = {**ALL, "train_neg_sample_args": None}
# Start and step of times: seconds, milliseconds, fractions of a second; small, exact in float32.
TIMES = {
    "seconds": (1.6e9, 10),
    "milliseconds": (1.6e12, 7),
    "fractions": (1.6e9, 0.125),
    "small": (0, 1),
}


def _shop(folder, start, step, ties=1, seed=0):
    """12 users of 6 to 14 rows in random order; each (user, item) once, times step apart."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(6, 15, 12)
    users = rng.permutation(np.repeat(np.arange(12), sizes))
    items = pd.Series(users).groupby(users).cumcount().to_numpy()
    times = start + step * (rng.permutation(len(users)) // ties)
    home = folder / "dataset" / "shop"
    home.mkdir(parents=True)
    rows = [f"u{u}\ti{i}\t{t!r}\n" for u, i, t in zip(users, items, times.tolist(), strict=True)]
    (home / "shop.inter").write_text(HEAD + "".join(rows), encoding="utf-8")
    return pd.DataFrame({"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items],
                         "time": times})  # fmt: skip


def _parts(model="MF_SL", dataset="shop", **settings):
    config = Config(model, dataset, config_dict=settings)
    return [
        loader._dataset for loader in split_dataset(config, load_dataset(config)).loaders.values()
    ]


def _pairs(part):
    feat = part.inter_feat
    users = part.id2token("user_id", feat["user_id"].numpy())
    items = part.id2token("item_id", feat["item_id"].numpy())
    return list(zip(users.tolist(), items.tolist(), strict=True))


def _exact(frame, split, shares):
    """The three parts as sets of (user, item), by pandas and 64-bit times; ties in file order."""
    ordered = frame.sort_values("time", kind="stable")
    place, size = (
        ordered.groupby("user").cumcount(),
        ordered.groupby("user")["time"].transform("size"),
    )
    if split == "LS":
        part = np.select([place == size - 1, place == size - 2], [2, 1], 0)
    elif split == "TS":
        late = ordered["time"] > np.percentile(frame["time"], 100 * (1 - shares[2]))
        early = (~late).groupby(ordered["user"]).transform("sum")
        cut = (early * (shares[0] / (1 - shares[2]))).astype(int)
        part = np.select([late, place >= cut], [2, 1], 0)
    else:
        place, size = (place, size) if split == "RS user" else (np.arange(len(frame)), len(frame))
        test = np.maximum(np.floor(size * shares[2]), 1)
        valid = np.maximum(np.floor(size * shares[1]), 1)
        part = np.select([place >= size - test, place >= size - test - valid], [2, 1], 0)
    pairs = list(zip(ordered["user"], ordered["item"], strict=True))
    return [{pair for pair, of in zip(pairs, part, strict=True) if of == n} for n in range(3)]


ARGUMENTS = {
    "LS": {"split": {"LS": "valid_and_test"}, "order": "TO"},
    "RS user": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "user"},
    "RS none": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "none"},
    "TS": {"split": {"TS": [0.8, 0.1, 0.1]}, "order": "TO"},
    "TS, order RO": {"split": {"TS": [0.8, 0.1, 0.1]}, "order": "RO"},
}


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("ties", [1, 3])
@pytest.mark.parametrize("split", ARGUMENTS)
def test_splits_by_time_are_exact_and_ties_keep_the_order_of_the_file(
    split, ties, times, own_folder
):
    frame = _shop(own_folder, *TIMES[times], ties)
    parts = _parts(**ALL, eval_args=ARGUMENTS[split])
    expected = _exact(frame, split.split(",")[0], (0.8, 0.1, 0.1))
    assert [set(_pairs(part)) for part in parts] == expected
    assert all(part.inter_feat["timestamp"].dtype == torch.float32 for part in parts)


def test_six_users_with_their_latest_rows_first(own_folder):
    frame = pd.DataFrame(
        [(f"u{u}", f"i{k}", 1600000120 - 10 * k) for k in range(12) for u in range(6)],
        columns=["user", "item", "time"],
    )
    home = own_folder / "dataset" / "six"
    home.mkdir(parents=True)
    (home / "six.inter").write_text(HEAD + frame.to_csv(sep="\t", index=False, header=False))
    parts = _parts(dataset="six", **ALL, eval_args=ARGUMENTS["LS"])
    assert set(_pairs(parts[2])) == {(f"u{u}", "i0") for u in range(6)}


@pytest.mark.parametrize("model", ["SASRec", "DIEN"])
@pytest.mark.parametrize("times", TIMES)
def test_sequences_are_in_order_of_time(times, model, own_folder):
    frame = _shop(own_folder, *TIMES[times], ties=2)
    parts = _parts(model, **SEQUENTIAL, eval_args=ARGUMENTS["LS"])
    _assert_in_order(frame, parts)
    latest = frame.sort_values("time", kind="stable").groupby("user")["item"].last()
    assert dict(_pairs(parts[2])) == latest.to_dict()


def _assert_in_order(frame, parts):
    """Each row's sequence and target are the user's items in exact order of time."""
    ordered = frame.sort_values("time", kind="stable").groupby("user")["item"].agg(list)
    place = {(u, item): at for u, items in ordered.items() for at, item in enumerate(items)}
    n_rows = 0
    for part in parts:
        feat = part.inter_feat
        sequences = part.id2token("item_id", feat["item_id_list"].numpy())
        for (user, item), sequence, length in zip(
            _pairs(part), sequences, feat["item_length"].tolist(), strict=True
        ):
            end = place[user, item]
            assert sequence[:length].tolist() == ordered[user][end - length : end]
            n_rows += 1
        lists = feat["timestamp_list"]
        assert lists.dtype == feat["timestamp"].dtype == torch.float32
    assert n_rows == len(frame) - len(ordered)


def _ml_100k():
    path = Path(recbole.__file__).parent / "dataset_example" / "ml-100k" / "ml-100k.inter"
    frame = pd.read_csv(path, sep="\t", dtype={"user_id:token": str, "item_id:token": str})
    return frame.set_axis(["user", "item", "rating", "time"], axis=1)


def test_every_user_of_ml_100k_is_tested_on_the_latest_row():
    frame = _ml_100k()
    test = _parts(dataset="ml-100k", **ALL, eval_args=ARGUMENTS["LS"])[2]
    latest = frame.groupby("user")["time"].max()
    times = frame.set_index(["user", "item"])["time"]
    assert sum(times[pair] == latest[pair[0]] for pair in _pairs(test)) == len(test) == 943


@pytest.mark.slow
def test_every_sequence_of_ml_100k_is_in_order_of_time():
    frame = _ml_100k()
    _assert_in_order(frame, _parts("SASRec", "ml-100k", **SEQUENTIAL, eval_args=ARGUMENTS["LS"]))


@pytest.mark.parametrize("split", [name for name in ARGUMENTS if name != "TS, order RO"])
def test_times_that_float32_holds_are_split_as_stock_recbole_splits_them(
    split, own_folder, monkeypatch
):
    _shop(own_folder, *TIMES["small"], ties=2)
    for model, settings in (("MF_SL", ALL), ("SASRec", SEQUENTIAL)):
        ours = _parts(model, **settings, eval_args=ARGUMENTS[split])
        with monkeypatch.context() as patch:
            for name in ("_dataframe_to_interaction", "build", "shuffle"):
                patch.setattr(Dataset, name, getattr(Dataset, name).__wrapped__)
            stock = _parts(model, **settings, eval_args=ARGUMENTS[split])
        for own, theirs in zip(ours, stock, strict=True):
            own, theirs = own.inter_feat.interaction, theirs.inter_feat.interaction
            assert own.keys() == theirs.keys()
            for field, column in own.items():
                assert column.dtype == theirs[field].dtype and torch.equal(column, theirs[field])


@pytest.mark.parametrize("model", ["MF_SL", "SASRec"])
def test_two_shares_are_train_and_test_of_ts(model, own_folder):
    """Some of the training rows are validation then, as for two ready parts."""
    frame = _shop(own_folder, *TIMES["seconds"])
    arguments = {"split": {"TS": [0.55, 0.45]}, "order": "TO"}
    settings = ALL if model == "MF_SL" else SEQUENTIAL
    train, valid, test = _parts(model, **settings, eval_args=arguments, benchmark_valid=0.2)
    rows = len(frame) - 12 * (model == "SASRec")  # a user's first row has no sequence before it
    assert len(train) + len(valid) + len(test) == rows and len(valid) > 0
    if model == "MF_SL":
        boundary = np.percentile(frame["time"], 55)
        late = frame[frame["time"] > boundary]
        assert set(_pairs(test)) == set(zip(late["user"], late["item"], strict=True))


def test_times_among_the_numerical_features_order_rows_too(own_folder):
    frame = _shop(own_folder, *TIMES["seconds"])
    settings = {**ALL, "numerical_features": ["timestamp"]}
    for split in ("LS", "TS", "RS none"):
        parts = _parts(**settings, eval_args=ARGUMENTS[split])
        assert [set(_pairs(part)) for part in parts] == _exact(frame, split, (0.8, 0.1, 0.1))
        assert parts[0].inter_feat["timestamp"].shape[1:] == (2,)
    arguments = {"split": {"GT": [0.8, 0.1, 0.1]}}
    plain = _parts(**ALL, eval_args=arguments)
    for one, other in zip(plain, _parts(**settings, eval_args=arguments), strict=True):
        assert _pairs(one) == _pairs(other)


@pytest.mark.parametrize("keep", ["first", "last"])
def test_repeated_rows_of_equal_time_are_kept_by_the_order_of_the_file(keep, own_folder):
    home = own_folder / "dataset" / "shop"
    home.mkdir(parents=True)
    head = "user_id:token\titem_id:token\ttimestamp:float\trating:float\n"
    rows = [f"u{n % 40}\ti{n % 40}\t1600000000\t{n}\n" for n in range(400)]
    (home / "shop.inter").write_text(head + "".join(rows))
    config = {**ALL, "load_col": None, "rm_dup_inter": keep}
    ratings = load_dataset(Config("MF_SL", "shop", config_dict=config)).inter_feat["rating"]
    assert sorted(ratings) == list(range(40) if keep == "first" else range(360, 400))


SPLITS_BY_TIME = {**ARGUMENTS, "GT": {"split": {"GT": [0.8, 0.1, 0.1]}}}


@pytest.mark.parametrize("split", SPLITS_BY_TIME)
@pytest.mark.parametrize("cache", [False, True], ids=["read", "cached"])
def test_missing_times_are_refused_with_their_count(split, cache, own_folder):
    frame = _shop(own_folder, *TIMES["seconds"])
    path = own_folder / "dataset" / "shop" / "shop.inter"
    lines = path.read_text().splitlines()
    for row, time in ((3, ""), (5, ""), (7, "nan")):
        lines[row] = "\t".join([*lines[row].split("\t")[:2], time])
    path.write_text("\n".join(lines) + "\n")
    settings = {**ALL, "dataset_cache": cache}
    for _ in range(2):  # the second from the cache
        assert sum(map(len, _parts(**settings))) == len(frame)
    with pytest.raises(UsageError, match="3 rows have no timestamp, which") as caught:
        _parts(**settings, eval_args=SPLITS_BY_TIME[split])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "time", "settings", "message"),
    [
        ("timestamp:float", "inf", {}, "6 have an infinite one, which order TO needs"),
        ("timestamp:token", "5", {}, "needs numbers: timestamp:token must be timestamp:float"),
        ("timestamp:float", "", {}, "6 rows have no timestamp, which order TO needs"),
        ("timestamp:float", "", {"rm_dup_inter": "first", "eval_args": {"order": "RO"}},
         "6 rows have no timestamp, which rm_dup_inter needs"),
        ("when:float", "5", {"load_col": None}, "order TO needs the column 'timestamp' .TIME_"),
        ("timestamp:float", "5", {"numerical_features": ["timestamp"],
         "discretization": {"timestamp": {"method": "ED", "bucket": 3}}},
         "order TO needs times: discretization makes buckets of timestamp"),
    ],
)  # fmt: skip
def test_times_that_are_none_get_one_line(head, time, settings, message, own_folder):
    home = own_folder / "dataset" / "shop"
    home.mkdir(parents=True)
    rows = "".join(f"u{n % 4}\ti{n}\t{time if n < 6 else 10 * n}\n" for n in range(40))
    (home / "shop.inter").write_text(f"user_id:token\titem_id:token\t{head}\n" + rows)
    with pytest.raises(UsageError, match=message) as caught:
        _parts(**{**ALL, "eval_args": {"order": "TO"}, **settings})
    assert "\n" not in str(caught.value)


def test_nanoseconds_are_warned_of(own_folder, caplog):
    _shop(own_folder, 1.6e18, 1e6)
    _parts(**{**ALL, "state": "WARNING"}, eval_args=ARGUMENTS["LS"])
    assert "times above 2**53" in caplog.text


@pytest.mark.parametrize("split", ["RS", "PS", "GT"])
def test_time_aware_diffrec_gets_train_in_order_of_time(split, own_folder):
    frame = _shop(own_folder, *TIMES["seconds"])
    arguments = {"split": {split: [0.6, 0.2, 0.2]}}
    settings = {**SEQUENTIAL, "eval_args": arguments, "time-aware": True}
    config = Config("DiffRec", "shop", config_dict=settings)
    train = partition.build(config, load_dataset(config)).parts["train"]
    times = frame.set_index(["user", "item"])["time"]
    assert (np.diff([times[pair] for pair in _pairs(train)]) > 0).all()
