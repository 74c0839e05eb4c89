"""A quick share of the campaign, and that its judges see what is wrong."""

import subprocess
import sys
from pathlib import Path

import child
import plain_reading
import pytest
from child import Ended, contents, fault_of, in_child
from quick import ROOT


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "number"), [("files", 24), ("checkpoints", 24), ("kills", 3)])
def test_a_share_of_the_campaign_finds_no_fault(kind, number, own_folder):
    script = ROOT / "tests" / "faults" / "campaign.py"
    done = subprocess.run(
        [sys.executable, script, f"--kinds={kind}", f"--{kind}={number}"],
        capture_output=True, text=True, cwd=own_folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    counts = dict(
        reversed(word.strip().split(" ", 1)) for word in done.stdout.split(":")[1].split(",")
    )
    assert sum(map(int, counts.values())) == number


@pytest.mark.parametrize(
    ("ended", "fault"),
    [
        (Ended(0, "a warning\n"), None),
        (Ended(2, "error: no\n"), None),
        (Ended(1, "a warning\nerror: no\n"), None),
        (Ended(None, ""), "hang"),
        (Ended(child.TRACEBACK, ""), "traceback"),
        (Ended(0, "Traceback (most recent call last):\n"), "traceback"),
        (Ended(-11, ""), "exit code -11"),
        (Ended(2, ""), "no single line"),
        (Ended(2, "error: a\nerror: b\n"), "no single line"),
        (Ended(2, "error: a\nmore\n"), "no single line"),
    ],
)
def test_how_a_command_ends_is_judged(ended, fault, own_folder):
    assert fault_of(ended, contents(own_folder), own_folder) == fault


def test_a_refusal_that_writes_is_a_fault(own_folder):
    before = contents(own_folder)
    (own_folder / "log").mkdir()
    assert fault_of(Ended(2, "error: a\n"), before, own_folder) == (
        "refused, but something was written"
    )


def test_work_in_a_child_ends_as_it_ends(own_folder):
    def raises():
        raise KeyError("x")

    def writes():
        Path("made").touch()
        print("error: no", file=sys.stderr)
        return 2

    assert in_child(writes, own_folder) == Ended(2, "error: no\n")
    assert (own_folder / "made").exists()
    assert in_child(raises, own_folder).code == child.TRACEBACK
    assert in_child(lambda: __import__("time").sleep(60), own_folder, seconds=0.1).code is None


def test_rows_are_read_plainly():
    text = b'user_id:token\titem_id:token\trating:float\nu1\t"i\t1"\t 4 \nNA\ti2\t5\n\nu2\ti2\t\n'
    kept = plain_reading.interactions({".inter": text})
    assert kept.rows == [("u1", "i\t1", 4.0, None), ("u2", "i2", 4.0, None)]
    assert (kept.removed, kept.filled) == (1, 1)
    items = b"item_id:token\ni2\n"
    kept = plain_reading.interactions({".inter": text, ".item": items})
    assert [row[:2] for row in kept.rows] == [("u2", "i2")] and kept.removed == 2


@pytest.mark.parametrize(
    "text",
    [
        b"", b"user_id\n", b"user_id:token\titem_id:token\nu1\n", b"user_id:token\tx:float\nu\ta\n",
        b"user_id:token\titem_id:token\nu1\ti\xff\n", b"user_id:token\titem_id:token\nu1\t\"i\n",
        b"user_id:token\titem_id:token\nu1\ti\0\n", b"user_id:token\tuser_id:token\nu1\tu1\n",
        b"user_id:token\titem_id:token\nuser_id:token\titem_id:token\n",
    ],
)  # fmt: skip
def test_what_nobody_can_read_is_not_read(text):
    with pytest.raises(plain_reading.Unreadable):
        plain_reading.interactions({".inter": text})
