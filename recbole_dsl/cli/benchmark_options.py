"""The options of the benchmark, and the request that they make."""

import math
import re
from pathlib import Path

from recbole_dsl.cli.parser import (
    Arguments,
    Option,
    as_count,
    as_files,
    as_seconds,
    switch,
)
from recbole_dsl.common import property_files
from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.experiments.benchmark.request import ALTERNATIVES, Request

# Settings of a run that the benchmark sets itself, and what to give instead.
_SET_BY_BENCHMARK = {
    "seed": "give --seeds",
    "result_file": "results go to --output",
    "checkpoint_dir": "checkpoints go to --output, and are kept with --keep_checkpoints",
}


def as_names(name: str, text: str) -> list[str]:
    """``A,B`` as a list; names are not empty and differ."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise UsageError(f"--{name} must be names separated by commas, got {text!r}")
    if twice := sorted({part for part in found if found.count(part) > 1}):
        hint = "; two settings of one model need two labels (--models_file)"
        raise UsageError(f"--{name} names {twice[0]} twice{hint if name == 'model' else ''}")
    return found


def as_seeds(name: str, text: str) -> list[int]:
    """``0..4``, ``1,5,7``, ``[1, 5]`` or mixed as a list of integers >= 0, ends included."""
    found: list[int] = []
    bracketed = re.fullmatch(r"\s*\[(.*)\]\s*", text)
    for part in (bracketed[1] if bracketed else text).split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\.\.(\d+))?\s*", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"--{name} must be integers >= 0 such as 0..4 or 1,5,7, got {text!r}")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    if len(set(found)) < len(found):
        raise UsageError(f"--{name} names a seed twice: {text}")
    return found


def _as_metrics(name: str, text: str) -> list[str]:
    return as_names(name, text.lower())


def _as_path(name: str, text: str) -> Path:
    return Path(text)


def _as_alternative(name: str, text: str) -> str:
    if text not in ALTERNATIVES:
        near = did_you_mean(text, ALTERNATIVES)
        raise UsageError(f"--{name} must be one of {', '.join(ALTERNATIVES)}, got {text!r}{near}")
    return text


OPTIONS = (
    Option(
        "model",
        "models, separated by commas: <Backbone>_<Loss>, models of RecBole, package.module:Class, "
        "or labels of --models_file (default: all of --models_file)",
        "A,B,...",
        short="m",
        aliases=("model_list",),
        read=as_names,
    ),
    Option("models_file", "YAML file with a section of settings for each label, as above", "FILE"),
    Option(
        "dataset", "datasets, separated by commas", "A,B,...", "ml-100k", short="d", read=as_names
    ),
    Option("seeds", "such as 0..4 or 1,5,7", "SEEDS", "2020..2022", read=as_seeds),
    Option(
        "config_files",
        "YAML files of settings for all models, separated by blanks; later ones win; preset:NAME "
        "is one that comes with the package (recbole_dsl list)",
        '"A.yaml B.yaml"',
        aliases=("config_file_list",),
        read=as_files,
    ),
    Option(
        "tune",
        "first tune every model on every dataset, with so many trials each (default: no tuning)",
        "TRIALS",
        read=as_count,
    ),
    Option(
        "tune_seconds",
        "no trial starts once those of a model on a dataset together have taken so long (default: "
        "no limit)",
        "SECONDS",
        read=as_seconds,
    ),
    Option(
        "tune_sampler",
        "tpe, which ends hopeless trials early, random or grid (default: tpe)",
        "NAME",
    ),
    Option(
        "jobs", "runs, or studies, at once, each with its share of the CPU's cores", "N", "1",
        read=as_count,
    ),
    Option(
        "output", "folder of results and report", "FOLDER", "saved/benchmark", read=_as_path
    ),
    Option("reference", "label that the others are tested against (default: the first)", "LABEL"),
    Option(
        "alternative",
        "two-sided, or better: that the reference is better",
        "NAME",
        ALTERNATIVES[0],
        read=_as_alternative,
    ),
    Option(
        "columns",
        "metrics of table.tex, in its order, such as ndcg@20,recall@20 (default: NDCG and recall "
        "at the cut-off of valid_metric)",
        "A,B,...",
        read=_as_metrics,
    ),
    switch("retry_failed", "run again what has failed; else a failed run, or study, stays one"),
    switch("keep_checkpoints", "keep each run's checkpoint, in its folder"),
    switch(
        "report",
        "run nothing: report again what the last command asked for, with another --reference, "
        "--alternative or --columns where they are given",
    ),
)  # fmt: skip


def benchmark_request(given: Arguments) -> Request:
    """What a command line asks the benchmark for.

    Raises:
        UsageError: no model, or a setting or option that does not fit the others.
    """
    own = given.options
    for key, _ in given.settings:
        if key in _SET_BY_BENCHMARK:
            raise UsageError(f"--{key} is set by the benchmark: {_SET_BY_BENCHMARK[key]}")
    if not own["report"] and not own.keys() & {"model", "models_file"}:
        raise UsageError("no models: --model=A,B names them, or --models_file=FILE.yaml")
    for key in ("tune_seconds", "tune_sampler"):
        if key in own and "tune" not in own:
            raise UsageError(f"--{key} is of tuning, which --tune=TRIALS asks for")
    alternative = own["alternative"]
    if own["report"] and "alternative" not in given.given:
        alternative = None
    return Request(
        models=own.get("model"),
        datasets=own["dataset"],
        seeds=own["seeds"],
        jobs=own["jobs"],
        output=own["output"],
        models_file=own.get("models_file"),
        config_files=own.get("config_files", []),
        shared={key: property_files.parse_value(key, text) for key, text in given.settings},
        reference=own.get("reference"),
        alternative=alternative,
        tune=own.get("tune"),
        tune_seconds=own.get("tune_seconds", math.inf),
        tune_sampler=own.get("tune_sampler", "tpe"),
        retry_failed=own["retry_failed"],
        keep_checkpoints=own["keep_checkpoints"],
        report_only=own["report"],
        columns=own.get("columns"),
    )
