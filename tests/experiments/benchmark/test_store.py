import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.benchmark.store import RESULTS, Store, read_plan, write_plan

RECORDS = [{"key": key, "value": "x\u2028\x85y" * 3} for key in "abc"]


@pytest.fixture
def folder(tmp_path):
    store = Store(tmp_path / "out")
    for record in RECORDS:
        store.append(record)
    store.close()
    return tmp_path / "out"


def test_records_come_back_and_the_last_of_a_key_wins(folder):
    store = Store(folder)
    assert list(store.records.values()) == RECORDS and not store.dropped_line
    store.append({"key": "b", "value": 2})
    store.close()
    store = Store(folder)
    assert store.records["b"] == {"key": "b", "value": 2} and len(store.records) == 3
    store.close()


def test_a_last_line_cut_anywhere_is_dropped_and_the_next_one_is_whole(folder):
    path = folder / RESULTS
    content = path.read_bytes()
    whole = content.rfind(b"\n", 0, -1) + 1
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        store = Store(folder)
        assert list(store.records) == ["a", "b"] and store.dropped_line == (length > whole), length
        store.append(RECORDS[2])
        store.close()
        assert path.read_bytes() == content


def test_zeros_that_a_crash_leaves_at_the_end_are_dropped(folder):
    path = folder / RESULTS
    content = path.read_bytes()
    path.write_bytes(content + b"\0" * 50)
    store = Store(folder)
    assert list(store.records) == ["a", "b", "c"] and store.dropped_line
    store.close()
    assert path.read_bytes() == content


def test_a_broken_line_in_the_middle_is_an_error_and_left_as_it_is(folder):
    path = folder / RESULTS
    lines = path.read_bytes().splitlines(keepends=True)
    content = b"".join([lines[0], b'{"key": \n', *lines[1:]])
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"results.jsonl, line 2, is no record"):
        Store(folder)
    assert path.read_bytes() == content


def test_two_benchmarks_cannot_share_a_folder(folder):
    store = Store(folder)
    with pytest.raises(UsageError, match="another benchmark is at work there"):
        Store(folder)
    store.close()
    Store(folder).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--output=.*file/out cannot be used: Not a directory"):
        Store(tmp_path / "file" / "out")


def test_a_plan_comes_back_and_a_missing_one_is_named(folder):
    with pytest.raises(UsageError, match="there is no benchmark in"):
        read_plan(folder)
    write_plan(folder, {"runs": [1]})
    assert read_plan(folder) == {"runs": [1]}
