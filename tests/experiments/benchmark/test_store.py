import json
import os

import pytest

from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.experiments.benchmark.store import RESULTS, Store, read_plan, write_plan

RECORD = dict(label="A", dataset="tiny", seed=0, folder="runs/a", wall_seconds=1.5)
RECORDS = [{"key": key, **RECORD, "status": "failed", "error": "x\u2028\x85y" * 3} for key in "abc"]


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
    store.append({**RECORDS[1], "seed": 2})
    store.close()
    store = Store(folder)
    assert store.records["b"] == {**RECORDS[1], "seed": 2} and len(store.records) == 3
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
    with pytest.raises(WriteError, match="--output=.*file/out cannot be used: Not a directory"):
        Store(tmp_path / "file" / "out")


@pytest.mark.parametrize("at_once", [0, 10])
def test_a_full_disk_leaves_the_lines_that_were_there(folder, monkeypatch, at_once):
    before = (folder / RESULTS).read_bytes()
    store, real = Store(folder), os.write

    def full(file, line):
        if at_once and file == store._file and len(line) > 100:
            return real(file, line[:at_once])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    line = {**RECORDS[0], "key": "d", "error": "x" if at_once else "x" * 200}
    with pytest.raises(WriteError, match="^cannot write .*results.jsonl: No space left on device$"):
        store.append(line)
    monkeypatch.undo()
    assert (folder / RESULTS).read_bytes() == before and "d" not in store.records
    store.close()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"status": "ok"}, "test is missing"),
        ({"status": "OK"}, "status is 'OK', not ok or failed"),
        ({"wall_seconds": None}, "wall_seconds is None"),
        ({"seed": True}, "seed is True"),
        ({"error": ["x" * 100]}, r"error is \['x{35}\.\.\.$"),
    ],
)
def test_a_line_that_is_no_record_is_named_with_what_is_wrong(folder, changed, reason):
    lines = (folder / RESULTS).read_bytes() + json.dumps({**RECORDS[0], **changed}).encode() + b"\n"
    (folder / RESULTS).write_bytes(lines)
    with pytest.raises(UsageError, match=f"results.jsonl, line 4, is no record of a run: {reason}"):
        Store(folder)
    assert (folder / RESULTS).read_bytes() == lines


def test_a_plan_comes_back_and_a_missing_one_is_named(folder):
    with pytest.raises(UsageError, match="there is no benchmark in"):
        read_plan(folder)
    protocol = {"eval_args": {"mode": {"test": "full"}}, "valid_metric": "MRR@10",
                "split_seed": 1, "test_sets": None}  # fmt: skip
    plan = dict(runs=[], protocol={"tiny": protocol}, budget={}, notes=[], reference="A",
                alternative="better")  # fmt: skip
    write_plan(folder, plan)
    assert read_plan(folder) == plan
    content = (folder / "plan.json").read_text()
    for length in range(len(content) - 1):
        (folder / "plan.json").write_text(content[:length])
        with pytest.raises(UsageError, match="plan.json is damaged: .*; the command that made"):
            read_plan(folder)
    (folder / "plan.json").write_text(content.replace('"MRR@10"', "7"))
    with pytest.raises(UsageError, match="is damaged: protocol.tiny.valid_metric is 7;"):
        read_plan(folder)
