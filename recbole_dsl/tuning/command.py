"""The command line of tuning."""

import sys

from texttable import Texttable

from recbole_dsl import commands, settings
from recbole_dsl.settings import UsageError, split_flags
from recbole_dsl.tuning import search

_HELP = """\
usage: python -m recbole_dsl.tuning [--model=NAME] [--dataset=NAME] [--trials=N] [--KEY=VALUE ...]

Searches for the settings with the best validation score (valid_metric), through Optuna, then trains
the winner again and evaluates it on test, once. The search itself never evaluates test rows. Each
trial is stored as it ends: the same command goes on where an interrupted one stopped.

  -m, --model         any model that run_recbole_dsl.py takes (default: LightGCN_DSL)
  -d, --dataset       name of a dataset (default: ml-100k)
  --trials            trials in all, those of earlier calls included (default: 20; grid: all points)
  --sampler           tpe (default), random or grid
  --params_file       ranges to search, as RecBole's hyper.test or as YAML (default: the search:
                      ranges of the model's property files, less what is set here):
                        tau: [0.1, 0.2]                 tau choice [0.1,0.2]
                        tau: 0.05..0.5                  tau uniform 0.05,0.5
                        n_layers: 1..4
                        weight: 0..100 step 5           weight quniform 0,100,5
                        learning_rate: 1e-4..1e-1 log   learning_rate loguniform -9.2,-2.3
                      loguniform takes exponents of e, as in RecBole: -8,0 is 0.000335..1
  --prune             True ends trials early that are below the median of the others from the fifth
                      epoch on (default: True for tpe, False for random and grid)
  --max_seconds       no trial starts once the trials have taken so long together
  --jobs              processes on this machine, which share its cores (default: 1)
  --storage           a file for one machine, or a database's URL for several, which all run this
                      command (default: <output>/study.log)
  --study             name of the study in the storage (default: <model>-<dataset>)
  --output            folder of best.yaml, tuning.html, winner.json and the winner's checkpoint
                      (default: saved/tuning/<study>)
  --no-test           leave the test rows alone to the end
  --config_files      YAML files of settings, separated by blanks, for all trials
  --KEY=VALUE         any setting, for all trials
  --help              this text

  python -m recbole_dsl.tuning --model=MF_DSL --dataset=ml-100k --trials=30 --jobs=2
  python run_recbole_dsl.py --model=MF_DSL --config_files=saved/tuning/MF_DSL-ml-100k/best.yaml
"""

_SHORT = {"m": "model", "d": "dataset"}
_NUMBERS = ("trials", "jobs", "max_seconds", "prune")
_OPTIONS = (*_NUMBERS, "sampler", "params_file", "storage", "study", "output")


def parse(arguments):
    """The command line as keyword arguments of :func:`recbole_dsl.tuning.search.tune`.

    Raises:
        UsageError: a flag that is not one, or an option twice.
    """
    words = [word for word in arguments if word != "--no-test"]
    options, files, pairs = {}, [], []
    for key, text in split_flags(words):
        key = _SHORT.get(key, key).replace("-", "_")
        if key == "config_files":
            files += text.split()
        elif key not in _OPTIONS:
            pairs.append((key, text))
        elif key in options:
            raise UsageError(f"--{key} is given twice: {options[key]!r} and {text!r}")
        else:
            options[key] = settings.parse_value(key, text) if key in _NUMBERS else text
    for name, default in (("model", "LightGCN_DSL"), ("dataset", "ml-100k")):
        if not files and name not in dict(pairs):
            pairs.append((name, default))
    options.update(config_file_list=files, arguments=pairs, tested="--no-test" not in arguments)
    return {**options, "command": search.command_line(arguments)}


def report(found):
    """What :func:`tune` returned, as text for a terminal."""
    counted = found["trials"]
    ended = sum(counted[state] for state in ("complete", "pruned", "failed"))
    best = ", ".join(f"{name}: {value}" for name, value in found["best"].items())
    lines = [
        _table(found),
        f"{ended} of {counted['asked']} trials: {counted['complete']} complete, "
        f"{counted['pruned']} ended early, {counted['failed']} failed; {found['seconds']:.0f} s",
        f"best: trial {found['trial']}, {found['metric']} {found['valid']:.4f} on validation in "
        f"epoch {found['best_epoch']}: {best}",
    ]
    for name, metrics in _tests(found).items():
        measured = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())
        lines.append(f"{name} of the winner, once: {measured}")
    lines += [f"remark: {remark}" for remark in found["remarks"]]
    return "\n".join([*lines, *(f"wrote {path}" for path in found["files"])])


def _tests(found):
    if found.get("tests"):
        return {f"test_{name}": metrics for name, metrics in found["tests"].items()}
    return {"test": found["test"]} if found["test"] else {}


def _table(found):
    names = sorted({name for row in found["table"] for name in row["settings"]})
    table = Texttable(max_width=0)
    table.set_deco(Texttable.HEADER)
    table.set_cols_dtype(["t"] * (5 + len(names)))
    table.set_cols_align(["r"] * (4 + len(names)) + ["l"])
    table.header(["trial", found["metric"], "epoch", "seconds", *names, ""])
    for row in found["table"]:
        numbers = [
            "" if row["valid"] is None else f"{row['valid']:.4f}",
            "" if row["epoch"] is None else str(row["epoch"]),
            "" if row["seconds"] is None else f"{row['seconds']:.1f}",
        ]
        values = [search.short(row["settings"].get(name, "")) for name in names]
        table.add_row([str(row["trial"]), *numbers, *values, row["note"][:60]])
    return table.draw()


def main(arguments=None):
    """Run the command line; the exit code: 0, 1 (no trial ran through), 2 (bad input), 130."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        from recbole_dsl.tuning.worker import NothingToSelectOnError as Nothing

        failures = (search.NoWinnerError, Nothing)
    except ImportError:  # without Optuna tune() says so
        failures = ()
    return commands.run(
        lambda words: report(search.tune(**parse(words))),
        _HELP,
        arguments,
        failures=failures,
        kept="the finished trials are kept, and the same command goes on from there",
    )
