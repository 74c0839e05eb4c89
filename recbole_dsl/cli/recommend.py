"""``recbole_dsl recommend``: the best items of users into a file."""

import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recbole_dsl.cli.command import Command
from recbole_dsl.cli.parser import Arguments, Option, as_count
from recbole_dsl.common.errors import UsageError


def _as_parts(name: str, text: str) -> str | list[str] | None:
    """``seen``, ``none``, or parts of the data separated by commas."""
    if text.lower() == "none":
        return None
    return text if "," not in text else [part.strip() for part in text.split(",")]


def read_ids(name: str, path: str) -> list[str]:
    """The ids of a file, one a line, in UTF-8, with blanks inside but none around them.

    Raises:
        UsageError: the file is missing or cannot be read, is empty, or has an empty line that is
            not at its end.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"--{name}: {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--{name}: {path} is not UTF-8: {error}") from error
    lines = [line.strip() for line in text.rstrip().split("\n")]
    if "" in lines:
        where = "is empty" if lines == [""] else f"line {lines.index('') + 1} is empty"
        raise UsageError(f"--{name}: {path}: {where}; it must have an id a line")
    return lines


def checkpoint_of(given: Arguments) -> str:
    """The one operand of a command.

    Raises:
        UsageError: there is none, or another one.
    """
    if not given.operands:
        raise UsageError("no CHECKPOINT is given: the .pth file that a run has left (see --help)")
    if len(given.operands) > 1:
        raise UsageError(
            f"one CHECKPOINT at a time, got {' and '.join(given.operands)}{_newest(given.operands)}"
        )
    return given.operands[0]


def _newest(paths: list[str]) -> str:
    """Says which of several files is the newest: a pattern of a name matches every run's."""
    if not all(map(os.path.isfile, paths)):
        return ""
    return f"; the newest is {max(paths, key=os.path.getmtime)}"


def recommend_arguments(given: Arguments) -> tuple[str, str, dict[str, Any]]:
    """A command line as checkpoint, output and arguments of ``Recommender.recommend_blocks``.

    Raises:
        UsageError: no checkpoint or output, or files of ids that cannot be read.
    """
    options, path = dict(given.options), checkpoint_of(given)
    if "output" not in options:
        raise UsageError("--output=FILE is missing: .csv, .tsv, .jsonl or .parquet")
    for name in ("users", "items"):
        if name in options:
            options[name] = read_ids(name, options[name])
    return path, options.pop("output"), options


def _work(given: Arguments) -> int:
    path, output, options = recommend_arguments(given)
    from recbole_dsl.serving.recommender import load_recommender
    from recbole_dsl.serving.write_table import check_output, write_table

    check_output(output)
    recommender = load_recommender(path, index=options.pop("index", None))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        blocks = recommender.recommend_blocks(**options)
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    number = len(options.get("users", recommender.users))
    rows = write_table(output, _with_progress(blocks, number, options["k"]))
    print(f"{recommender.meta['model']} on {recommender.meta['dataset']}: {rows:,} rows")
    print(f"wrote {output}")
    return 0


def _with_progress(blocks: Any, users: int, k: int) -> Any:
    """The same blocks, with a bar of users on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        return blocks
    from tqdm import tqdm

    return _counted(blocks, lambda: tqdm(total=users, ncols=100, desc="Recommend", unit=" users"))


def _counted(blocks: Any, bar_of: Callable[[], Any]) -> Any:
    with bar_of() as bar:
        for block in blocks:
            yield block
            bar.update(block["user"].nunique())


COMMAND = Command(
    name="recommend",
    summary="write the best items of users to a file, from a checkpoint alone",
    usage=["CHECKPOINT --output=FILE [--OPTION=VALUE ...]"],
    about="""
    Writes the k best items of users, as user, rank, item and score. The checkpoint alone is read:
    it holds vectors, ids and the items that users have seen, so that it may lie anywhere, without
    the dataset. It must be that of a <Backbone>_<Loss> and of a run that has come to its end.

    All users are ranked exactly, in bounded memory. Ids are those of the data. A user with fewer
    than k items left gets those; equal scores are in the order of the items.
    """,
    options=[
        Option("output", "the table: .csv, .tsv, .jsonl or .parquet", "FILE"),
        Option("k", "items of each user", "N", "20", read=as_count),
        Option("users", "a file with an id a line (default: all users)", "FILE"),
        Option(
            "unknown",
            "what becomes of users that the model does not know: error, or warn, which leaves them "
            "out and says so",
            "NAME",
            "error",
        ),
        Option(
            "exclude",
            "whose items are not recommended to their user: seen, all those of the data; parts of "
            "it, such as train or train,valid; or none",
            "PARTS",
            "seen",
            read=_as_parts,
        ),
        Option("items", "a file with the ids that may be recommended (default: all)", "FILE"),
        Option(
            "index",
            "folder of recbole_dsl export --index, which is searched in place of all items: faster "
            "and not exact",
            "FOLDER",
        ),
    ],
    examples=[
        "saved/MF_SL-ml-100k.pth --output=recommendations.csv",
        "model.pth --k=100 --users=users.txt --exclude=train --output=top.parquet",
    ],
    operands=True,
    work=_work,
)

main = COMMAND.run
