"""Rows left out and values filled are counted, in log and card; wrong filters are refused."""

import json
import math
from pathlib import Path

import pytest
from quick import QUICK, QUICK_PAIR

import recbole_dsl
from recbole_dsl.common.errors import UsageError
from recbole_dsl.compat.data_notes import data_notes, parse_intervals
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset

HEAD = "user_id:token\titem_id:token\trating:float\tkind:token\n"


BASE = {"load_col": None, "state": "ERROR", "device": "cpu"}


def _rows(n=60, **changes):
    rows = [[f"u{k % 6}", f"i{k % 10}", str(1 + k % 5), "x"] for k in range(n)]
    for row, column, value in changes.get("at", ()):
        rows[row][column] = value
    return "".join("\t".join(row) + "\n" for row in rows)


def _shop(folder, text, **more):
    home = folder / "dataset" / "shop"
    home.mkdir(parents=True)
    for suffix, content in {"inter": HEAD + text, **more}.items():
        (home / f"shop.{suffix}").write_text(content, encoding="utf-8")


def _load(model="MF_SL", **settings):
    return load_dataset(Config(model, "shop", config_dict={**BASE, **settings}))


FILTERS = [
    ({}, "no user or item", 3),
    ({"rm_dup_inter": "first"}, "rm_dup_inter", 27),
    ({"val_interval": {"rating": "[2,inf)"}}, "val_interval", 12),
    (
        {"item_inter_num_interval": "[6,inf)"},
        "user_inter_num_interval or item_inter_num_interval",
        15,
    ),
]


@pytest.mark.parametrize(("settings", "reason", "count"), FILTERS)
def test_rows_that_filters_remove_are_counted(settings, reason, count, own_folder, caplog):
    _shop(own_folder, _rows(at=[(1, 0, ""), (2, 1, "NA"), (3, 1, "")]))
    dataset = _load(**settings, state="WARNING")
    removed = data_notes(dataset)["removed"]
    assert removed["no user or item"] == 3 and removed[reason] == count
    assert len(dataset) == 60 - sum(removed.values())
    assert f"{count:,} ({reason})" in caplog.text


def test_rows_of_users_and_items_that_are_left_out_are_counted(own_folder):
    user = "user_id:token\tage:float\n" + "".join(f"u{k}\t{k}\n" for k in [*range(6), 3, 3])
    item = "item_id:token\tprice:float\n" + "".join(f"i{k}\t{k}\n" for k in range(10)) + "\t1\n"
    _shop(own_folder, _rows(), user=user, item=item)
    assert data_notes(_load())["removed"] == {
        "rows of the .user file that repeat user_id": 2,
        "rows of the .item file without item_id": 1,
    }


def test_rows_of_items_that_a_graph_lacks_are_counted(caplog):
    fields = {"inter": ["user_id", "item_id"], "kg": ["head_id", "relation_id", "tail_id"]}
    fields["link"] = ["item_id", "entity_id"]
    config = {"load_col": fields, "state": "WARNING"}
    dataset = load_dataset(Config("CKE", "ml-100k", config_dict=config))
    reason = "item not in the .link and .kg files"
    assert data_notes(dataset)["removed"] == {reason: 100_000 - len(dataset)}
    assert f"({reason})" in caplog.text


def test_values_that_are_filled_are_counted_also_from_the_cache(own_folder, caplog):
    user = "user_id:token\tage:float\nu0\t1\nu1\t\nu2\t3\nu3\t4\nu4\t5\n"
    _shop(own_folder, _rows(at=[(1, 2, ""), (2, 3, "")]), user=user)
    settings = {"filter_inter_by_user_or_item": False, "dataset_cache": True}
    for _ in range(2):
        notes = data_notes(_load(**settings))
        assert notes["filled"] == {"inter.rating": 1, "inter.kind": 1, "user.age": 2}
    _load(**settings, state="WARNING")
    assert "missing values filled: 1 (inter.rating), 1 (inter.kind), 2 (user.age)" in caplog.text


def test_the_result_file_has_the_counts(own_folder):
    _shop(own_folder, _rows(at=[(1, 0, "")]))
    settings = {**QUICK_PAIR, "load_col": None, "result_file": "x.json"}
    recbole_dsl.run("MF_SL", "shop", config_dict=settings)
    card = json.loads(Path("x.json").read_text())["split_card"]
    assert card["data"] == {"removed": {"no user or item": 1}, "filled": {}, "labels": None}


@pytest.mark.parametrize("column", [0, 1])
def test_ready_parts_without_an_id_are_refused_with_the_count(column, own_folder):
    parts = {
        "train.inter": _rows(),
        "test.inter": _rows(8, at=[(1, column, ""), (3, column, "NA")]),
    }
    _shop(own_folder, "", **{name: HEAD + text for name, text in parts.items()})
    name = ("user_id", "item_id")[column]
    with pytest.raises(UsageError, match=rf"2 rows have no {name}: test.inter \(2\)"):
        _load(benchmark_filename=["train", "test"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val_interval": {"rating": ">=3"}}, r"val_interval: rating: .* such as \[3,inf\).*'>=3'"),
        ({"val_interval": {"rating": 3}}, "val_interval: rating: an interval is written"),
        ({"val_interval": {"rating": "[5,3]"}}, r"got '\[5,3\]'"),
        ({"val_interval": {"rating": "[3,nan]"}}, r"got '\[3,nan\]'"),
        ({"val_interval": {"rating": ""}}, "got ''"),
        ({"val_interval": {"rating": "[1,2];3"}}, r"got '\[1,2\];3'"),
        ({"val_interval": {"kind": "x"}}, "kind is a column of tokens and takes a list .* got 'x'"),
        ({"val_interval": {"kind": []}}, r"takes a list of those to keep, got \[\]"),
        ({"val_interval": {"user_id": [196]}}, "user_id: tokens are text .* in quotes, got 196"),
        ({"val_interval": {"price": "[1,2]"}}, r"Field \[price\] not defined in dataset"),
        ({"user_inter_num_interval": "5"}, r"user_inter_num_interval: .* such as \[3,inf\)"),
        ({"item_inter_num_interval": "5,10"}, "item_inter_num_interval: an interval"),
    ],
)
def test_wrong_filters_are_refused(settings, message, own_folder):
    """Here by the loader, which alone knows the types of the columns."""
    _shop(own_folder, _rows())
    config = Config("MF_SL", "shop", config_dict=BASE)
    for key, value in settings.items():
        config[key] = value
    with pytest.raises(UsageError, match=message) as caught:
        load_dataset(config)
    assert "\n" not in str(caught.value)


def test_right_intervals_are_read():
    assert parse_intervals("[3,inf)") == [("[", 3, math.inf, ")")]
    assert parse_intervals(" (0, 1] ;[3,4) ") == [("(", 0, 1, "]"), ("[", 3, 4, ")")]
    assert parse_intervals([5, 29]) == [("[", 5, 29, "]")]
    assert parse_intervals("(-inf,inf)") == [("(", -math.inf, math.inf, ")")]


def test_right_filters_keep_what_they_say(own_folder):
    _shop(own_folder, _rows())
    assert len(_load(val_interval={"rating": "[1,2];(4,5]"})) == 36
    assert len(_load(val_interval={"user_id": ["u1", "u2"], "kind": ["x"]})) == 20


@pytest.mark.parametrize("model", ["MF_SL", "BPR"])
def test_cold_users_and_items_of_ready_parts_are_counted(model, own_folder):
    train, test = (
        _rows(),
        "u0\tnew1\t1\tx\nu0\tnew2\t1\tx\nyou\ti1\t1\tx\nyou\tnew1\t1\tx\nu2\ti3\t1\tx\n",
    )
    parts = {"train.inter": HEAD + train, "valid.inter": HEAD + _rows(6), "test.inter": HEAD + test}
    _shop(own_folder, "", **parts)
    quick = QUICK_PAIR if "_" in model else QUICK
    settings = {**quick, "benchmark_filename": ["train", "valid", "test"], "state": "INFO"}
    result = recbole_dsl.run(model, "shop", config_dict=settings)
    size = result["split_card"]["popularity"]["test"]
    assert [size[f"new_{what}"] for what in ("users", "user_rows", "items", "item_rows")] == [
        1, 2, 2, 3,
    ]  # fmt: skip
    log = next(Path("log").rglob("*.log")).read_text()
    assert "test: 2 rows of 1 users and 3 rows of 2 items that train lacks" in log
    assert "valid: 6 of 6 rows are of a user and an item that are a row of train too" in log
    assert log.count("that are a row of train too") == 1


def test_nothing_is_counted_where_nothing_happens(own_folder):
    _shop(own_folder, _rows())
    config = Config("MF_SL", "shop", config_dict=BASE)
    card = split_dataset(config, load_dataset(config)).card
    assert card["data"] == {"removed": {}, "filled": {}, "labels": None}


REPEATED = "rows are of a user and an item that are a row of train too"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, True),
        ({"rm_dup_inter": "first"}, False),
        ({"repeatable": True}, False),
        ({"eval_args": {"split": {"LS": "valid_and_test"}}}, True),
        ({"benchmark_filename": ["train", "test"]}, True),
    ],
)
def test_test_rows_that_train_has_too_are_counted(settings, said, own_folder):
    rows = _rows()
    parts = {"train.inter": HEAD + rows, "test.inter": HEAD + _rows(20)}
    _shop(own_folder, rows + rows, **parts)
    result = recbole_dsl.run(
        "MF_SL", "shop", config_dict={**QUICK_PAIR, "state": "INFO", **settings}
    )
    log = next(Path("log").rglob("*.log")).read_text()
    assert (REPEATED in log) == said
    size = result["split_card"]["popularity"]["test"]
    if "benchmark_filename" in settings:
        assert 0 < size["repeated_rows"] <= size["rows"] == 20
    assert (size["repeated_rows"] > 0) == ("rm_dup_inter" not in settings)


@pytest.mark.parametrize(
    ("at", "settings", "message"),
    [
        ([(1, 2, "inf"), (2, 2, "")], {}, "inter.rating has 1 infinite values, and 1 missing ones"),
        ([(1, 2, "-inf")], {"normalize_all": True}, "has 1 infinite values, and they are normal"),
        ([(1, 2, "1e400")], {"normalize_field": ["rating"]}, "1 infinite values, and they are"),
        ([(1, 2, "inf")], {}, None),
    ],
)
def test_infinite_values_do_not_spread(at, settings, message, own_folder):
    """By the mean that fills what is missing, or by the range that normalises."""
    _shop(own_folder, _rows(at=at))
    if message is None:
        assert len(_load(**settings)) == 60
        return
    with pytest.raises(UsageError, match=message):
        _load(**settings)


def test_filters_that_leave_nothing_say_what_they_left_out(own_folder):
    _shop(own_folder, _rows(at=[(1, 0, "")]))
    message = r"Some feat is empty.* Rows left out: 1 \(no user or item\), 59 \(val_interval\)"
    with pytest.raises(UsageError, match=message):
        _load(val_interval={"rating": "[8,9]"})
