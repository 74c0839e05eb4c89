"""``recbole_dsl tune``: the settings of a model with the best validation score."""

import shlex
from collections.abc import Mapping
from typing import Any

from recbole_dsl.cli.command import PROGRAM, Command
from recbole_dsl.cli.parser import Arguments, Option, as_switch, as_value, switch
from recbole_dsl.cli.run_options import (
    ANY_SETTING,
    CONFIG_FILES,
    DATASET,
    LAYERS,
    MODEL,
    files_and_settings,
)
from recbole_dsl.common.text import short, table

_OWN = (
    Option(
        "trials",
        "trials in all, those of earlier calls included (default: 20; with grid, all points)",
        "N",
        aliases=("max_evals",),
        read=as_value,
    ),
    Option("sampler", "how settings are chosen: tpe, random or grid", "NAME", "tpe"),
    Option(
        "params_file",
        "what to try, in YAML or as RecBole's hyper.test, as above (default: the ranges under "
        "search: in the model's property files, without the settings given here)",
        "FILE",
    ),
    Option(
        "prune",
        "end a trial early if it is below the median of the others, from the fifth epoch on "
        "(default: True with tpe, else False)",
        "BOOL",
        read=as_switch,
    ),
    Option(
        "max_seconds",
        "no trial starts once the trials together have taken so long (default: no limit)",
        "SECONDS",
        read=as_value,
    ),
    Option("jobs", "processes on this machine, which share its cores", "N", "1", read=as_value),
    Option(
        "storage",
        "a file for one machine, or for several, which all run this command, the URL of a "
        "PostgreSQL database, postgresql://USER@HOST/NAME (pip install recbole_dsl[postgresql]; a "
        "password is better kept in ~/.pgpass). One that is away is waited for, ten minutes long "
        "(default: <output>/study.log)",
        "PLACE",
    ),
    Option("study", "name of the study in the storage (default: <model>-<dataset>)", "NAME"),
    Option(
        "output",
        "folder of best.yaml, tuning.html, winner.json and the winner's checkpoint (default: "
        "saved/tuning/<study>)",
        "FOLDER",
    ),
    switch("no_test", "do not test the winner"),
)


def tune_arguments(given: Arguments) -> dict[str, Any]:
    """A command line as keyword arguments of :func:`recbole_dsl.experiments.tuning.search.tune`."""
    files, pairs = files_and_settings(given)
    own = {option.name for option in _OWN}
    options = {name: value for name, value in given.options.items() if name in own}
    tested = not options.pop("no_test")
    command = shlex.join([PROGRAM, "tune", *given.words])
    return {
        **options, "tested": tested, "config_file_list": files, "arguments": pairs,
        "command": command,
    }  # fmt: skip


def report(found: Mapping[str, Any]) -> str:
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


def _tests(found: Mapping[str, Any]) -> dict[str, Any]:
    if found.get("tests"):
        return {f"test_{name}": metrics for name, metrics in found["tests"].items()}
    return {"test": found["test"]} if found["test"] else {}


def _table(found: Mapping[str, Any]) -> str:
    names = sorted({name for row in found["table"] for name in row["settings"]})
    head = ["trial", found["metric"], "epoch", "seconds", *names, ""]
    rows = []
    for row in found["table"]:
        numbers = [
            "" if row["valid"] is None else f"{row['valid']:.4f}",
            "" if row["epoch"] is None else str(row["epoch"]),
            "" if row["seconds"] is None else f"{row['seconds']:.1f}",
        ]
        values = [short(row["settings"].get(name, "")) for name in names]
        rows.append([str(row["trial"]), *numbers, *values, row["note"][:60]])
    return table(head, rows, "r" * (len(head) - 1) + "l")


def _work(given: Arguments) -> int:
    arguments = tune_arguments(given)
    from recbole_dsl.experiments.tuning.search import tune

    print(report(tune(**arguments)))
    return 0


COMMAND = Command(
    name="tune",
    summary="search for the settings with the best validation score",
    usage=["[--model=NAME] [--dataset=NAME] [--trials=N] [--KEY=VALUE ...]"],
    about="""
    Searches for the settings with the best validation score (valid_metric), through Optuna, then
    trains the winner again and tests it, once. The search itself never evaluates test rows. Each
    trial is stored as it ends: the same command goes on where an interrupted one stopped.

    What to try, in YAML and in RecBole's hyper.test (loguniform takes exponents of e: -8,0 is
    0.000335..1):

      tau: [0.1, 0.2]                 tau choice [0.1,0.2]
      tau: 0.05..0.5                  tau uniform 0.05,0.5
      n_layers: 1..4
      weight: 0..100 step 5           weight quniform 0,100,5
      learning_rate: 1e-4..1e-1 log   learning_rate loguniform -9.2,-2.3
    """,
    options=[MODEL, DATASET, CONFIG_FILES, *_OWN],
    settings=[ANY_SETTING],
    settings_about="They hold for all trials. " + LAYERS.strip(),
    examples=[
        "--model=MF_DSL --dataset=ml-100k --trials=30 --jobs=2",
        "-m LightGCN_SL --sampler=grid --params_file=hyper.test --epochs=50",
    ],
    exit_codes=[(1, "no trial ran to its end, or there are no validation rows")],
    work=_work,
    interrupted="the finished trials are kept, and the same command goes on from there",
)

main = COMMAND.run
