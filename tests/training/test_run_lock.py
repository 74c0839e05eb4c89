"""The lock of a run ends with its process, and nothing of it stays."""

import subprocess
import sys

import pytest

from recbole_dsl.training.run_lock import RunLock, is_held, path_beside, remove_stale


def test_one_holds_it_until_it_is_released(tmp_path):
    lock, other = RunLock(tmp_path / "a.pth"), RunLock(tmp_path / "a.pth")
    assert not is_held(tmp_path / "a.pth") and not list(tmp_path.iterdir())
    assert lock.take() and lock.take() and not other.take() and is_held(tmp_path / "a.pth")
    assert RunLock(tmp_path / "b.pth").take()
    lock.release()
    lock.release()
    assert other.take()


@pytest.mark.slow
def test_a_killed_process_holds_none_and_its_file_is_removed_by_the_next(tmp_path):
    code = (
        "import os, sys\nfrom recbole_dsl.training.run_lock import RunLock\n"
        "[RunLock(path).take() for path in sys.argv[1:]]\nos._exit(9)"
    )
    paths = [str(tmp_path / name) for name in ("a.pth", "b.pth")]
    subprocess.run([sys.executable, "-c", code, *paths])
    held = RunLock(tmp_path / "c.pth")
    assert held.take()
    (tmp_path / "b.last.pth").touch()
    assert path_beside(tmp_path / "a.pth").exists() and not is_held(tmp_path / "a.pth")
    remove_stale(tmp_path, ".last.pth")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.lock", ".c.lock", "b.last.pth"]
