"""Stores of dsl_study.py for the tests of its parts."""

import pytest
from dsl_study_jobs import Runs
from dsl_study_plan import Cell
from dsl_study_settings import DSL, MF, SL
from study_stores import SHIFTED, TWO, fill


@pytest.fixture
def store(tmp_path):
    return tmp_path / "dsl_study.jsonl"


@pytest.fixture
def runs(store):
    """SL and DSL on a shifted set and on one with both tests."""
    cells = [Cell(name, MF, loss) for name in (SHIFTED, TWO) for loss in (SL, DSL)]
    return fill(Runs(), store, cells)
