"""A process of a benchmark: one run, or the study of one model and dataset.

``python -m recbole_dsl.cli.worker run FOLDER --KEY=VALUE ...`` trains and tests;
``python -m recbole_dsl.cli.worker tune FOLDER`` continues the study of FOLDER/study.json and writes
FOLDER/outcome.json. Both report what happens in FOLDER/events.jsonl. The benchmark holds the other
end of their standard input, and they end when it is closed.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from recbole_dsl.common.errors import (
    NonFiniteLossError,
    NothingToSelectOnError,
    NoWinnerError,
    ProcessError,
    UsageError,
)
from recbole_dsl.common.files import system_words, write_atomically
from recbole_dsl.experiments import events

_PATIENCE_SECONDS = 10  # that a trial is given to store that it was interrupted


def main(arguments: Sequence[str]) -> int:
    """Do the work; the exit code: 0, 1 (training failed), 2 (bad input), 130 (interrupted)."""
    command, folder, *words = arguments
    work: Callable[[Path, Sequence[str]], None] = {"run": _run, "tune": _tune}[command]
    try:
        work(Path(folder), words)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (NonFiniteLossError, ProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {system_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(folder: Path, words: Sequence[str]) -> None:
    """Train and test with settings ``--KEY=VALUE``, as the benchmark's plan writes them."""
    # Only now, as it takes seconds, in which the benchmark may end.
    from recbole_dsl.experiments import single_run

    files: list[str] = []
    pairs: list[tuple[str, str]] = []
    for word in words:
        key, _, text = word.removeprefix("--").partition("=")
        if key == "config_files":
            files += text.split()
        else:
            pairs.append((key, text))
    single_run.run(
        config_file_list=files,
        arguments=pairs,
        after_validation=events.EpochEvents(folder / events.FILE),
    )


def _tune(folder: Path, words: Sequence[str]) -> None:
    """Continue a study; its outcome is what ``tune`` returns, or ``error`` without a winner."""
    from recbole_dsl.experiments.tuning import search

    study = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    try:
        outcome = search.tune(
            **study["arguments"], output=str(folder), tested=False, events=folder / events.FILE
        )
    except (NoWinnerError, NothingToSelectOnError) as error:
        outcome = {"error": str(error)}
    text = json.dumps({**outcome, "budget": study["budget"]}, indent=1) + "\n"
    write_atomically(
        folder / "outcome.json", lambda temporary: temporary.write_text(text, encoding="utf-8")
    )


def _end_with_the_benchmark(command: str) -> None:
    """From now on, end this process when the benchmark ends or sends SIGTERM."""
    if command == "tune":
        # A trial that is interrupted stores that it was; one that is killed three times would be
        # given up as one that the machine cannot run.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with_the_input, args=(command,), daemon=True).start()


def _end_with_the_input(command: str) -> None:
    # Nothing is ever written there; the end of the file means that the benchmark has ended, also
    # where it was killed. os.read, not sys.stdin: a daemon thread must hold no lock when the
    # interpreter ends.
    os.read(0, 1)
    if command == "tune":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE_SECONDS)
    os._exit(1)  # no file is half written: results are written whole or not at all


if __name__ == "__main__":
    _end_with_the_benchmark(sys.argv[1])
    sys.exit(main(sys.argv[1:]))
