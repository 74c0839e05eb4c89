"""The lines a start logs, phase by phase."""

import logging
import re

import recbole_dsl
from recbole_dsl.common.timing import Clock

_LINE = re.compile(r"(.+?): (?:([\d,]+) rows, )?[\d,]+\.\d s, \d+\.\d GiB resident")


def test_a_line_says_rows_seconds_and_memory(caplog):
    caplog.set_level(logging.INFO)
    clock = Clock()
    first, second = clock.done("read big", 20_000_000), clock.done("model")
    assert first >= 0 and second >= 0
    named = [_LINE.fullmatch(line).groups() for line in caplog.messages]
    assert named == [("read big", "20,000,000"), ("model", None)]


def test_a_run_has_a_line_for_every_phase(checkerboard, caplog):
    caplog.set_level(logging.INFO)
    recbole_dsl.run("MF_SL", checkerboard, config_dict={"epochs": 1}, saved=False)
    found = [match.groups() for match in map(_LINE.fullmatch, caplog.messages) if match]
    assert [name for name, _ in found] == [
        "hash board.inter",
        "read board",
        "filter",
        "remap ids",
        "split",
        "loaders",
        "model",
    ]
    assert dict(found)["read board"] == "200" and dict(found)["split"] == "200"


def test_recboles_other_datasets_are_read_by_recbole_and_said_so(checkerboard, caplog):
    caplog.set_level(logging.INFO)
    settings = {"epochs": 1, "save_dataset": True}
    recbole_dsl.run("MF_SL", checkerboard, config_dict=settings, saved=False)
    assert "read board by RecBole's own loader: 200 rows," in caplog.text
