"""Signals that end a command, and outputs that nobody reads."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from quick import ROOT

from recbole_dsl.cli.command import Command
from recbole_dsl.cli.process import Stopped, signal_calls, signals_raised

_SLEEPER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it
from recbole_dsl.cli.command import Command
from recbole_dsl.common.files import write_atomically

def work(given):
    def write(temporary):
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(60)
    write_atomically("saved/x", write)

sys.exit(Command("x", "", [""], "", [], [], work).run([]))
"""


def _start(code, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = {"stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_a_line_and_nothing_half_written(number, own_folder):
    process = _start(_SLEEPER, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    name = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    assert (process.returncode, err) == (128 + number, f"{name}; nothing is written\n")
    assert not list(own_folder.iterdir())


def _send_myself(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
    time.sleep(10)


def test_handlers_are_put_back_and_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(Stopped, match="SIGTERM"), signals_raised():
            _send_myself(signal.SIGHUP, signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_calls_a_function_and_the_handler_before_is_put_back():
    before, calls = signal.signal(signal.SIGHUP, signal.SIG_IGN), []
    try:
        with signal_calls(signal.SIGHUP, lambda: calls.append(1)):
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.001)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert len(calls) in (1, 2)  # the system may deliver two as one


def test_a_command_runs_in_a_thread_too():
    codes = []
    command = Command("x", "", [""], "", [], [], lambda given: 7)
    thread = threading.Thread(target=lambda: codes.append(command.run([])))
    thread.start()
    thread.join()
    assert codes == [7]


_TALKER = """
import sys
from recbole_dsl.cli.command import Command

def work(given):
    for number in range(3000):
        print("a line of some length")
        print("and one", file=sys.stderr)
    open("done", "w").close()
    return 3

sys.exit(Command("x", "", [""], "", [], [], work).run([]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_an_output_that_nobody_reads_ends_nothing_and_is_quiet(closed, own_folder):
    reader, writer = os.pipe()
    os.close(reader)
    process = _start(_TALKER, **{"stdout": subprocess.DEVNULL, closed: writer})
    os.close(writer)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 3 and (own_folder / "done").exists()
    assert closed == "stderr" or err == "and one\n" * 3000


@pytest.mark.slow
def test_a_process_without_outputs_does_its_work(own_folder):
    code = "import os, sys; os.close(1); os.close(2); os.execv(sys.executable, sys.argv[1:])"
    words = [sys.executable, "-c", code, sys.executable, "-c", _TALKER]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=None)
    assert done.returncode == 3 and (own_folder / "done").exists()


@pytest.mark.slow
def test_a_full_disk_below_the_output_is_one_line(own_folder):
    with open("/dev/full", "w") as full:
        process = _start(_TALKER.replace("file=sys.stderr", "end=''"), stdout=full)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err == "error: standard output: No space left on device\n"


@pytest.mark.slow
def test_the_program_can_be_cut_off_by_head():
    words = f"{sys.executable} -m recbole_dsl list | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "" and done.returncode == 0 and len(done.stdout.splitlines()) == 1
