"""Events between processes: what is written comes back, once, and only whole lines."""

import pickle

from recbole_dsl.experiments.events import EpochEvents, EventReader, append

EVENT = {"event": "trial", "text": "x\u2028\x85y"}


def test_only_new_events_come_back(tmp_path):
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    assert reader.new() == []  # the file does not exist yet
    append(path, EVENT)
    append(path, {**EVENT, "trial": 1})
    assert reader.new() == [EVENT, {**EVENT, "trial": 1}]
    assert reader.new() == []
    append(path, {**EVENT, "trial": 2})
    assert reader.new() == [{**EVENT, "trial": 2}]


def test_a_line_that_is_still_being_written_is_left_for_later(tmp_path):
    path, whole = tmp_path / "a", tmp_path / "b"
    append(whole, EVENT)
    line = whole.read_bytes()
    for length in range(len(line)):
        path.write_bytes(line + line[:length])
        reader = EventReader(path)
        assert reader.new() == [EVENT]
        path.write_bytes(line + line)
        assert reader.new() == [EVENT]


def test_a_run_reports_its_epochs(tmp_path):
    after_validation = pickle.loads(pickle.dumps(EpochEvents(tmp_path / "e")))
    after_validation(0, 0.25)
    after_validation(1, 0.5)
    assert EventReader(tmp_path / "e").new() == [
        {"event": "epoch", "epoch": 0, "score": 0.25},
        {"event": "epoch", "epoch": 1, "score": 0.5},
    ]


def test_half_a_line_that_a_full_disk_left_is_no_event(tmp_path):
    path = tmp_path / "events.jsonl"
    append(path, EVENT)
    with path.open("ab") as file:
        file.write(b'{"event": "tri')
    append(path, EVENT)  # joined to it
    append(path, EVENT)
    assert EventReader(path).new() == [EVENT, EVENT]
