"""An import as a whole: one file or a split, all of it or nothing."""

import errno
from pathlib import Path

import pytest
from import_files import HEADER, assert_refused, lines, write

from recbole_dsl.common import files
from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.common.property_files import read_yaml
from recbole_dsl.data.importer import atomic, import_interactions
from recbole_dsl.data.importer.summary import report


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
def test_bad_options_are_refused(options, message):
    assert_refused(message, write("r.csv", "user,item\na,b\n"), **options)


def test_files_that_are_there_are_replaced_only_with_overwrite():
    table = write("r.csv", "user,item\na,b\n")
    import_interactions(table, dataset="mine")
    write("r.csv", "user,item\nc,d\n")
    message = (
        r"^dataset.mine already holds mine\.inter, mine\.yaml; --overwrite \(overwrite=True\) "
        r"replaces them$"
    )
    with pytest.raises(UsageError, match=message):
        import_interactions(table, dataset="mine")
    assert lines() == [HEADER, "a\tb"]
    import_interactions(table, dataset="mine", overwrite=True)
    assert lines() == [HEADER, "c\td"]
    with pytest.raises(UsageError, match=r"^dataset.mine already holds mine\.yaml; --overwrite"):
        import_interactions(train=table, test=table, dataset="mine")  # runs would read the parts
    import_interactions(train=table, test=table, dataset="mine", overwrite=True)
    assert len(list(Path("dataset/mine").iterdir())) == 4


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
        "mine.yaml",
    ]


def test_a_split_becomes_one_file_each():
    train = write("train.tsv.gz", "user_procid\titem_procid\n0\t5\n1\t5\n")
    test = write("test.tsv.gz", "user_procid\titem_procid\n0\t6\n")
    result = import_interactions(train=train, test=test, dataset="mine")
    assert result["settings"]["benchmark_filename"] == ["train", "test"]
    names = ["mine.train.inter", "mine.test.inter", "mine.yaml"]
    assert result["files"] == [str(Path("dataset/mine", name)) for name in names]
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


def test_settings_changed_by_hand_are_kept_by_an_import_that_overwrites():
    table = write("r.csv", "user,item,stars,ts\na,b,5,1\n")
    import_interactions(table, dataset="mine")
    path = Path("dataset/mine/mine.yaml")
    path.write_text(path.read_text() + "threshold: {rating: 4}\n")
    result = import_interactions(table, dataset="mine", rating=None, overwrite=True)
    said = "mine.yaml had been written or changed by hand: it is kept as mine.yaml.old"
    assert said in result["notes"]
    assert "threshold" in Path("dataset/mine/mine.yaml.old").read_text()
    assert read_yaml(path) == {"load_col": {"inter": ["user_id", "item_id", "timestamp"]}}
    result = import_interactions(table, dataset="mine", overwrite=True)  # nothing to keep
    assert not [note for note in result["notes"] if "by hand" in note]


def test_a_file_of_settings_that_was_there_first_stops_an_import():
    table = write("r.csv", "user,item\na,b\n")
    Path("dataset/mine").mkdir(parents=True)
    Path("dataset/mine/mine.yaml").write_text("split_seed: 1\n")
    with pytest.raises(UsageError, match=r"^dataset.mine already holds mine\.yaml; --overwrite"):
        import_interactions(table, dataset="mine")
    assert [path.name for path in Path("dataset/mine").iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("customer_id,sku,stars,ts", "user_id item_id rating timestamp"),
        ("CustomerID,Product ID,review-score,created_at", "user_id item_id rating timestamp"),
        ("client_id,article,date,price", "user_id item_id timestamp"),
        ("buyer_id,product_code,name", "user_id item_id"),
        ("user,item_no,purchased_at,grade", "user_id item_id rating timestamp"),
    ],
)
def test_usual_names_of_columns_are_recognised_and_said(names, found):
    values = {"ts": "2024-05-13", "created_at": "2024-05-13T10:00:00Z", "date": "2024-05-13",
              "purchased_at": "5"}  # fmt: skip
    rows = ",".join(values.get(name, "3") for name in names.split(","))
    result = import_interactions(write("r.csv", f"{names}\n{rows}\n"), dataset="mine")
    assert result["settings"] == {"load_col": {"inter": found.split()}}
    assert set(result["recognised"]) == set(result["columns"]["all"])
    first = report(result).splitlines()[0]
    assert first.endswith(" (recognised by name)")
    for role, column in result["columns"]["all"].items():
        assert f"{role} = {column}" in first


def test_only_the_columns_that_were_not_named_are_said_to_be_recognised():
    table = write("r.csv", "who,sku,stars\na,b,5\n")
    result = import_interactions(table, dataset="mine", user="who", rating=None)
    line = "columns: user = who, item = sku (recognised by name: item)"
    assert report(result).splitlines()[0] == line
    bare = import_interactions(write("b.csv", "a,b\n"), dataset="bare", header=False)
    assert report(bare).splitlines()[0] == "columns: user = 1, item = 2"
