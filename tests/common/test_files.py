"""Files that appear whole or not at all: kills, full disks, places that cannot be written."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from quick import ROOT

from recbole_dsl.common import files
from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.common.file_sets import updated_folder
from recbole_dsl.common.files import (
    check_folder_writable,
    check_writable,
    write_atomically,
    write_together,
)

WRITERS = ROOT / "tests" / "support" / "killed_writers.py"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["exchange", "renames"])
def test_a_set_killed_at_any_moment_is_the_old_one_or_the_new_one(way, tmp_path):
    done = subprocess.run(
        [sys.executable, WRITERS, tmp_path, way],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    away = [] if way == "exchange" else ["nothing"]  # between two renames, until the next call
    assert done.stdout == f"{[['new', 'nothing'], ['new', *away, 'old']]}\n"


def test_what_a_killed_writer_left_is_removed_and_what_another_writes_is_not(tmp_path):
    left = tmp_path / ".x.json.0123abcd.part"
    left.write_text("half")
    (tmp_path / ".y.0123abcd.part").mkdir()
    (tmp_path / ".mine.part").write_text("")  # not of ours

    def write(temporary):
        write_atomically(tmp_path / "other.json", lambda path: path.write_text("{}"))
        assert temporary.exists()
        temporary.write_text("[]")

    write_atomically(tmp_path / "x.json", write)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".mine.part",
        "other.json",
        "x.json",
    ]


def test_files_and_folders_are_on_the_disk_before_they_get_their_name(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, n=name, r=real: (done.append(n), r(*args)))
    write_atomically(tmp_path / "x", lambda path: path.write_text("1"))
    assert done == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("name", ["saved/deep/x.json", "x.json"])
def test_a_write_that_fails_is_one_line_and_leaves_nothing(name, own_folder):
    def fails(temporary):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WriteError, match=f"^cannot write {name}: No space left on device$"):
        write_atomically(name, fails)
    assert not list(own_folder.iterdir())


def test_of_files_written_together_none_is_replaced_where_one_fails(own_folder):
    Path("a").write_text("old")

    def fails(temporary):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WriteError, match="^cannot write new/b: No space left on device$"):
        write_together({"a": lambda path: path.write_text("new"), "new/b": fails})
    assert [path.name for path in own_folder.iterdir()] == ["a"]
    assert Path("a").read_text() == "old"
    write_together({"a": lambda path: path.write_text("1"), "new/b": lambda path: path.touch()})
    assert Path("a").read_text() == "1" and Path("new/b").exists()


@pytest.fixture
def small_files():
    """The system takes no file above 1 MiB, as a full disk would not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_what_torch_hides_of_a_full_disk_is_said(small_files, own_folder):
    weights = torch.zeros(1 << 19)
    with pytest.raises(WriteError, match="^cannot write x.pth: File too large$"):
        write_atomically("x.pth", lambda path: torch.save(weights, path))
    assert not list(own_folder.iterdir())


def test_an_error_that_is_not_the_disks_is_kept(own_folder):
    with pytest.raises(ValueError, match="a bug"):
        write_atomically("x", lambda path: int("a bug"))
    assert not list(own_folder.iterdir())


@pytest.fixture(params=["pipe", "link", "folder", "device"])
def special(request, own_folder):
    """A path that is no regular file, and what it is called."""
    path = own_folder / request.param
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "link":
        Path("target").write_text("mine")
        path.symlink_to("target")
    elif request.param == "folder":
        path.mkdir()
    else:
        path = Path("/dev/null")
    return path, {"link": "a symbolic link", "folder": "a folder"}.get(request.param, "a device")


def test_a_special_file_is_never_replaced(special):
    path, what = special
    before = path.lstat()
    with pytest.raises(WriteError, match=f"^cannot write {path}: it is {what}"):
        write_atomically(path, lambda temporary: temporary.write_text("x"))
    with pytest.raises(UsageError, match=f"^result_file {path} is {what}.*, not a file$"):
        check_writable(path)
    assert path.lstat().st_mode == before.st_mode and path.lstat().st_ino == before.st_ino


def test_the_test_write_leaves_nothing_and_finds_what_the_write_would(own_folder, monkeypatch):
    check_writable("saved/deep/x.json")
    check_folder_writable("saved")
    assert not list(own_folder.iterdir())
    Path("log").write_text("")
    with pytest.raises(WriteError, match="^cannot write log/MF_SL: Not a directory$"):
        check_folder_writable("log/MF_SL")
    with pytest.raises(WriteError, match="^cannot write log/deep: Not a directory$"):
        check_writable("log/deep/x.json")

    def denied(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(files, "_make_file", denied)
    with pytest.raises(WriteError, match="^cannot write saved: Permission denied$"):
        check_folder_writable("saved")


def test_a_full_disk_is_found_by_the_test_write(monkeypatch, own_folder):
    monkeypatch.setattr(files, "_probe", lambda path: OSError(errno.ENOSPC, "No space left"))
    with pytest.raises(WriteError, match="^cannot write saved: No space left$"):
        check_folder_writable("saved")
    assert not list(own_folder.iterdir())


def test_a_folder_keeps_what_it_has_beside_the_new_files(own_folder):
    Path("real/sub").mkdir(parents=True)
    Path("real/sub/a").write_text("1")
    Path("real/b").write_text("2")
    Path("real/old").write_text("3")
    Path("link").symlink_to("real")
    with updated_folder("link", without=["old"]) as made:
        (made / "c").write_text("4")
    assert Path("link").is_symlink()
    assert {str(p): p.read_text() for p in Path("link").rglob("*") if p.is_file()} == {
        "link/sub/a": "1", "link/b": "2", "link/c": "4",
    }  # fmt: skip


def test_files_have_the_mode_that_new_files_have(own_folder):
    Path("plain").write_text("")
    write_atomically("x", lambda path: path.write_text(""))
    with updated_folder("new") as made:
        (made / "y").write_text("")
    mode = Path("plain").stat().st_mode
    assert Path("x").stat().st_mode == mode and Path("new/y").stat().st_mode == mode


@pytest.mark.slow
def test_a_folder_without_permission_is_one_line_in_every_command(own_folder):
    prefix = []
    if os.geteuid() == 0:  # to whom permissions mean nothing, but without these powers
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if shutil.which("setpriv") is None:
            pytest.skip("no setpriv on this machine")
    (own_folder / "table.csv").write_text("user,item\na,b\n")
    (own_folder / "closed").mkdir(mode=0o555)
    commands = {
        "import ../table.csv --dataset=mine": "cannot write dataset/mine",
        "split --dataset=ml-100k": "cannot write dataset/ml-100k-ps",
        "run --model=MF_SL --epochs=1": "cannot write log",
        "tune --model=MF_SL": "cannot write saved/tuning/MF_SL-ml-100k",
        "benchmark --model=Pop": "--output=saved/benchmark cannot be used",
    }
    for words, said in commands.items():
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "recbole_dsl", *words.split()],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd="closed",
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (1, f"error: {said}: Permission denied\n")
    assert not list((own_folder / "closed").iterdir())
