"""The log of a run: what it says, and where."""

import logging
import re
from pathlib import Path

import pytest
from configs import config_of
from quick import QUICK_PAIR

from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.experiments.run_log import logged
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


def test_a_log_on_a_full_disk_is_said_once_and_the_run_goes_on(own_folder, capsys):
    with logged(config_of("MF_SL", state="INFO")):
        root = logging.getLogger()
        (handler,) = [one for one in root.handlers if type(one) is logging.FileHandler]
        handler.setStream(open("/dev/full", "w")).close()  # noqa: SIM115
        root.info("first")
        root.info("second")
    assert handler not in root.handlers
    said = capsys.readouterr().err
    assert said.count("No space left on device: the log ends here") == 1
    assert "Traceback" not in said and "first" in said and "second" in said


def _mistaken(config):
    with logged(config):
        raise UsageError("a mistake")


def test_a_mistake_of_the_users_leaves_no_log(own_folder):
    config = config_of("MF_SL")
    with pytest.raises(UsageError):
        _mistaken(config)
    assert not list(own_folder.iterdir())
    with logged(config):
        pass
    with pytest.raises(UsageError):
        _mistaken(config_of("MF_SL", seed=7))
    assert len(list(Path("log/MF_SL").iterdir())) == 1


@pytest.mark.parametrize(
    ("blocked", "settings"), [("log", {}), ("saved", {}), ("deep", {"checkpoint_dir": "deep/x"})]
)
def test_a_folder_that_is_a_file_is_found_before_anything_is_done(blocked, settings, own_folder):
    Path(blocked).write_text("")
    with pytest.raises(WriteError, match=f"^cannot write {blocked}.*: Not a directory$"):
        run("MF_SL", "ml-100k", config_dict={**LOGGED, **settings})
    assert [path.name for path in own_folder.iterdir()] == [blocked]
