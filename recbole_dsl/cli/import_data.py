"""``recbole_dsl import``: interaction files as RecBole's atomic files."""

from typing import Any

from recbole_dsl.cli.command import Command
from recbole_dsl.cli.parser import Arguments, Option, as_switch, switch
from recbole_dsl.common.errors import UsageError


def _as_column(name: str, text: str) -> str | None:
    """A column's name; None where it is to be left out."""
    return None if text in ("None", "") else text


def import_arguments(given: Arguments) -> dict[str, Any]:
    """A command line as keyword arguments of :func:`import_interactions`.

    Raises:
        UsageError: more than one FILE, or no --dataset.
    """
    files = given.operands
    if len(files) > 1:
        raise UsageError(f"one FILE at a time, got {' and '.join(files)}; a split has flags")
    if "dataset" not in given.options:
        raise UsageError("--dataset=NAME is missing: the name of the dataset to make")
    return {**({"source": files[0]} if files else {}), **given.options}


def _work(given: Arguments) -> int:
    arguments = import_arguments(given)
    from recbole_dsl.data.importer.convert import import_interactions
    from recbole_dsl.data.importer.summary import report

    print(report(import_interactions(**arguments)))
    return 0


COMMAND = Command(
    name="import",
    summary="turn csv, tsv, txt or parquet files into RecBole's atomic files",
    usage=[
        "FILE --dataset=NAME [--OPTION=VALUE ...]",
        "--train=FILE --test=FILE [--valid=FILE] --dataset=NAME [...]",
    ],
    about="""
    Writes interactions as RecBole's atomic files, after checking every row, and says what they
    hold. FILE becomes <data_path>/<name>/<name>.inter; the parts of a ready split become
    <name>.train.inter and so on. <name>.yaml says which columns and parts there are: a run with
    --dataset=<name> reads it below --config_files, and other settings of the data may be added.

    Files: .csv .tsv .txt .dat, each also .gz; .parquet (pip install recbole_dsl[parquet]). Ids stay
    as they are written ("007", 12345678901234567890), without blanks around them. Times are numbers
    and stay as they are, or ISO dates (2014-05-13T10:00:00Z), which become seconds since 1970, in
    UTC where they name no zone. Columns that are not used are named. Repeated rows are kept and
    counted. One bad row stops the import, which then writes nothing.
    """,
    options=[
        Option("dataset", "name of the dataset to make", "NAME", short="d"),
        Option("data_path", "folder of the datasets", "FOLDER", "dataset"),
        Option("train", "training rows of a ready split", "FILE"),
        Option("valid", "its validation rows", "FILE"),
        Option("test", "its test rows", "FILE"),
        Option(
            "user",
            "column of the user ids (default: user_id, userId, uid, customer_id, ...)",
            "NAME",
        ),
        Option(
            "item",
            "column of the item ids (default: item_id, asin, movieId, product_id, sku, ...)",
            "NAME",
        ),
        Option(
            "rating",
            "column of the ratings; None leaves them out (default: rating, stars, ..., if there)",
            "NAME",
            read=_as_column,
        ),
        Option(
            "timestamp",
            "column of the times; None leaves them out (default: timestamp, ts, ..., if there)",
            "NAME",
            read=_as_column,
        ),
        Option(
            "header",
            "whether the first line names the columns; if not, columns are numbers from 1: users "
            "in column 1, items in 2, no ratings and no timestamps unless named",
            "BOOL",
            "True",
            read=as_switch,
        ),
        Option(
            "sep",
            "separator, or the word tab (default: comma for .csv, tab for .tsv; for .txt and .dat "
            "the first of tab :: , ; | and blank that the first line holds)",
            "TEXT",
        ),
        Option("encoding", "encoding of text files", "NAME", "utf-8"),
        Option(
            "quotes",
            "whether a field in double quotes may hold separators; if not, they are plain "
            "characters",
            "BOOL",
            "True",
            read=as_switch,
        ),
        switch(
            "overwrite",
            "replace files that are there; a <name>.yaml changed by hand is kept as "
            "<name>.yaml.old",
        ),
    ],
    examples=[
        "ratings.csv --dataset=my-shop",
        "ml-1m/ratings.dat --dataset=my-ml --header=False --timestamp=4",
        "--train=train.tsv.gz --test=test.tsv.gz --dataset=amazon",
    ],
    operands=True,
    work=_work,
)

main = COMMAND.run
