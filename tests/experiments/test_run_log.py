"""What a run says: little on the terminal, everything in its log file."""

import io
import logging
import re
import sys
from pathlib import Path

import pytest
from configs import config_of
from quick import QUICK, QUICK_PAIR

from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.common.terminal import say
from recbole_dsl.experiments import run_log
from recbole_dsl.experiments.run_log import logged
from recbole_dsl.experiments.single_run import run

LOGGED = {**QUICK_PAIR, "state": "INFO"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def toy(make_dataset):
    """A dataset of 16 users and 25 items, with settings of its own."""
    pairs = [(f"u{u}", f"i{i}") for u in range(20) for i in range(25) if (3 * u + i * i) % 5 < 2]
    return make_dataset("toy", pairs, {"yaml": "seq_separator: '|'\nsplit_seed: 7\n"})


def _log(folder, model, dataset="ml-100k"):
    return next((folder / "log" / model).glob(f"{model}-{dataset}-*.log")).read_text()


# What it says ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_log_tells_what_was_run_and_what_came_of_it(own_folder):
    run("MF_SL", "ml-100k", config_dict={**LOGGED, "epochs": 2}, command=["run.py", "--x=1"])
    text = _log(own_folder, "MF_SL")
    assert "['run.py', '--x=1']" in text.splitlines()[0]
    for line in ("device    cpu", "split: train 80,808 rows / 943 users", "epoch 1 training"):
        assert line in text
    assert re.search(r"test +0\.\d{4}", text)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["MF_DSL", "BPR", "Pop"])
def test_the_terminal_has_some_20_lines_and_one_for_each_epoch(model, toy, own_folder, capsys):
    quick = LOGGED if model == "MF_DSL" else {**QUICK, "state": "INFO"}
    run(model, toy, config_dict={**quick, "epochs": 3, "train_batch_size": 64})
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert shown.out == "" and "\x1b[" not in shown.err and "embedding_size" not in shown.err
    epochs = 1 if model == "Pop" else 3
    assert len(lines) <= 22 + epochs
    for line in (
        f"{model} on toy, seed 2020",
        r"device    cpu \(.+\)",
        rf"log       (log/{model}/{model}-toy-.+\.log) \(all else; verbose: True shows it here\)",
        r"data      16 users, 25 items, \d+ rows, \d+ % of all pairs",
        "settings  seq_separator, split_seed of dataset/toy/toy.yaml",
        r"split     RS 0\.8, 0\.1, 0\.1, seed 7: train \d+, valid \d+, test \d+ rows",
        rf"epoch   mean loss +mrr@10 .*left(\n +\d+ +-?\d+\.\d+ +0\.\d+.*){{{epochs}}}\nResult: ",
        r"valid +0\.\d{4}.*\ntest +0\.\d{4}",
    ):
        assert re.search(f"^{line}", shown.err, re.MULTILINE), line
    log = _log(own_folder, model, "toy")
    for line in lines:
        assert line in log  # the file has all of it, and more
    assert log.count("\n") > 150 and "learning_rate" in log


@pytest.mark.slow
def test_the_terminal_says_how_many_rows_a_split_by_time_leaves_out(own_folder, capsys):
    split = {"eval_args": {"split": {"GT": [0.7, 0.1, 0.2]}}, "state": "INFO"}
    result = run("MF_SL", "ml-100k", config_dict={**LOGGED, **split}, saved=False)
    parts = [result["splits"][part]["rows"] for part in ("train", "valid", "test")]
    left = 100_000 - sum(parts)
    assert left > 20_000
    shown = capsys.readouterr().err
    assert f"rows; {left:,} left out, of users or items that train lacks\n" in shown


@pytest.mark.slow
def test_verbose_shows_on_the_terminal_what_the_file_has(toy, own_folder, capsys):
    run("MF_SL", toy, config_dict={**LOGGED, "verbose": True}, saved=False)
    shown = capsys.readouterr().err
    assert "General Hyper Parameters" in shown and "epoch 0 training" in shown
    assert "verbose: True shows" not in shown and "\x1b[" not in shown
    log = _log(own_folder, "MF_SL", "toy")
    stamps = r"^(\w{3} )?\d\d \w{3}( \d{4})? \d\d:\d\d(:\d\d)? +INFO +"
    plain = [re.sub(stamps, "", text, flags=re.MULTILINE).splitlines() for text in (shown, log)]
    assert plain[0] == plain[1]


@pytest.mark.slow
def test_the_log_says_which_layer_a_setting_is_from(toy, own_folder):
    file = own_folder / "mine.yaml"
    file.write_text("tau: 0.3\n")
    run("MF_SL", toy, [str(file)], {**LOGGED, "seed": 5}, False, [("learning_rate", "0.02")])
    log = _log(own_folder, "MF_SL", "toy")
    (line,) = re.findall(r"given \(dataset file dataset/toy/toy.yaml\): (.*)", log)
    assert sorted(line.split(", ")) == ["seq_separator = '|'", "split_seed = 7"]
    assert f"given (config file {file}): tau = 0.3\n" in log
    assert "given (command line): learning_rate = 0.02\n" in log
    assert re.search(r"given \(config dict\): .*seed = 5", log)


@pytest.mark.slow
def test_two_runs_in_one_process_write_two_logs_and_clean_up(own_folder):
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    run("MF_SL", "ml-100k", config_dict=LOGGED, saved=False)
    run("MF_BPR", "ml-100k", config_dict=LOGGED, saved=False)
    first, second = _log(own_folder, "MF_SL"), _log(own_folder, "MF_BPR")
    assert "MF_SL on ml-100k" in first.splitlines()[0]  # as no command was given
    assert "BPRLoss" not in first and "BPRLoss" in second
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)


# Where it says it --------------------------------------------------------------------------------


def _spoken(capsys, **settings):
    with logged(config_of("MF_SL", **settings)):
        logging.getLogger().info("\x1b[1;34mdetail\x1b[0m")
        say("line")
        logging.getLogger("other").warning("careful")
        logging.getLogger().error("broken")
    file = next(Path("log/MF_SL").iterdir()).read_text()
    return capsys.readouterr().err, file


def test_the_terminal_shows_what_is_said_to_it_and_warnings(own_folder, capsys):
    shown, file = _spoken(capsys, state="INFO")
    assert shown == "line\nwarning: careful\nerror: broken\n"
    ends = [line.partition(f"{level}  ")[2] for level, line in zip(
        ("INFO", "INFO", "WARNING", "ERROR"), file.splitlines(), strict=True
    )]  # fmt: skip
    assert ends == ["detail", "line", "careful", "broken"] and "\x1b" not in file


def test_state_is_the_level_of_both(own_folder, capsys):
    shown, file = _spoken(capsys, state="ERROR")
    assert shown == "error: broken\n" and len(file.splitlines()) == 1


def test_verbose_shows_everything_with_its_time_and_level(own_folder, capsys):
    shown, _ = _spoken(capsys, state="INFO", verbose=True)
    assert [line.split("  ")[-1] for line in shown.splitlines()] == [
        "detail", "line", "careful", "broken",
    ]  # fmt: skip
    assert re.match(r"\d\d \w{3} \d\d:\d\d +INFO  detail\n", shown)


@pytest.mark.parametrize("verbose", [True, False])
def test_only_a_terminal_gets_colours(verbose, own_folder, capsys, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    _, file = _spoken(capsys, state="INFO", verbose=verbose)
    text = terminal.getvalue()
    assert ("\x1b[1;34mdetail" in text) == verbose
    assert re.search(r"\x1b\[33m.*careful", text) and "\x1b" not in file


def test_a_notebook_gets_it_on_standard_output_which_it_does_not_show_in_red(
    own_folder, capsys, monkeypatch
):
    class OutStream(io.StringIO):
        pass

    OutStream.__module__ = "ipykernel.iostream"
    out = OutStream()
    monkeypatch.setattr(sys, "stdout", out)
    shown, _ = _spoken(capsys, state="INFO")
    assert (shown, out.getvalue()) == ("", "line\nwarning: careful\nerror: broken\n")


def test_a_log_on_a_full_disk_is_said_once_and_the_run_goes_on(own_folder, capsys):
    with logged(config_of("MF_SL", state="INFO")):
        root = logging.getLogger()
        (handler,) = [one for one in root.handlers if type(one) is logging.FileHandler]
        handler.setStream(open("/dev/full", "w")).close()  # noqa: SIM115
        say("first")
        say("second")
    assert handler not in root.handlers
    said = capsys.readouterr().err
    assert said.count("No space left on device: the log ends here") == 1
    assert "Traceback" not in said and "first" in said and "second" in said


def test_logs_of_one_second_have_files_of_their_own(own_folder, monkeypatch):
    monkeypatch.setattr(run_log, "get_local_time", lambda: "now")
    config = config_of("MF_SL", state="INFO")
    with logged(config), logged(config):
        pass
    assert len(list(Path("log/MF_SL").iterdir())) == 2


# Where there is none -----------------------------------------------------------------------------


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
