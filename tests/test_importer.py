"""The importer: what it accepts, what it refuses, and that RecBole reads back what went in."""

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recbole_dsl.importer import atomic, import_interactions, main
from recbole_dsl.importer import report as import_report
from recbole_dsl.settings import UsageError

HEADER = "user_id:token\titem_id:token"


@pytest.fixture
def write(tmp_path):
    """Writes a file beside the dataset folder and returns its name, relative to where tests run."""

    def write(name, text, encoding="utf-8"):
        data = text.encode(encoding) if isinstance(text, str) else text
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return name

    return write


def _lines(name="mine", part=""):
    text = Path("dataset", name, f"{name}{part}.inter").read_bytes().decode()
    assert text.endswith("\n") and "\r" not in text
    return text.splitlines()


def _refused(message, *arguments, **options):
    """The import is refused with exactly this message, on one line, and leaves nothing."""
    with pytest.raises(UsageError) as caught:
        import_interactions(*arguments, **{"dataset": "mine", **options})
    assert str(caught.value) == message
    assert "\n" not in message
    assert not Path("dataset").exists()


def _dataset(name="mine", **settings):
    """The dataset as RecBole loads it."""
    from recbole_dsl.config import Config
    from recbole_dsl.data import load_dataset

    return load_dataset(Config("MF_SL", name, config_dict={"state": "ERROR", **settings}))


def _tokens(dataset):
    """RecBole's interactions as pairs of ids."""
    rows = dataset.inter_feat
    users = dataset.id2token("user_id", np.asarray(rows["user_id"]))
    items = dataset.id2token("item_id", np.asarray(rows["item_id"]))
    return list(zip(users.tolist(), items.tolist(), strict=True))


# Formats and columns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "separator"),
    [
        ("r.csv", ","),
        ("r.tsv", "\t"),
        ("r.csv.gz", ","),
        ("R.TSV.GZ", "\t"),
        ("r.v2.txt", "\t"),
        ("r.txt", ";"),
        ("r.txt.gz", "|"),
        ("r.dat", "::"),
        ("r.data", " "),
    ],
)
def test_a_text_file_is_read_by_its_suffix_or_first_line(write, name, separator):
    rows = [["user_id", "item_id", "rating"], ["007", "1.0", "4.5"], ["x", "i2", "3"]]
    write(name.replace(".GZ", ".gz"), "\n".join(map(separator.join, rows)) + "\n")
    result = import_interactions(name.replace(".GZ", ".gz"), dataset="mine")
    assert _lines() == [f"{HEADER}\trating:float", "007\t1.0\t4.5", "x\ti2\t3.0"]
    assert result["benchmark_filename"] is None and result["warnings"] == []


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ("a;b", {"sep": ";"}),
        ("a\tb", {"sep": "tab"}),
        ("a\tb", {"sep": "\\t"}),
        ("a<>b", {"sep": "<>"}),
        ('"a","b"', {"sep": ","}),
        ("a,b\r", {"sep": ","}),
        ("  a ,  b ", {"sep": ","}),
    ],
)
def test_a_separator_may_be_told(write, given, options):
    table = write("r.log", given + "\n")
    import_interactions(table, dataset="mine", header=False, **options)
    assert _lines() == [HEADER, "a\tb"]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("userId,movieId,rating,timestamp", "userId movieId rating timestamp"),
        ("USER,Item,Stars,TS", "USER Item Stars TS"),
        ("user_procid,item_procid,score,time", "user_procid item_procid score time"),
        ("reviewerID,asin,overall,unixReviewTime", "reviewerID asin overall unixReviewTime"),
        ("user,user_id,item_id,rating,timestamp", "user_id item_id rating timestamp"),
        ("user-idx,iid,rating,timestamp", "user-idx iid rating timestamp"),
        (
            "user_id:token,item_id:token,rating:float,timestamp:float",
            "user_id:token item_id:token rating:float timestamp:float",
        ),
    ],
)
def test_usual_column_names_are_recognised(write, header, columns):
    table = write("r.csv", header + "\n" + ",".join("12345"[: header.count(",") + 1]) + "\n")
    chosen = import_interactions(table, dataset="mine")["columns"]["all"]
    roles = ("user", "item", "rating", "timestamp")
    assert chosen == dict(zip(roles, columns.split(), strict=True))


def test_columns_are_named_or_left_out(write):
    table = write("r.csv", "rating,buyer,sku,when\n5,u,i,9\n")
    options = {"user": "buyer", "item": "sku", "timestamp": "when", "rating": None}
    import_interactions(table, dataset="mine", **options)
    assert _lines() == [f"{HEADER}\ttimestamp:float", "u\ti\t9"]


def test_columns_without_header_are_numbers_from_one(write):
    table = write("r.csv", "5,u,i,9\n4,v,j,8\n")
    import_interactions(table, dataset="mine", header=False, user=2, item="3", timestamp=4)
    assert _lines() == [f"{HEADER}\ttimestamp:float", "u\ti\t9", "v\tj\t8"]
    import_interactions(table, dataset="other", header=False)
    assert _lines("other") == [HEADER, "5\tu", "4\tv"]


def test_unused_columns_may_hold_anything_quoted(write):
    text = 'review,user_id,item_id\n"two\nlines, ""and"" a comma",u1,"a,b c"\n\n,u2,i\n'
    import_interactions(write("r.csv", text), dataset="mine")
    assert _lines() == [HEADER, "u1\ta,b c", "u2\ti"]


def test_quotes_may_be_plain_characters(write):
    table = write("r.tsv", 'user\titem\n"a\t5" disk\n')
    import_interactions(table, dataset="mine", quotes=False)
    assert list(csv.reader(_lines(), delimiter="\t"))[1] == ['"a', '5" disk']


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings_end_as_utf8(write, encoding):
    table = write("r.csv", "user,item\nJosé,Ü\n", encoding)
    import_interactions(table, dataset="mine", encoding=encoding)
    assert _lines() == [HEADER, "José\tÜ"]


def test_a_byte_order_mark_is_skipped(write):
    import_interactions(write("r.csv", "user,item\na,b\n", "utf-8-sig"), dataset="mine")
    assert _lines() == [HEADER, "a\tb"]


# What cannot be done ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("u,i,1,1\n,i,1,1", "line 3, column user: user '' is empty"),
        ("u,i,1,1\nu,   ,1,1", "line 3, column item: item '' is empty"),
        (
            '"u\tv",i,1,1',
            "line 2, column user: user 'u\\tv' holds a tab, a line break or another control "
            "character",
        ),
        (
            '\n"u",i,1,1\nu,"i\n\nj",1,1',
            "line 4, column item: item 'i\\n\\nj' holds a tab, a line break or another control "
            "character",
        ),
        (
            "u,NA,1,1",
            "line 2, column item: item 'NA' is what RecBole reads as a missing value; rename that "
            "id",
        ),
        (
            "[PAD],i,1,1",
            "line 2, column user: user '[PAD]' is RecBole's own padding id; rename that id",
        ),
        (
            "u,i,1,1\nu,i,good,1",
            "line 3, column rating: rating 'good' is not a number; --rating=None leaves the "
            "column out",
        ),
        (
            "u,i,,1",
            "line 2, column rating: rating '' is not a number; --rating=None leaves the column out",
        ),
        (
            "u,i,nan,1",
            "line 2, column rating: rating 'nan' is not a finite number; --rating=None leaves the "
            "column out",
        ),
        (
            "u,i,1_0,1",
            "line 2, column rating: rating '1_0' is not a finite number; --rating=None leaves the "
            "column out",
        ),
        (
            "u,i,1,2014-01-01",
            "line 2, column time: timestamp '2014-01-01' is not a number; --timestamp=None leaves "
            "the column out",
        ),
        ("u,i,1,1\nu,i,1", "line 3: 3 fields (separator ','), but the first line has 4"),
        ("u,i,1,1,", "line 2: 5 fields (separator ','), but the first line has 4"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(write, rows, message):
    table = write("r.csv", f"user,item,rating,time\n{rows}\nu,i,1,1\n")
    _refused(f"r.csv, {message}", table)


def test_a_bad_row_far_down_is_named(write):
    rows = [f"u{n},i\n" for n in range(3 * atomic.CHUNK)]
    rows[atomic.CHUNK + 7] = ",i\n"
    table = write("r.csv.gz", "user,item\n" + "".join(rows))
    _refused(f"r.csv.gz, line {atomic.CHUNK + 9}, column user: user '' is empty", table)


def test_a_long_value_is_cut_in_the_message(write):
    table = write("r.csv", "user,item,rating\nu,i," + "x" * 500 + "\n")
    with pytest.raises(UsageError, match=r"rating 'x{56}\.\.\. is not a number"):
        import_interactions(table, dataset="mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'user,item\na,b\n"c,d\ne,f\n',
            "r.csv, line 3: unexpected end of data (--quotes=False if quotes mean nothing in this "
            "file)",
        ),
        (
            'user,item\n"a"b,c\n',
            "r.csv, line 2: ',' expected after '\"' (--quotes=False if quotes mean nothing in this "
            "file)",
        ),
        (
            "user,item\na,b\nJosé,c\n".encode("latin-1"),
            "r.csv, line 3, is not utf-8 (invalid continuation byte): give --encoding=NAME, such "
            "as latin-1",
        ),
        ("", "r.csv is empty"),
        ("\n \n", "r.csv is empty"),
        ("user,item\n", "r.csv has no rows"),
        ("user,item\n\n", "r.csv has no rows"),
        (
            "client,item\na,b\n",
            "r.csv has no column that is known to hold users (columns: client, item): give "
            "--user=COLUMN",
        ),
        (
            "user,itm_id\na,b\n",
            "r.csv has no column that is known to hold items (columns: user, itm_id): give "
            "--item=COLUMN; did you mean itm_id?",
        ),
        (
            "user_id;item_id\na;b\n",
            "r.csv has no column that is known to hold users (columns: user_id;item_id, separator "
            "','): give --user=COLUMN",
        ),
        (
            "1,1193,5\n1,661,3\n",
            "r.csv has no column that is known to hold users (columns: 1, 1193, 5; no header? "
            "--header=False): give --user=COLUMN",
        ),
        (
            "user,User,item\na,b,c\n",
            "r.csv has columns 'user' and 'User': choose with --user=COLUMN",
        ),
        ("user,user,item\na,b,c\n", "r.csv has more than one column 'user'"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_why(write, text, message):
    _refused(message, write("r.csv", text))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"user": "usr"},
            "r.csv has no column 'usr' for --user (columns: user, item); did you mean user?",
        ),
        ({"rating": "stars"}, "r.csv has no column 'stars' for --rating (columns: user, item)"),
        ({"item": "user"}, "r.csv: column 'user' is both --user and --item"),
        ({"user": None}, "--user needs a column: every row has a user and an item"),
        (
            {"header": False, "user": 0},
            "r.csv has no column '0' for --user (columns: 1, 2; no header? --header=False)",
        ),
        (
            {"header": False},
            "r.csv: the first line, user, item, is a header: leave out --header=False",
        ),
        ({"encoding": "utf-9"}, "--encoding: unknown encoding: utf-9"),
        ({"sep": '"'}, "--sep='\"' cannot separate fields"),
        ({"sep": ""}, "--sep='' cannot separate fields"),
        ({"dataset": "../x"}, "--dataset must be the name of a folder, got '../x'"),
        ({"dataset": " "}, "--dataset must be the name of a folder, got ' '"),
        ({"dataset": ""}, "--dataset must be the name of a folder, got ''"),
        (
            {"dataset": "ml-100k"},
            "RecBole reads its own copy of ml-100k, always: choose another --dataset",
        ),
        (
            {"test": "r.csv"},
            "give either one file or --train and --test, not r.csv and both",
        ),
    ],
)
def test_bad_options_are_refused(write, options, message):
    _refused(message, write("r.csv", "user,item\na,b\n"), **options)


def test_files_that_are_no_tables_are_refused(write):
    _refused(
        "r.xlsx: unknown file type '.xlsx'; known are csv, tsv, txt, dat (also .gz) and parquet; "
        "--sep=SEPARATOR reads any other text file",
        "r.xlsx",
    )
    _refused("cannot read r.csv: [Errno 2] No such file or directory: 'r.csv'", "r.csv")
    broken = gzip.compress(b"user,item\n" + b"a,b\n" * 9999)[:-20]
    Path("cut.csv.gz").write_bytes(broken)
    with pytest.raises(UsageError, match=r"^cannot read cut\.csv\.gz: Compressed file ended"):
        import_interactions("cut.csv.gz", dataset="mine")
    Path("plain.csv.gz").write_bytes(b"user,item\na,b\n")
    with pytest.raises(UsageError, match=r"^cannot read plain\.csv\.gz: Not a gzipped file"):
        import_interactions("plain.csv.gz", dataset="mine")


def test_files_that_are_there_are_only_replaced_when_told(write):
    table = write("r.csv", "user,item\na,b\n")
    import_interactions(table, dataset="mine")
    write("r.csv", "user,item\nc,d\n")
    message = r"^dataset.mine already holds mine\.inter; --overwrite replaces them$"
    with pytest.raises(UsageError, match=message):
        import_interactions(table, dataset="mine")
    assert _lines() == [HEADER, "a\tb"]
    import_interactions(table, dataset="mine", overwrite=True)
    assert _lines() == [HEADER, "c\td"]
    import_interactions(train=table, test=table, dataset="mine")  # other names, no conflict
    assert len(list(Path("dataset/mine").iterdir())) == 3


def test_a_failing_write_leaves_what_was_there(write, monkeypatch):
    table = write("r.csv", "user,item\na,b\n")
    import_interactions(train=table, test=table, dataset="mine")
    before = sorted(path.name for path in Path("dataset/mine").iterdir())
    write("r.csv", "user,item\nc,d\n")
    calls, whole = [], atomic._write_part

    def fails_at_the_second(*arguments):
        calls.append(arguments)
        whole(*arguments)
        if len(calls) == 2:
            raise OSError("No space left on device")

    monkeypatch.setattr(atomic, "_write_part", fails_at_the_second)
    with pytest.raises(UsageError, match=r"^cannot write dataset.mine: No space left on device$"):
        import_interactions(train=table, test=table, dataset="mine", overwrite=True)
    assert sorted(path.name for path in Path("dataset/mine").iterdir()) == before
    assert _lines(part=".train") == _lines(part=".test") == [HEADER, "a\tb"]


# Splits -------------------------------------------------------------------------------------------


def test_a_split_becomes_one_file_each(write):
    train = write("train.tsv.gz", "user_procid\titem_procid\n0\t5\n1\t5\n")
    test = write("test.tsv.gz", "user_procid\titem_procid\n0\t6\n")
    result = import_interactions(train=train, test=test, dataset="mine")
    assert result["benchmark_filename"] == ["train", "test"]
    assert (
        result["files"]
        == [str(Path("dataset/mine", f"mine.{p}.inter")) for p in result["parts"]][:2]
    )
    assert _lines(part=".train") == [HEADER, "0\t5", "1\t5"]
    assert _lines(part=".test") == [HEADER, "0\t6"]
    assert not Path("dataset/mine/mine.inter").exists()


def test_parts_may_differ_in_format_and_order_of_columns(write):
    train = write("train.csv", "rating,user,item\n5,a,b\n")
    test = write("test.tsv", "item_id\tstars\tuser_id\nc\t4\ta\n")
    import_interactions(train=train, test=test, dataset="mine")
    assert _lines(part=".train")[1:] == ["a\tb\t5"]
    assert _lines(part=".test")[1:] == ["a\tc\t4"]


def test_a_bad_part_stops_all(write):
    good, empty = write("good.csv", "user,item\na,b\n"), write("empty.csv", "user,item\n")
    rated = write("rated.csv", "user,item,stars\na,b,5\n")
    _refused("empty.csv has no rows", train=good, valid=empty, test=good)
    _refused(
        "rated.csv has a rating (stars) and good.csv has none: name it, or leave it out with "
        "--rating=None",
        train=good,
        test=rated,
    )
    _refused("--test=FILE is missing beside --train", train=good)
    _refused("--train=FILE is missing beside --valid, --test", valid=good, test=good)
    _refused("no file is given: FILE, or --train=FILE --test=FILE (see --help)")


def test_leaks_and_strangers_between_parts_are_counted(write):
    train = write("train.csv", "user,item\na,x\na,x\na,y\nb,x\n")
    valid = write("valid.csv", "user,item\na,y\n c,x\n")
    test = write("test.csv", "user,item\na,y\nc,z\nd,z\na,x\na,x\n")
    result = import_interactions(train=train, valid=valid, test=test, dataset="mine")
    assert result["benchmark_filename"] == ["train", "valid", "test"]
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


# The summary --------------------------------------------------------------------------------------


def test_the_summary_counts_each_part_and_all(write):
    train = write("train.csv", "user,item,time\na,x,1400000000\na,y,1300000000\nb,x,5\n")
    test = write("test.csv", "user,item,time\nb,y,1500000000\n")
    result = import_interactions(train=train, test=test, dataset="mine")
    assert result["parts"]["train"] == {
        "rows": 3, "users": 2, "items": 2, "density": 75.0, "min": 1, "median": 1.5, "max": 2,
        "first": 5.0, "last": 1.4e9, "repeated": 0,
    }  # fmt: skip
    assert result["parts"]["all"]["last"] == 1.5e9 and result["parts"]["all"]["rows"] == 4
    files = [str(Path("dataset/mine") / f"mine.{part}.inter") for part in ("train", "test")]
    assert import_report.report(result).splitlines() == [
        "columns: user = user, item = item, timestamp = time",
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
        "for a property file (--config_files=FILE):",
        "  benchmark_filename: [train, test]",
        "  load_col: {inter: [user_id, item_id, timestamp]}",
    ]


def test_ids_with_blanks_around_them_are_one_id_and_counted(write):
    result = import_interactions(write("r.csv", "user,item\na,x\na ,x\n a,y z\n"), dataset="mine")
    assert _lines() == [HEADER, "a\tx", "a\tx", "a\ty z"]
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
    assert import_report._moment(value) == text


# What RecBole reads -------------------------------------------------------------------------------

ODD = [
    "007", "7", "1.0", "1e5", "12345678901234567890", "a b", "a,b", 'a"b', '"a"', '"', '""', '"a',
    'a"', "it's", "#c", "a\\b", "a\\", "True", "na", "none", "NAN", "[pad]", "é", "日本", "-",
    "a\u00a0b", "a\u2028b", "a\u0085b", "0", "-0", "+1", "0x1F", "1_000", "inf", "user_id:token",
]  # fmt: skip


def test_recbole_reads_every_odd_id_back_exactly(own_folder):
    pairs = [(user, item) for user in ODD for item in ODD[:3]] + [("u", item) for item in ODD]
    with open("r.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("user", "item"), *pairs])
    import_interactions("r.csv", dataset="mine")
    assert _tokens(_dataset()) == pairs


def test_recbole_reads_numbers_back_exactly(write):
    stars = ["0.1", "5", "-3", "1e-7", "3.3333333333333335"]
    times = ["1400000000", "1400000000.25", "0", "9007199254740993", "1.5e18"]
    rows = "".join(f"u{n},i,{s},{t}\n" for n, (s, t) in enumerate(zip(stars, times, strict=True)))
    result = import_interactions(write("r.csv", "user,item,rating,time\n" + rows), dataset="mine")
    hint = import_report.report(result).splitlines()[-1]
    assert hint == "  load_col: {inter: [user_id, item_id, rating, timestamp]}"
    written = [line.split("\t")[2:] for line in _lines()[1:]]
    assert [float(star) for star, _ in written] == list(map(float, stars))
    assert [float(time) for _, time in written] == list(map(float, times))
    fields = ["user_id", "item_id", "rating", "timestamp"]
    loaded = _dataset(load_col={"inter": fields}).inter_feat
    assert np.asarray(loaded["rating"]).tolist() == pytest.approx([float(s) for s in stars])


def test_recbole_reads_a_split_with_the_line_that_is_printed(write, capsys):
    train = write("train.tsv.gz", "user_procid\titem_procid\n" + "0\t5\n1\t5\n2\t07\n" * 2)
    test = write("test.tsv.gz", 'user_procid\titem_procid\n0\t"6"\n"1"\t07\n')
    arguments = [f"--train={train}", f"--valid={test}", f"--test={test}", "--dataset=mine"]
    assert main(arguments) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "  benchmark_filename: [train, valid, test]"
    dataset = _dataset(benchmark_filename=["train", "valid", "test"])
    assert _tokens(dataset)[-2:] == [("0", "6"), ("1", "07")]
    assert [len(part) for part in dataset.build()] == [6, 2, 2]


def test_every_word_that_pandas_takes_for_missing_is_refused(write):
    frame = pd.DataFrame({"user_id:token": sorted(atomic._MISSING)})
    frame.to_csv("words.tsv", index=False, quoting=csv.QUOTE_ALL)
    read = pd.read_csv("words.tsv", delimiter="\t", dtype=str, engine="python")
    lost = read["user_id:token"].isna()
    # Each version of pandas has its own list; ours holds the words of all of them.
    assert lost.sum() >= 17
    from pandas._libs.parsers import STR_NA_VALUES

    assert STR_NA_VALUES - {""} <= atomic._MISSING
    for word in atomic._MISSING:
        with pytest.raises(atomic.BadValue, match="missing value"):
            atomic.token(f" {word} ")


# Parquet ------------------------------------------------------------------------------------------


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    _refused("reading r.parquet needs pyarrow: pip install recbole_dsl[parquet]", "r.parquet")


def _parquet(name="r.parquet", **columns):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(columns), name)
    return name


def test_parquet_keeps_integers_exact_and_turns_moments_into_seconds():
    arrow = pytest.importorskip("pyarrow")
    moments = arrow.array([1_400_000_000_250, 0], arrow.timestamp("ms", tz="UTC"))
    big = arrow.array([2**64 - 1, 7], arrow.uint64())
    words = arrow.array(["007", "b"]).dictionary_encode()
    table = _parquet(text=["long", "text"], user_id=big, item_id=words, rating=[4, 5], ts=moments)
    result = import_interactions(table, dataset="mine")
    assert result["columns"]["all"]["timestamp"] == "ts"
    assert _lines()[1:] == [
        "18446744073709551615\t007\t4\t1400000000.25",
        "7\tb\t5\t0.0",
    ]


def test_parquet_and_text_of_one_split_share_their_ids(write):
    train = _parquet(user=[1, 2], item=["x", "y"])
    test = write("test.csv", "user,item\n1,y\n")
    assert import_interactions(train=train, test=test, dataset="mine")["warnings"] == []


def test_bad_parquet_values_are_named_by_row():
    _refused(
        "r.parquet, row 2, column user: user '' is empty",
        _parquet(user=[1, None], item=["a", "b"]),
    )
    _refused(
        "r.parquet, row 1, column user: user 1.0 is a float; ids must be text or integers",
        _parquet(user=[1.0, 2.0], item=["a", "b"]),
    )
    _refused(
        "r.parquet, row 2, column rating: rating nan is not a finite number; --rating=None leaves "
        "the column out",
        _parquet(user=[1, 2], item=["a", "b"], rating=[1.0, float("nan")]),
    )
    _refused(
        "r.parquet has no column 'usr' for --user (columns: user, item); did you mean user?",
        _parquet(user=[1], item=[2]),
        user="usr",
    )
    _refused("r.parquet has no rows", _parquet(user=[], item=[]))
    _refused("r.parquet: --sep, --header and --quotes are for text files", "r.parquet", sep=",")
    Path("r.parquet").write_text("user,item\n")
    with pytest.raises(UsageError, match=r"^cannot read r\.parquet: .*\S$"):
        import_interactions("r.parquet", dataset="mine")


# The command line ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["r.csv", "--dataset=mine", "--sep=;", "--rating=None"],
        ["--sep", ";", "--rating", "None", "--dataset", "mine", "r.csv"],
        ["-d", "mine", "--overwrite", "r.csv", "--sep=;", "--rating="],
        ["-d", "mine", "--overwrite", "True", "r.csv", "--sep=;", "--rating=None"],
        [
            "-d",
            "mine",
            "r.csv",
            "--sep=;",
            "--rating=None",
            "--header",
            "True",
            "--overwrite=False",
        ],
    ],
)
def test_main_takes_flags_in_any_order_and_prints_the_summary(write, capsys, arguments):
    write("r.csv", "user;item;rating\na;b;bad\n")
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.startswith("columns: user = user, item = item\npart  rows") and err == ""
    assert out.endswith(f"wrote {Path('dataset/mine/mine.inter')}\n")
    assert _lines() == [HEADER, "a\tb"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--dataset=NAME is missing: the name of the dataset to make"),
        (["--dataset=d"], "no file is given: FILE, or --train=FILE --test=FILE (see --help)"),
        (["a.csv", "b.csv"], "one FILE at a time, got a.csv and b.csv; a split has flags"),
        (["a.csv", "--usr=x"], "unknown flag --usr; did you mean user? (see --help)"),
        (["a.csv", "--user=x", "--user=y"], "--user is given twice: 'x' and 'y'"),
        (["a.csv", "--header=maybe"], "--header must be True or False, got 'maybe'"),
        (["a.csv", "--dataset"], "--dataset needs a value: --dataset=VALUE"),
        (
            ["a.csv", "--dataset=d"],
            "cannot read a.csv: [Errno 2] No such file or directory: 'a.csv'",
        ),
    ],
)
def test_main_says_in_one_line_what_is_wrong_and_returns_two(capsys, arguments, message):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {message}\n")
    assert not Path("dataset").exists()


def test_help_runs_as_a_module_and_fits_a_terminal():
    text = _python("-m", "recbole_dsl.importer", "--help")
    for flag in ("--dataset", "--train", "--valid", "--test", "--header", "--sep", "--overwrite"):
        assert flag in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_importer_starts_without_recbole_torch_or_pandas():
    code = "import sys, recbole_dsl.importer as x; x.main(['-h']); print(sorted(sys.modules))"
    loaded = _python("-c", code).splitlines()[-1]
    assert "'numpy'" in loaded
    for heavy in ("recbole", "torch", "pandas", "pyarrow"):
        assert f"'{heavy}'" not in loaded


def _python(*arguments):
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout
