"""What a command's process does with signals, and with outputs that nobody reads."""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TextIO, cast

# Each ends a process silently where nobody handles it: the system's shutdown or a job scheduler,
# and a terminal that is closed.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal other than Ctrl-C's asks the process to end; ``number`` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def signals_raised() -> Iterator[None]:
    """While the block runs, SIGTERM and SIGHUP raise :class:`Stopped`, as Ctrl-C raises its error.

    What is ignored, as under nohup, stays ignored. Nothing is changed outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def signal_calls(number: signal.Signals, function: Callable[[], object]) -> Iterator[None]:
    """While the block runs, a signal calls a function, between any two steps of the main thread.

    Also where it was ignored, as SIGHUP is under nohup. Nothing is changed outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, lambda number, frame: function())
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def outputs_kept() -> Iterator[None]:
    """While the block runs, what is printed to a closed pipe is dropped, and the work goes on.

    Raises:
        OSError: standard output cannot be written for another reason, such as a full disk.
    """
    out = cast(TextIO, _Output(sys.stdout, "standard output"))
    err = cast(TextIO, _Output(sys.stderr, "standard error", any_error=True))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
        out.flush()


class _Output:
    """A text stream that drops what is written to it once nobody reads it.

    Args:
        stream: sys.stdout or sys.stderr; None where the process was started with it closed.
        name: for the error. any_error: whether other errors than a closed pipe are dropped too.
    """

    def __init__(self, stream: TextIO | None, name: str, any_error: bool = False) -> None:
        self._stream: TextIO = open(os.devnull, "w") if stream is None else stream  # noqa: SIM115
        self._name, self._any_error = name, any_error

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _drop(self, error: OSError) -> None:
        # What the stream holds is written again when the interpreter ends, and then goes nowhere.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        if not self._any_error and error.errno != errno.EPIPE:
            raise OSError(error.errno, error.strerror, self._name) from error
