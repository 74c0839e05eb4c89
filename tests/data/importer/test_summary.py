"""What an import says of what it found."""

import re
from pathlib import Path

import pytest
from import_files import HEADER, lines, write

from recbole_dsl.data.importer import import_interactions
from recbole_dsl.data.importer.summary import report


def test_rows_in_two_parts_and_new_ids_are_counted():
    train = write("train.csv", "user,item\na,x\na,x\na,y\nb,x\n")
    valid = write("valid.csv", "user,item\na,y\n c,x\n")
    test = write("test.csv", "user,item\na,y\nc,z\nd,z\na,x\na,x\n")
    result = import_interactions(train=train, valid=valid, test=test, dataset="mine")
    assert result["settings"]["benchmark_filename"] == ["train", "valid", "test"]
    assert result["notes"] == [
        "rows that repeat a (user, item) pair, kept: 1 in train, 0 in valid, 1 in test",
    ]
    assert result["warnings"] == [
        "1 (user, item) pairs are in both train and valid",
        "2 (user, item) pairs are in both train and test",
        "1 (user, item) pairs are in both valid and test",
        "1 users of valid never occur in train",
        "2 users of test never occur in train",
        "1 items of test never occur in train",
    ]


def test_the_summary_counts_each_part_and_all():
    train = write("train.csv", "user,item,time\na,x,1400000000\na,y,1300000000\nb,x,5\n")
    test = write("test.csv", "user,item,time\nb,y,1500000000\n")
    result = import_interactions(train=train, test=test, dataset="mine")
    assert result["parts"]["train"] == {
        "rows": 3, "users": 2, "items": 2, "density": 75.0, "min": 1, "median": 1.5, "max": 2,
        "first": 5.0, "last": 1.4e9, "repeated": 0,
    }  # fmt: skip
    assert result["parts"]["all"]["last"] == 1.5e9 and result["parts"]["all"]["rows"] == 4
    files = [str(Path("dataset/mine") / f"mine.{part}.inter") for part in ("train", "test")]
    assert report(result).splitlines() == [
        "columns: user = user, item = item, timestamp = time (recognised by name)",
        "part   rows  users  items  density %  rows/user: min  median  max"
        "          first timestamp           last timestamp",
        "train     3      2      2         75               1     1.5    2"
        "                        5  1400000000 (2014-05-13)",
        "test      1      1      1        100               1       1    1"
        "  1500000000 (2017-07-14)  1500000000 (2017-07-14)",
        "all       4      2      2        100               2       2    2"
        "                        5  1500000000 (2017-07-14)",
        "rows that repeat a (user, item) pair, kept: 0 in train, 0 in test",
        f"wrote {files[0]}",
        f"wrote {files[1]}",
        f"wrote {Path('dataset/mine/mine.yaml')}",
        "--dataset=mine reads mine.yaml: load_col: {inter: [user_id, item_id, timestamp]}; "
        "benchmark_filename: [train, test]",
    ]


def test_ids_with_blanks_around_them_are_one_id_and_counted():
    result = import_interactions(write("r.csv", "user,item\na,x\na ,x\n a,y z\n"), dataset="mine")
    assert lines() == [HEADER, "a\tx", "a\tx", "a\ty z"]
    # The blanks after a separator or at a line's start are the CSV reader's to skip.
    assert result["notes"] == [
        "rows that repeat a (user, item) pair, kept: 1",
        "1 user ids had blanks around them, which are removed",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5e9, "1500000000 (2017-07-14)"),
        (1.5e12, "1500000000000 (2017-07-14)"),
        (12, "12"),
        (-1.5, "-1.5"),
        (1.5e18, "1.5e+18"),
    ],
)
def test_a_timestamp_shows_its_day_where_it_has_one(value, text):
    result = import_interactions(write("r.csv", f"user,item,time\na,x,{value}\n"), dataset="mine")
    row = report(result).splitlines()[2]
    assert re.split(" {2,}", row)[-2:] == [text, text]


def test_columns_that_are_not_used_are_named():
    table = write("r.csv", "user,title,item,rating,genre\na,t,x,5,g\n")
    result = import_interactions(table, dataset="mine", rating=None)
    assert result["notes"][-1] == "columns not used: title, rating, genre"
    assert "columns not used: title, rating, genre" in report(result)
    train, test = write("train.csv", "user,item,n\na,x,1\n"), write("t.csv", "user,item\na,x\n")
    result = import_interactions(train=train, test=test, dataset="split")
    assert result["notes"][-1] == "columns not used of train: n"
    many = write("m.csv", "user,item," + ",".join(f"c{n}" for n in range(25)) + "\na,b" + ",1" * 25)
    assert import_interactions(many, dataset="many")["notes"][-1].endswith("c18, c19 and 5 more")
    bare = write("b.csv", "a,x,5\n")
    result = import_interactions(bare, dataset="bare", header=False)
    assert result["notes"][-1] == "columns not used: 3"


def test_dates_without_a_zone_are_counted():
    table = write("r.csv", "user,item,time\na,x,2014-05-13\na,y,2014-05-13T10:00:00Z\n")
    result = import_interactions(table, dataset="mine")
    assert result["notes"][-1] == "1 dates without a time zone are read as UTC"
    assert lines()[1:] == ["a\tx\t1399939200", "a\ty\t1399975200"]
