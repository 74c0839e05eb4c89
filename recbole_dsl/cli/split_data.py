"""``recbole_dsl split``: a dataset's parts as RecBole's atomic files, and a card of the split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recbole_dsl.cli.command import Command
from recbole_dsl.cli.parser import Arguments, Option, as_list, as_value, switch
from recbole_dsl.common.dataset_settings import read_line
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.text import table


def report(result: Mapping[str, Any]) -> str:
    """What :func:`write_split` returned, as text for a terminal."""
    from recbole_dsl.data.splitting.options import left_out_lines, shares_line

    names = ["rows", "users", "items", "gini", "kl_train", "kl_uniform"]
    head = ["part", "rows", "users", "items", "Gini", "KL from train", "KL from uniform"]
    rows = []
    for part, size in result["popularity"].items():
        cells = [f"{size[name]:,}" for name in names[:3]]
        numbers = [size.get(name) for name in names[3:]]
        cells += ["" if number is None else f"{number:.4f}" for number in numbers]
        rows.append([part, *cells])
    lines = [
        table(head, rows, "l" + "r" * len(names)),
        *left_out_lines(result["reserved"], result["left_out"]),
    ]
    for part, size in result["popularity"].items():
        for role in ("user", "item"):
            if rows := size.get(f"new_{role}_rows"):
                lines.append(f"warning: {rows:,} rows of {part} whose {role} train lacks")
        if rows := size.get("repeated_rows"):
            lines.append(f"warning: {rows:,} rows of {part} repeat a user and an item of train")
    if line := shares_line(next(iter(result["split"].values()))):
        lines.append(f"warning: {line}")
    lines += [f"removed {name}, of the split that was there" for name in result["removed"]]
    lines += result["notes"]
    lines += [f"wrote {path}" for path in result["files"]]
    name = Path(result["files"][0]).parent.name
    return "\n".join([*lines, read_line(name, result["settings"])])


def _work(given: Arguments) -> int:
    if "dataset" not in given.options:
        raise UsageError("--dataset=NAME is missing: the name of the dataset to split")
    from recbole_dsl.data.splitting.write_files import write_split

    print(report(write_split(**given.options)))
    return 0


COMMAND = Command(
    name="split",
    summary="split a dataset into train, valid and test files, by popularity, time or chance",
    usage=["--dataset=NAME [--OPTION=VALUE ...]"],
    about="""
    Splits <data_path>/<name>/<name>.inter into RecBole's atomic files <output>.train.inter,
    <output>.valid.inter and <output>.test.inter (or .test_iid.inter, .test_popularity.inter) beside
    a card, <output>.split.json, with sizes, seed, Gini and KL of item popularity. Lines are copied
    as they are; files of users, items and the like are copied along. <output>.yaml has the settings
    with which a run of --dataset=<output> reads the parts.
    """,
    options=[
        Option(
            "dataset",
            "name of the dataset to split (ml-100k: the one RecBole brings)",
            "NAME",
            short="d",
        ),
        Option("data_path", "folder of the datasets", "FOLDER", "dataset"),
        Option(
            "split",
            "PS popularity shift: test rows drawn uniformly over items; GT global temporal: the "
            "latest rows of all; RS random: each user's rows by share, as RecBole's",
            "NAME",
            "PS",
        ),
        Option(
            "ratios",
            "shares of train, valid and each test set",
            "A,B,C",
            "0.7,0.1,0.2",
            read=as_list,
        ),
        Option("split_seed", "seed of the split", "N", "2020", read=as_value),
        Option(
            "split_shift",
            "popularity of the test rows of PS: 1 uniform over items, 0 the data's own",
            "SHARE",
            "1.0",
            read=as_value,
        ),
        Option(
            "valid_shift",
            "popularity of the validation rows of PS: 0 the data's own, 1 uniform over items, so "
            "that what is chosen on validation knows that a shifted test is expected",
            "SHARE",
            "0.0",
            read=as_value,
        ),
        Option(
            "test_sets",
            "iid, popularity (PS) or temporal (GT), or both: iid,popularity (default: the split's "
            "own)",
            "NAMES",
            read=as_list,
        ),
        Option("output", "name of the dataset to make (default: <name>-<split>)", "NAME"),
        Option("user", "column of the user ids (default: <name>.yaml's, or user_id)", "NAME"),
        Option("item", "column of the item ids (default: <name>.yaml's, or item_id)", "NAME"),
        Option(
            "timestamp",
            "column of the times, for GT (default: <name>.yaml's, or timestamp)",
            "NAME",
        ),
        switch(
            "overwrite",
            "replace files that are there; an <output>.yaml changed by hand is kept as "
            "<output>.yaml.old",
        ),
    ],
    examples=[
        "--dataset=ml-100k --split=PS --ratios=0.7,0.1,0.2",
        "--dataset=ml-100k --split=GT --test_sets=iid,temporal --output=late",
    ],
    work=_work,
)

main = COMMAND.run
