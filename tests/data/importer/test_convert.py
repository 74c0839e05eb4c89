"""An import as a whole: one file or a split, all of it or nothing."""

import errno
from pathlib import Path

import pytest
from import_files import HEADER, assert_refused, lines, write

from recbole_dsl.common import files
from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.data.importer import atomic, import_interactions


@pytest.mark.parametrize(
    ("options", "message"),
    [
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
def test_bad_options_areassert_refused(options, message):
    assert_refused(message, write("r.csv", "user,item\na,b\n"), **options)


def test_files_that_are_there_are_replaced_only_with_overwrite():
    table = write("r.csv", "user,item\na,b\n")
    import_interactions(table, dataset="mine")
    write("r.csv", "user,item\nc,d\n")
    message = r"^dataset.mine already holds mine\.inter; --overwrite replaces them$"
    with pytest.raises(UsageError, match=message):
        import_interactions(table, dataset="mine")
    assert lines() == [HEADER, "a\tb"]
    import_interactions(table, dataset="mine", overwrite=True)
    assert lines() == [HEADER, "c\td"]
    import_interactions(train=table, test=table, dataset="mine")  # other names, no conflict
    assert len(list(Path("dataset/mine").iterdir())) == 3


def test_a_failing_write_leaves_what_was_there(monkeypatch):
    table = write("r.csv", "user,item\na,b\n")
    import_interactions(train=table, test=table, dataset="mine")
    before = sorted(path.name for path in Path("dataset/mine").iterdir())
    write("r.csv", "user,item\nc,d\n")
    flushed = []

    def fails_at_the_second(descriptor):
        flushed.append(descriptor)
        if len(flushed) % 2 == 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fails_at_the_second)
    for name in ("mine", "new"):
        message = rf"^cannot write dataset.{name}: No space left on device$"
        with pytest.raises(WriteError, match=message):
            import_interactions(train=table, test=table, dataset=name, overwrite=True)
    assert sorted(path.name for path in Path("dataset/mine").iterdir()) == before
    assert lines(part=".train") == lines(part=".test") == [HEADER, "a\tb"]
    assert [path.name for path in Path("dataset").iterdir()] == ["mine"]


def test_a_part_of_the_split_that_was_there_is_not_mixed_with_the_new_ones():
    table = write("r.csv", "user,item\na,b\n")
    parts = {"train": table, "test": table}
    import_interactions(**parts, valid=table, dataset="mine")
    with pytest.raises(UsageError, match="already holds .*mine.valid.inter"):
        import_interactions(**parts, dataset="mine")
    result = import_interactions(**parts, dataset="mine", overwrite=True)
    assert result["notes"][-1] == "mine.valid.inter of the split that was there is removed"
    assert sorted(path.name for path in Path("dataset/mine").iterdir()) == [
        "mine.test.inter",
        "mine.train.inter",
    ]


def test_a_split_becomes_one_file_each():
    train = write("train.tsv.gz", "user_procid\titem_procid\n0\t5\n1\t5\n")
    test = write("test.tsv.gz", "user_procid\titem_procid\n0\t6\n")
    result = import_interactions(train=train, test=test, dataset="mine")
    assert result["benchmark_filename"] == ["train", "test"]
    assert (
        result["files"]
        == [str(Path("dataset/mine", f"mine.{p}.inter")) for p in result["parts"]][:2]
    )
    assert lines(part=".train") == [HEADER, "0\t5", "1\t5"]
    assert lines(part=".test") == [HEADER, "0\t6"]
    assert not Path("dataset/mine/mine.inter").exists()


def test_every_row_is_kept_in_order_over_several_chunks():
    rows = [f"u{n % 7}\ti{n}\t{n % 5}" for n in range(5 * atomic.CHUNK // 2)]
    text = "\n".join(["user,item,rating", *(row.replace("\t", ",") for row in rows)])
    result = import_interactions(write("r.csv", text), dataset="mine")
    assert result["parts"]["all"]["rows"] == len(rows)
    assert lines()[1:] == rows


def test_parts_may_differ_in_format_and_order_of_columns():
    train = write("train.csv", "rating,user,item\n5,a,b\n")
    test = write("test.tsv", "item_id\tstars\tuser_id\nc\t4\ta\n")
    import_interactions(train=train, test=test, dataset="mine")
    assert lines(part=".train")[1:] == ["a\tb\t5"]
    assert lines(part=".test")[1:] == ["a\tc\t4"]


def test_a_bad_part_stops_all():
    good, empty = write("good.csv", "user,item\na,b\n"), write("empty.csv", "user,item\n")
    rated = write("rated.csv", "user,item,stars\na,b,5\n")
    assert_refused("empty.csv has no rows", train=good, valid=empty, test=good)
    assert_refused(
        "rated.csv has a rating (stars) and good.csv has none: name it, or leave it out with "
        "--rating=None",
        train=good,
        test=rated,
    )
    assert_refused("--test=FILE is missing beside --train", train=good)
    assert_refused("--train=FILE is missing beside --valid, --test", valid=good, test=good)
    assert_refused("no file is given: FILE, or --train=FILE --test=FILE (see --help)")


def test_a_folder_of_datasets_that_is_a_file_is_one_line():
    table = write("r.csv", "user,item\na,b\n")
    with pytest.raises(WriteError, match=r"^cannot write r.csv.mine: Not a directory$"):
        import_interactions(table, dataset="mine", data_path="r.csv")
