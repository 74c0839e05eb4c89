"""The command line of the importer."""

from recbole_dsl import commands, settings
from recbole_dsl.importer.convert import import_interactions
from recbole_dsl.importer.report import report
from recbole_dsl.settings import UsageError, did_you_mean, split_flags

_HELP = """\
usage: python -m recbole_dsl.importer FILE --dataset=NAME [--KEY=VALUE ...]
       python -m recbole_dsl.importer --train=FILE --test=FILE [--valid=FILE] --dataset=NAME [...]

Writes interactions as RecBole's atomic files, after checking every row, and says what they hold.
FILE becomes <data_path>/<name>/<name>.inter; a ready split becomes <name>.train.inter and so on.

  -d, --dataset       name of the dataset to make
  --data_path         folder of the datasets (default: dataset)
  --user, --item      columns of the ids (default: the usual names, such as user_id, userId, uid,
                      reviewerID; item_id, asin, movieId, productId)
  --rating, --timestamp
                      columns of numbers (default: the usual names, if there; None leaves them out)
  --header            False: the first line is data, and columns are numbers from 1 (default: users
                      in column 1, items in 2, no ratings, no timestamps)
  --sep               separator, or the word tab (default: comma for .csv, tab for .tsv; for .txt
                      and .dat the first of tab :: , ; | and blank that the first line holds)
  --encoding          of text files (default: utf-8)
  --quotes            False: double quotes in text files are plain characters
  --overwrite         replace files of a dataset that is there
  --help              this text

Files: .csv .tsv .txt .dat, each also .gz; .parquet (pip install recbole_dsl[parquet]).
Ids stay as they are written ("007", 12345678901234567890), without blanks around them.
Repeated rows are kept and counted. One bad row stops the import, which then writes nothing.

  python -m recbole_dsl.importer ratings.csv --dataset=my-shop
  python -m recbole_dsl.importer ml-1m/ratings.dat --dataset=my-ml --header=False --timestamp=4
  python -m recbole_dsl.importer --train=train.tsv.gz --test=test.tsv.gz --dataset=amazon
"""

_FLAGS = (
    "dataset", "data_path", "train", "valid", "test", "user", "item", "rating", "timestamp",
    "header", "sep", "encoding", "quotes", "overwrite",
)  # fmt: skip
_SWITCHES = ("header", "quotes", "overwrite")


def parse(arguments):
    """The command line as keyword arguments of :func:`import_interactions`.

    Raises:
        UsageError: an unknown flag, a flag twice, more than one file, no --dataset.
    """
    files, pairs, rest = [], [], list(arguments)
    while rest:
        if not rest[0].startswith("-"):
            files.append(rest.pop(0))
        elif rest[0] == "--overwrite" and rest[1:2] not in (["True"], ["False"]):
            pairs.append(("overwrite", "True"))
            del rest[0]
        else:
            taken = 1 if "=" in rest[0] else 2
            pairs += split_flags(rest[:taken])
            del rest[:taken]
    options = {"source": files[0]} if files else {}
    if len(files) > 1:
        raise UsageError(f"one FILE at a time, got {' and '.join(files)}; a split has flags")
    for key, text in pairs:
        key = "dataset" if key == "d" else key
        if key not in _FLAGS:
            raise UsageError(f"unknown flag --{key}{did_you_mean(key, _FLAGS)} (see --help)")
        if key in options:
            raise UsageError(f"--{key} is given twice: {options[key]!r} and {text!r}")
        options[key] = _value(key, text)
    if "dataset" not in options:
        raise UsageError("--dataset=NAME is missing: the name of the dataset to make")
    return options


def _value(key, text):
    if key in _SWITCHES:
        value = settings.parse_value(key, text)
        if not isinstance(value, bool):
            raise UsageError(f"--{key} must be True or False, got {text!r}")
        return value
    return None if key in ("rating", "timestamp") and text in ("None", "") else text


def main(arguments=None):
    """Run the command line; returns the exit code: 0, or 2 for bad input."""
    return commands.run(lambda words: report(import_interactions(**parse(words))), _HELP, arguments)
