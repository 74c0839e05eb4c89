"""A folder of files is replaced by processes that are killed at each of their file operations."""

import os
import signal
import sys
from pathlib import Path

from recbole_dsl.common import file_sets

NAMES = ("train", "test", "card")


def write_set(folder: Path, content: str) -> None:
    """Replace the files of a set together."""
    with file_sets.updated_folder(folder) as made:
        for name in NAMES:
            (made / name).write_text(content)


def state(folder: Path) -> str:
    """The content of all files of the set; fails where they differ, or something else is lost."""
    if not folder.exists():
        return "nothing"
    contents = {(folder / name).read_text() for name in NAMES}
    assert len(contents) == 1, f"half of a set: {contents}"
    return contents.pop()


def killed_at(number: int, work) -> bool:
    """Do the work in a process that is killed at its file operation of that number, if it comes."""
    process = os.fork()
    if process == 0:
        left = number

        def count(event, arguments):
            nonlocal left
            kinds = ("open", "os", "shutil", "ctypes", "fcntl")
            if event.split(".")[0] in kinds and event != "os.kill":
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()
        os._exit(0)
    _, status = os.waitpid(process, 0)
    assert status in (0, signal.SIGKILL), status
    return status != 0


def main(folder: Path, exchange: bool) -> None:
    """Print the states found after a kill: of a new folder, then of one that is replaced."""
    if not exchange:
        file_sets._exchange = lambda first, second: False
    found = []
    for before in ("nothing", "old"):
        states, number, killed = set(), 0, True
        while killed:
            target = folder / f"{before}-{number}"
            if before == "old":
                write_set(target, "old")
                (target / "other").write_text("kept")
            killed = killed_at(number, lambda target=target: write_set(target, "new"))
            states.add(state(target))
            write_set(target, "next")  # goes on where the killed one has left it, and tidies up
            assert state(target) == "next"
            if before == "old":
                assert (target / "other").read_text() == "kept"
            number += 1
        assert number > 10
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
        found.append(sorted(states))
    print(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "exchange")
