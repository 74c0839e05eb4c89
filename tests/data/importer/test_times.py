"""Times as numbers or ISO dates."""

import datetime

import numpy as np
import pytest
from import_files import assert_refused, lines, write

from recbole_dsl.data.importer import import_interactions
from recbole_dsl.data.importer.atomic import BadValue
from recbole_dsl.data.importer.times import Times

DAY = 1399939200.0  # 2014-05-13


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2014-05-13", DAY),
        ("2014-05-13 00:00", DAY),
        (" 2014-05-13T10:00:00 ", DAY + 36000),
        ("2014-05-13T10:00:00Z", DAY + 36000),
        ("2014-05-13t10:00:00z", DAY + 36000),
        ("2014-05-13 10:00:00 UTC", DAY + 36000),
        ("2014-05-13T10:00:00.25Z", DAY + 36000.25),
        ("2014-05-13T10:00:00,123456789Z", DAY + 36000.123456789),
        ("2014-05-13T10:00:00+02:00", DAY + 28800),
        ("2014-05-13T10:00:00-0530", DAY + 36000 + 19800),
        ("2014-05-13 10:00:00+02", DAY + 28800),
        ("1969-12-31T23:59:59Z", -1.0),
        (datetime.date(2014, 5, 13), DAY),
    ],
)
def test_dates_are_seconds_since_1970(text, seconds):
    times = Times()
    assert times.read([text]).tolist() == [seconds]
    assert times.dates


@pytest.mark.parametrize("text", ["1399939200", "1399939200123", "1399939200.5", "20140513", "-5"])
def test_numbers_stay_as_they_are(text):
    assert Times().read([text]).tolist() == [float(text)]


@pytest.mark.parametrize(
    ("values", "bad", "reason"),
    [
        (["13/05/2014"], "13/05/2014", "neither a number nor a date such as 2014-05-13"),
        (["2014-13-05"], "2014-13-05", "is no date: month"),
        (["2014-05-13T25:00"], "2014-05-13T25:00", "is no date"),
        (["2014-05-13", "1399939200"], "1399939200", "is no date such as"),
        (["1399939200", "2014-05-13"], "2014-05-13", "is a date, but others are numbers"),
        (["2014-05-13", ""], "", "is no date such as"),
        ([""], "", "neither a number nor a date"),
        (["inf"], "inf", "is not a finite number"),
    ],
)
def test_what_is_no_time_is_named(values, bad, reason):
    with pytest.raises(BadValue, match=reason) as caught:
        Times().read(values)
    assert caught.value.value == bad


def test_the_files_of_a_split_have_the_same_kind_of_times():
    train = write("train.csv", "user,item,time\na,x,1399939200\n")
    test = write("test.csv", "user,item,time\na,y,2014-05-13\n")
    assert_refused(
        "test.csv, line 2, column time: timestamp '2014-05-13' is a date, but others are numbers; "
        "--timestamp=None leaves the column out",
        train=train,
        test=test,
    )


def test_days_of_a_parquet_file_are_read():
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    days = [datetime.date(2014, 5, 13), datetime.date(2014, 5, 14)]
    table = pa.table({"user": ["a", "b"], "item": ["x", "y"], "time": days})
    pa.parquet.write_table(table, "r.parquet")
    import_interactions("r.parquet", dataset="mine")
    assert [float(line.split("\t")[2]) for line in lines()[1:]] == [DAY, DAY + 86400]


def test_many_dates_keep_their_order():
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    moments = [start + datetime.timedelta(milliseconds=7 * n) for n in range(1000)]
    assert (np.diff(Times().read([moment.isoformat() for moment in moments])) > 0).all()
