"""Tables in files: separators, quotes, encodings, parquet, and what cannot be read."""

import csv
import gzip
import os
import sys
from pathlib import Path

import pytest
from import_files import HEADER, assert_refused, lines, write

from recbole_dsl.common.errors import UsageError
from recbole_dsl.data.importer import import_interactions


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
def test_a_text_file_is_read_by_its_suffix_or_first_line(name, separator):
    rows = [["user_id", "item_id", "rating"], ["007", "1.0", "4.5"], ["x", "i2", "3"]]
    write(name.replace(".GZ", ".gz"), "\n".join(map(separator.join, rows)) + "\n")
    result = import_interactions(name.replace(".GZ", ".gz"), dataset="mine")
    assert lines() == [f"{HEADER}\trating:float", "007\t1.0\t4.5", "x\ti2\t3.0"]
    assert "benchmark_filename" not in result["settings"] and result["warnings"] == []


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
def test_a_separator_may_be_given(given, options):
    table = write("r.log", given + "\n")
    import_interactions(table, dataset="mine", header=False, **options)
    assert lines() == [HEADER, "a\tb"]


def test_unused_columns_may_hold_anything_quoted():
    text = 'review,user_id,item_id\n"two\nlines, ""and"" a comma",u1,"a,b c"\n\n,u2,i\n'
    import_interactions(write("r.csv", text), dataset="mine")
    assert lines() == [HEADER, "u1\ta,b c", "u2\ti"]


def test_quotes_may_be_plain_characters():
    table = write("r.tsv", 'user\titem\n"a\t5" disk\n')
    import_interactions(table, dataset="mine", quotes=False)
    assert list(csv.reader(lines(), delimiter="\t"))[1] == ['"a', '5" disk']


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings_end_as_utf8(encoding):
    table = write("r.csv", "user,item\nJosé,Ü\n", encoding)
    import_interactions(table, dataset="mine", encoding=encoding)
    assert lines() == [HEADER, "José\tÜ"]


def test_a_byte_order_mark_is_skipped():
    import_interactions(write("r.csv", "user,item\na,b\n", "utf-8-sig"), dataset="mine")
    assert lines() == [HEADER, "a\tb"]


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
        (
            "user,item\na,b\n".encode("utf-16"),
            "r.csv, line 1, is not utf-8 (invalid start byte): give --encoding=NAME, such as "
            "utf-16",
        ),
        ("", "r.csv is empty"),
        ("\n \n", "r.csv is empty"),
    ],
)
def test_a_text_that_is_no_table_is_refused(text, message):
    assert_refused(message, write("r.csv", text))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "utf-9"}, "--encoding: unknown encoding: utf-9"),
        ({"sep": '"'}, "--sep='\"' cannot separate fields"),
        ({"sep": ""}, "--sep='' cannot separate fields"),
    ],
)
def test_bad_options_are_refused(options, message):
    assert_refused(message, write("r.csv", "user,item\na,b\n"), **options)


def test_files_that_are_no_tables_are_refused():
    assert_refused(
        "r.xlsx: unknown file type '.xlsx'; known are csv, tsv, txt, dat (also .gz) and parquet; "
        "--sep=SEPARATOR reads any other text file",
        "r.xlsx",
    )
    assert_refused("cannot read r.csv: [Errno 2] No such file or directory: 'r.csv'", "r.csv")
    broken = gzip.compress(b"user,item\n" + b"a,b\n" * 9999)[:-20]
    Path("cut.csv.gz").write_bytes(broken)
    with pytest.raises(UsageError, match=r"^cannot read cut\.csv\.gz: Compressed file ended"):
        import_interactions("cut.csv.gz", dataset="mine")
    Path("plain.csv.gz").write_bytes(b"user,item\na,b\n")
    with pytest.raises(UsageError, match=r"^cannot read plain\.csv\.gz: Not a gzipped file"):
        import_interactions("plain.csv.gz", dataset="mine")


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert_refused("reading r.parquet needs pyarrow: pip install recbole_dsl[parquet]", "r.parquet")


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
    assert lines()[1:] == [
        "18446744073709551615\t007\t4\t1400000000.25",
        "7\tb\t5\t0.0",
    ]


def test_parquet_and_text_of_one_split_share_their_ids():
    train = _parquet(user=[1, 2], item=["x", "y"])
    test = write("test.csv", "user,item\n1,y\n")
    assert import_interactions(train=train, test=test, dataset="mine")["warnings"] == []


def test_bad_parquet_values_are_named_by_row():
    assert_refused(
        "r.parquet, row 2, column user: user '' is empty",
        _parquet(user=[1, None], item=["a", "b"]),
    )
    assert_refused(
        "r.parquet, row 1, column user: user 1.0 is a float; ids must be text or integers",
        _parquet(user=[1.0, 2.0], item=["a", "b"]),
    )
    assert_refused(
        "r.parquet, row 2, column rating: rating nan is not a finite number; --rating=None leaves "
        "the column out",
        _parquet(user=[1, 2], item=["a", "b"], rating=[1.0, float("nan")]),
    )
    assert_refused(
        "r.parquet has no column 'usr' for --user (columns: user, item); did you mean user?",
        _parquet(user=[1], item=[2]),
        user="usr",
    )
    assert_refused("r.parquet has no rows", _parquet(user=[], item=[]))
    assert_refused(
        "r.parquet: --sep, --header and --quotes are for text files", "r.parquet", sep=","
    )
    Path("r.parquet").write_text("user,item\n")
    with pytest.raises(UsageError, match=r"^cannot read r\.parquet: .*\S$"):
        import_interactions("r.parquet", dataset="mine")


@pytest.mark.parametrize("name", ["r.csv", "r.parquet", "r.csv.gz"])
def test_pipes_are_refused_before_they_are_opened(name):
    os.mkfifo(name)
    message = f"{name} is a pipe or a device; an import reads files, some of them twice"
    assert_refused(message, name)
    assert_refused(message, train=write("t.csv", "user,item\na,b\n"), test=name)
    assert_refused(message.replace(name, "/dev/null"), "/dev/null")


@pytest.mark.parametrize("blank", ["", " ", "\t", "  \t "])
def test_lines_of_blanks_are_no_rows(blank, own_folder):
    write("mine.csv", f"{blank}\nuser_id,item_id\nu1,i1\n{blank}\nu2,i2\nu3\n{blank}\n")
    with pytest.raises(UsageError, match=r"mine.csv, line 6: 1 fields"):
        import_interactions("mine.csv", dataset="mine")
    write("mine.csv", f"user_id,item_id\nu1,i1\n{blank}\nu2,i2\n{blank}\n")
    import_interactions("mine.csv", dataset="mine")
    assert lines()[1:] == ["u1\ti1", "u2\ti2"]
