"""The log of a run: what it says, and where."""

import logging
import re

import pytest
from quick import QUICK_PAIR

from recbole_dsl.experiments.single_run import run

LOGGED = {**QUICK_PAIR, "state": "INFO"}


def _log(folder, model):
    return next((folder / "log" / model).glob(f"{model}-ml-100k-*.log")).read_text()


@pytest.mark.slow
def test_a_log_tells_what_was_run_and_what_came_of_it(own_folder):
    run("MF_SL", "ml-100k", config_dict={**LOGGED, "epochs": 2}, command=["run.py", "--x=1"])
    text = _log(own_folder, "MF_SL")
    assert "['run.py', '--x=1']" in text.splitlines()[0]
    for line in ("device: cpu", "split: train 80,808 rows / 943 users", "epoch 1 training"):
        assert line in text
    assert re.search(r"test +0\.\d{4}", text)


@pytest.mark.slow
def test_two_runs_in_one_process_write_two_logs_and_clean_up(own_folder):
    handlers = logging.getLogger().handlers[:]
    run("MF_SL", "ml-100k", config_dict=LOGGED, saved=False)
    run("MF_BPR", "ml-100k", config_dict=LOGGED, saved=False)
    first, second = _log(own_folder, "MF_SL"), _log(own_folder, "MF_BPR")
    assert "MF_SL on ml-100k" in first.splitlines()[0]  # as no command was given
    assert "BPRLoss" not in first and "BPRLoss" in second
    assert logging.getLogger().handlers == handlers
