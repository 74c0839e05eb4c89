"""The command line of the splits."""

from texttable import Texttable

from recbole_dsl import commands, settings
from recbole_dsl.settings import UsageError, did_you_mean, split_flags
from recbole_dsl.splits import options
from recbole_dsl.splits.files import write_split

_HELP = """\
usage: python -m recbole_dsl.splits --dataset=NAME [--KEY=VALUE ...]

Splits <data_path>/<name>/<name>.inter into RecBole's atomic files <output>.train.inter,
<output>.valid.inter and <output>.test.inter (or .test_iid.inter, .test_popularity.inter) beside a
card, <output>.split.json, with sizes, seed, Gini and KL of item popularity. Lines are copied as
they are; files of users, items and the like are copied along.

  -d, --dataset       name of the dataset to split (ml-100k: the one RecBole brings)
  --data_path         folder of the datasets (default: dataset)
  --split             PS popularity shift: test rows drawn uniformly over items (default)
                      GT global temporal: the latest rows of all
                      RS random, each user's rows by share, as RecBole's
  --ratios            shares of train, valid and each test set (default: 0.7,0.1,0.2)
  --split_seed        seed of the draw (default: 2020)
  --split_shift       of PS: 1 uniform over items (default), 0 the data's popularity
  --test_sets         iid, and popularity (PS) or temporal (GT), or both: iid,popularity
  --output            name of the dataset to make (default: <name>-<split>)
  --user, --item, --timestamp
                      columns (default: user_id, item_id, timestamp)
  --overwrite         replace files that are there
  --help              this text

  python -m recbole_dsl.splits --dataset=ml-100k --split=PS --ratios=0.7,0.1,0.2
  python -m recbole_dsl.splits --dataset=ml-100k --split=GT --test_sets=iid,temporal --output=late
"""

_FLAGS = (
    "dataset", "data_path", "split", "ratios", "split_seed", "split_shift", "test_sets", "output",
    "user", "item", "timestamp", "overwrite",
)  # fmt: skip


def parse(arguments):
    """The command line as keyword arguments of :func:`write_split`.

    Raises:
        UsageError: an unknown flag, a flag twice, no --dataset.
    """
    arguments = list(arguments)
    for place, flag in enumerate(arguments):
        if flag == "--overwrite" and arguments[place + 1 : place + 2] not in (["True"], ["False"]):
            arguments[place] = "--overwrite=True"
    given = {}
    for key, text in split_flags(arguments):
        key = "dataset" if key == "d" else key
        if key not in _FLAGS:
            raise UsageError(f"unknown flag --{key}{did_you_mean(key, _FLAGS)} (see --help)")
        if key in given:
            raise UsageError(f"--{key} is given twice: {given[key]!r} and {text!r}")
        given[key] = _value(key, text)
    if "dataset" not in given:
        raise UsageError("--dataset=NAME is missing: the name of the dataset to split")
    return given


def _value(key, text):
    if key in ("split_seed", "split_shift"):
        return settings.parse_value(key, text)
    if key in ("ratios", "test_sets"):
        return settings.parse_value(key, text if text.lstrip()[:1] == "[" else f"[{text}]")
    if key == "overwrite":
        value = settings.parse_value(key, text)
        if not isinstance(value, bool):
            raise UsageError(f"--{key} must be True or False, got {text!r}")
        return value
    return text


def report(result):
    """What :func:`write_split` returned, as text for a terminal."""
    table = Texttable(max_width=0)
    table.set_deco(Texttable.HEADER)
    names = ["rows", "users", "items", "gini", "kl_train", "kl_uniform"]
    table.set_cols_dtype(["t"] * (len(names) + 1))
    table.set_cols_align(["l"] + ["r"] * len(names))
    table.header(["part", "rows", "users", "items", "Gini", "KL from train", "KL from uniform"])
    for part, size in result["popularity"].items():
        cells = [f"{size[name]:,}" for name in names[:3]]
        numbers = [size.get(name) for name in names[3:]]
        cells += ["" if number is None else f"{number:.4f}" for number in numbers]
        table.add_row([part, *cells])
    lines = [table.draw(), *options.left_out_lines(result["reserved"], result["left_out"])]
    for part, size in result["popularity"].items():
        for role in ("user", "item"):
            if rows := size.get(f"new_{role}_rows"):
                lines.append(f"warning: {rows:,} rows of {part} whose {role} train lacks")
    lines += [f"wrote {path}" for path in result["files"]]
    parts = ", ".join(result["parts"])
    lines += [
        "for a property file (--config_files=FILE):",
        f"  benchmark_filename: [{parts}]",
    ]
    return "\n".join(lines)


def main(arguments=None):
    """Run the command line; returns the exit code: 0, or 2 for bad input."""
    return commands.run(lambda words: report(write_split(**parse(words))), _HELP, arguments)
