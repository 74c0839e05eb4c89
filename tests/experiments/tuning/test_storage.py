"""The place of a study: a journal that kills and full disks leave whole; hidden passwords."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from quick import ROOT

from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.experiments.tuning import storage
from recbole_dsl.experiments.tuning.storage import open_storage, place, without_password
from recbole_dsl.experiments.tuning.study import quiet

optuna.logging.set_verbosity(optuna.logging.ERROR)


def _study(path="study.log"):
    """A study of three trials in a journal."""
    study = optuna.create_study(study_name="x", storage=open_storage(str(path)))
    for value in range(3):
        study.add_trial(optuna.trial.create_trial(value=value))
    return Path(path)


def _values(path):
    study = optuna.load_study(study_name="x", storage=open_storage(str(path)))
    return [trial.value for trial in study.trials]


def test_a_journal_cut_at_any_byte_goes_on_without_its_torn_line(own_folder):
    content = _study().read_bytes()
    starts = [0, *(at + 1 for at, byte in enumerate(content) if byte == ord("\n"))]
    near = {start + more for start in starts[2:] for more in (-1, 0, 1)}
    for length in sorted(near | set(range(starts[1], len(content), 29))):
        length = min(length, len(content))
        Path("cut.log").write_bytes(content[:length])
        lines = max(number for number, start in enumerate(starts) if start <= length)
        study = optuna.load_study(study_name="x", storage=open_storage("cut.log"))
        before = [trial.value for trial in study.trials]
        assert before == list(range(lines - 1)), length
        study.add_trial(optuna.trial.create_trial(value=7.0))
        assert _values("cut.log") == [*before, 7.0]
        assert Path("cut.log").read_bytes().startswith(content[: starts[lines]])


@pytest.mark.parametrize("left", [b"\0" * 200, b'{"op_code":4\n', b'{"op', b"\n"])
def test_what_a_crash_leaves_at_the_end_is_dropped(left, own_folder):
    path = _study()
    path.write_bytes(path.read_bytes() + left)
    study = optuna.load_study(study_name="x", storage=open_storage(str(path)))
    study.add_trial(optuna.trial.create_trial(value=7.0))
    assert _values(path) == [0, 1, 2, 7]


def test_a_file_of_the_users_is_no_journal_and_is_left_as_it_is(own_folder):
    for content in (b"hello", b"user,item\na,b\n", b"user,item\na,b"):
        Path("mine.csv").write_bytes(content)
        with pytest.raises((UsageError, ValueError), match="storage mine.csv: |not of a study"):
            optuna.create_study(study_name="x", storage=open_storage("mine.csv"))
        assert Path("mine.csv").read_bytes() == content


def test_a_damaged_line_in_the_middle_is_one_line(own_folder):
    path = _study()
    first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, b'{"op_co\n', *others]))
    with pytest.raises(UsageError, match="^storage study.log: [^\n]+$"):
        open_storage("study.log")


def test_a_full_disk_is_said_with_the_path_and_loses_nothing(own_folder, monkeypatch):
    path = _study()
    study = optuna.load_study(study_name="x", storage=open_storage(str(path)))

    def full(file):
        os.ftruncate(file, os.fstat(file).st_size - 10)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(WriteError, match="^cannot write study.log: No space left on device$"):
            study.add_trial(optuna.trial.create_trial(value=7.0))
    study = optuna.load_study(study_name="x", storage=open_storage(str(path)))
    study.add_trial(optuna.trial.create_trial(value=8.0))
    assert _values(path) == [0, 1, 2, 8]


_HOLDER = """
import os, signal, sys
from recbole_dsl.experiments.tuning.storage import _Lock
_Lock(sys.argv[1]).acquire()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_the_lock_of_a_killed_process_and_an_old_stale_link_stop_nobody(own_folder):
    path = _study()
    Path("study.log.lock").symlink_to("saved/relative/study.log")  # as Optuna's own lock leaves it
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", _HOLDER, path], env=environment)
    assert done.returncode == -signal.SIGKILL
    study = optuna.load_study(study_name="x", storage=open_storage(str(path)))
    study.add_trial(optuna.trial.create_trial(value=7.0))
    assert _values(path) == [0, 1, 2, 7]


def test_the_path_is_kept_in_full_and_a_url_as_it_is(own_folder):
    assert place("saved/study.log") == str(own_folder / "saved" / "study.log")
    assert place("postgresql://host/x") == "postgresql://host/x"


def test_passwords_are_not_shown():
    shown = "postgresql+psycopg://me:***@host:5432/x"
    assert without_password(shown.replace("***", "s3cr:et")) == shown
    command = "recbole_dsl tune --storage=postgresql://me:secret@host/x --study=a:b@c"
    assert without_password(command) == command.replace("secret", "***")
    with pytest.raises(UsageError) as caught:
        open_storage("nosuch://me:secret@host/x")
    assert "secret" not in str(caught.value) and "me:***@host" in str(caught.value)


def test_a_folder_that_is_a_file_is_one_line(own_folder):
    Path("saved").write_text("")
    with pytest.raises(WriteError, match="^cannot write saved/a/study.log: .+$"):
        open_storage("saved/a/study.log")


def test_a_pipe_or_a_folder_is_no_storage(own_folder):
    os.mkfifo("pipe")
    Path("folder").mkdir()
    for name in ("pipe", "folder", "/dev/null"):
        with pytest.raises(UsageError, match=f"^storage {name} is neither a file nor a URL$"):
            open_storage(name)


def test_a_missing_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with quiet(), pytest.raises(UsageError, match=r"pip install recbole_dsl\[postgresql\]$"):
        open_storage("postgresql://me:secret@host/x")


# SQLAlchemy leaves SQLite's connections to the garbage collector, which Python 3.13 warns of.
@pytest.mark.filterwarnings("ignore:unclosed database")
def test_a_database_that_is_away_is_waited_for_and_then_given_up(monkeypatch, capsys, own_folder):
    import sqlalchemy.exc

    monkeypatch.setattr(storage, "PAUSE_SECONDS", 0.01)
    calls = storage._PatientCalls("postgresql://me:secret@host/x")
    error = optuna.exceptions.StorageInternalError("an error")
    error.__cause__ = sqlalchemy.exc.OperationalError("SELECT", {}, Exception("is starting up\nx"))
    again = sqlalchemy.exc.PendingRollbackError("what Optuna's own second try gets")
    again.__context__ = error.__cause__
    answers = [error, again, 5]

    def call():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert calls.call(call) == 5
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "storage postgresql://me:***@host/x: is starting up; trying again for 10 minutes",
        "storage postgresql://me:***@host/x is back after 0 s",
    ]
    monkeypatch.setattr(storage, "PATIENCE_SECONDS", 0.05)
    answers += [error] * 100
    with pytest.raises(
        WriteError, match=r"^storage postgresql://me:\*\*\*@host/x: is starting up$"
    ):
        calls.call(call)
    answers[:] = [KeyError("a bug")]
    with pytest.raises(KeyError, match="a bug"):
        calls.call(call)
