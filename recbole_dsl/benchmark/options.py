"""The command line of the benchmark: its own flags, and settings for every run."""

import math
import re
from pathlib import Path
from typing import NamedTuple

from recbole_dsl import settings
from recbole_dsl.settings import UsageError, split_flags

ALTERNATIVES = ("two-sided", "better")
_SHORT = {"m": "model", "d": "dataset"}
_SWITCHES = ("report", "retry_failed", "keep_checkpoints")
_FLAGS = (
    "model", "dataset", "seeds", "jobs", "output", "models_file", "config_files", "reference",
    "alternative", "tune", "tune_seconds", "tune_sampler", *_SWITCHES,
)  # fmt: skip
# Settings of a run that the benchmark sets itself, and what to give instead.
_OWN = {
    "seed": "give --seeds",
    "result_file": "results go to --output",
    "checkpoint_dir": "checkpoints go to --output, and are kept with --keep_checkpoints",
}


class Options(NamedTuple):
    """What the command line asks for.

    Attributes:
        models: list of labels or model names; None: all of ``models_file``.
        datasets: list of names. seeds: list of int. jobs: runs at once.
        output: folder of store and report.
        models_file: path of the YAML with labels, or None. config_files: list of paths, for all.
        shared: setting -> value, for all.
        reference: label that the others are compared with; None: the first.
        alternative: "two-sided" or "better".
        tune: trials for each model on each dataset before its runs; None: nothing is tuned.
        tune_seconds: what the trials of a model on a dataset may take together.
        tune_sampler: of :mod:`recbole_dsl.tuning`.
        retry_failed, keep_checkpoints: bool.
        report_only: bool. Nothing is run; the last plan of ``output`` is reported.
    """

    models: list | None
    datasets: list
    seeds: list
    jobs: int
    output: Path
    models_file: str | None
    config_files: list
    shared: dict
    reference: str | None
    alternative: str
    tune: int | None
    tune_seconds: float
    tune_sampler: str
    retry_failed: bool
    keep_checkpoints: bool
    report_only: bool


def parse(arguments):
    """The command line as :class:`Options`.

    Raises:
        UsageError: a flag without a value, a flag twice, a value outside its range, no model.
    """
    given = _flags(arguments)
    own = {key: given.pop(key) for key in _FLAGS if key in given}
    for key in given:
        if key in _OWN:
            raise UsageError(f"--{key} is set by the benchmark: {_OWN[key]}")
    switches = {key: _switch(key, own.get(key, "False")) for key in _SWITCHES}
    if not switches["report"] and not own.keys() & {"model", "models_file"}:
        raise UsageError("no models: --model=A,B names them, or --models_file=FILE.yaml")
    alternative = own.get("alternative", "two-sided")
    if alternative not in ALTERNATIVES:
        raise UsageError(
            f"--alternative must be one of {', '.join(ALTERNATIVES)}, got {alternative!r}"
        )
    for key in ("tune_seconds", "tune_sampler"):
        if key in own and "tune" not in own:
            raise UsageError(f"--{key} is of tuning, which --tune=TRIALS asks for")
    return Options(
        models=names("model", own["model"]) if "model" in own else None,
        datasets=names("dataset", own.get("dataset", "ml-100k")),
        seeds=seeds(own.get("seeds", "2020..2022")),
        jobs=_count("jobs", own.get("jobs", "1")),
        output=Path(own.get("output", "saved/benchmark")),
        models_file=own.get("models_file"),
        config_files=own.get("config_files", "").split(),
        shared={key: settings.parse_value(key, text) for key, text in given.items()},
        reference=own.get("reference"),
        alternative=alternative,
        tune=_count("tune", own["tune"]) if "tune" in own else None,
        tune_seconds=_seconds("tune_seconds", own.get("tune_seconds", "inf")),
        tune_sampler=own.get("tune_sampler", "tpe"),
        retry_failed=switches["retry_failed"],
        keep_checkpoints=switches["keep_checkpoints"],
        report_only=switches["report"],
    )


def _flags(arguments):
    arguments = list(arguments)
    for at, flag in enumerate(arguments):
        switch = flag.removeprefix("--")
        if switch in _SWITCHES and arguments[at + 1 : at + 2] not in (["True"], ["False"]):
            arguments[at] = f"--{switch}=True"
    given = {}
    for key, text in split_flags(arguments):
        key = _SHORT.get(key, key)
        if len(key) == 1:
            raise UsageError(f"unknown flag -{key}; there are -m (--model) and -d (--dataset)")
        if given.setdefault(key, text) != text:
            raise UsageError(f"--{key} is given twice: {given[key]!r} and {text!r}")
    return given


def names(flag, text):
    """``A,B`` as a list; names are not empty and differ."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise UsageError(f"--{flag} must be names separated by commas, got {text!r}")
    if twice := sorted({name for name in found if found.count(name) > 1}):
        hint = "; two settings of one model need two labels (--models_file)"
        raise UsageError(f"--{flag} names {twice[0]} twice{hint if flag == 'model' else ''}")
    return found


def seeds(text):
    """``0..4``, ``1,5,7`` or both mixed as a list of integers >= 0, ends included."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\.\.(\d+))?\s*", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"--seeds must be integers >= 0 such as 0..4 or 1,5,7, got {text!r}")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    if len(set(found)) < len(found):
        raise UsageError(f"--seeds names a seed twice: {text}")
    return found


def _count(flag, text):
    if not re.fullmatch(r"[1-9]\d*", text):
        raise UsageError(f"--{flag} must be an integer >= 1, got {text!r}")
    return int(text)


def _seconds(flag, text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0:
        raise UsageError(f"--{flag} must be a number > 0, got {text!r}")
    return value


def _switch(flag, text):
    value = settings.parse_value(flag, text)
    if not isinstance(value, bool):
        raise UsageError(f"--{flag} must be True or False, got {text!r}")
    return value
