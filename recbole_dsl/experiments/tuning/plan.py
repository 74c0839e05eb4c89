"""What a study is: the model, its settings, the ranges, how it is searched. Imports no Optuna."""

import itertools
import math
import os
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.config.run_config import Config
from recbole_dsl.experiments import launch
from recbole_dsl.experiments.tuning import search_space
from recbole_dsl.experiments.tuning.search_space import Choice, Span
from recbole_dsl.experiments.tuning.storage import place, without_password
from recbole_dsl.models.plugins import Registered, for_other_processes

SAMPLERS = ("tpe", "random", "grid")

# Where a run computes and which files it writes, which changes no result.
_PLACES = {
    "gpu_id", "use_gpu", "device", "state", "show_progress", "data_path", "checkpoint_dir",
    "result_file", "cache_dir", "dataset_cache", "save_dataset", "dataset_save_path",
    "save_dataloaders", "dataloaders_save_path", "log_wandb", "wandb_project", "config_file",
    "eval_memory", "eval_batch_size", "strict_config", "worker", "nproc", "world_size",
    "group_offset", "ip", "port", "metric_decimal_place", "loss_decimal_place", "verbose",
}  # fmt: skip
# What every trial has unless it is given.
QUIET = {"state": "WARNING", "show_progress": False}
# What decides which rows are evaluated, and by which metric.
_MEASURE = {
    "model", "dataset", "seed", "split_seed", "split_shift", "valid_shift", "test_sets",
    "benchmark_valid", "reproducibility", "backbone", "loss",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """All that a worker process needs to know. Can be pickled.

    Attributes:
        run: arguments of :func:`recbole_dsl.experiments.single_run.run` that all trials share.
        model, dataset, seed, metric: as the settings have them. bigger: whether bigger is better.
        ranges: setting -> range. identity: what two commands must agree on to share a study.
        sampler, prune, trials, max_seconds, jobs, storage, study, output, command: options of
            :func:`recbole_dsl.experiments.tuning.search.tune`.
        session: a random id of the command that runs it.
        events: file of events, or None.
        registered: what worker processes have to register before they know the model.
    """

    run: dict[str, Any]
    model: str
    dataset: str
    seed: int
    metric: str
    bigger: bool
    ranges: dict[str, Choice | Span]
    identity: dict[str, Any]
    sampler: str
    prune: bool
    trials: int
    max_seconds: float
    jobs: int
    storage: str
    study: str
    output: str
    command: str
    session: str
    events: str | None = None
    registered: tuple[Registered, ...] = ()

    def grid(self) -> list[dict[str, Any]]:
        """All points of the ranges, shuffled by the seed, so that a part is spread over all.

        Returns:
            list of {setting: choice's label or number}.
        """
        axes = [[(name, point) for point in span.points()] for name, span in self.ranges.items()]
        points = [dict(point) for point in itertools.product(*axes)]
        random.Random(self.seed).shuffle(points)
        return points

    def decode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Settings from the parameters that an Optuna trial stores."""
        return {name: self.ranges[name].decode(value) for name, value in params.items()}

    def arguments(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of a run with these settings."""
        return {**self.run, "config_dict": {**self.run["config_dict"], **settings}}

    def with_jobs(self, jobs: int) -> "Plan":
        """The same plan for another number of processes."""
        return replace(self, jobs=jobs)


def base_config(run: dict[str, Any]) -> Config:
    """The settings without tuning, checked.

    Raises:
        UsageError: what :class:`Config` refuses, or several processes a run.
    """
    config = Config(**run)
    if launch.n_processes(config) > 1 or launch.by_torchrun():
        raise UsageError(
            "tuning trains each trial in one process, and several trials at once with --jobs=N: "
            "leave nproc, world_size and torchrun out"
        )
    return config


def find_ranges(
    config: Config,
    run: dict[str, Any],
    params_file: str | None = None,
    given: Mapping[str, Any] | None = None,
) -> dict[str, Choice | Span]:
    """The ranges to search, checked: a run would accept the values at their ends.

    Args:
        config, run: the settings without tuning, and the arguments they came from.
        params_file: a file of ranges. given: setting -> range. Neither: the ``search:`` ranges of
            the model's property files, without the settings that the user has given a value.
    Raises:
        UsageError: an unknown setting, one that may not be tuned, or a value it may not have.
    """
    fixed = set(config.external_config_dict)
    if params_file is not None and given is not None:
        raise UsageError("ranges and params_file both say what to tune: give one of them")
    if params_file is not None:
        given = search_space.read(params_file)
    where = params_file or "ranges"
    if given is None:
        where = f"search: of {config['model']}"
        given = {name: span for name, span in config.search.items() if name not in fixed}
        if not given:
            raise UsageError(
                f"{config['model']} has no ranges of its own"
                + (" but for settings given a value" if config.search else "")
                + ": --params_file=FILE says what to tune"
            )
    for name in sorted(given):
        _check_name(where, name, config, fixed)
    found = {
        name: search_space.parse(name, given[name], config.layered.get(name))
        for name in sorted(given)
    }
    for name, span in found.items():
        for value in span.ends():
            _check_value(where, name, value, run)
    return found


def _check_name(where: str, name: str, config: Config, fixed: set[str]) -> None:
    if name in fixed:
        raise UsageError(
            f"{where}: {name} is to be tuned and is given a value ({config.origins[name]}): "
            "leave one of them out"
        )
    groups = ("Evaluation", "Dataset")
    measure = _MEASURE.union(*(config.parameters[group] for group in groups))
    if name in measure | _PLACES:
        raise UsageError(
            f"{where}: {name} cannot be tuned: it says what is measured, or where a run computes, "
            "and all trials share it"
        )


def _check_value(where: str, name: str, value: Any, run: dict[str, Any]) -> None:
    try:
        Config(**{**run, "config_dict": {**run["config_dict"], name: value}})
    except UsageError as error:
        raise UsageError(f"{where}: {str(error).replace(' (config dict)', '')}") from error


def check_sampler(sampler: str, spans: Mapping[str, Choice | Span]) -> float:
    """How many points a grid has; infinite where a range is continuous.

    Raises:
        UsageError: an unknown sampler, or a grid over a continuous range.
    """
    if sampler not in SAMPLERS:
        hint = did_you_mean(sampler, SAMPLERS)
        raise UsageError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}{hint}")
    points = {name: span.points() for name, span in spans.items()}
    if sampler == "grid":
        for name, span in spans.items():
            if points[name] is None:
                raise UsageError(
                    f"a grid needs choices, and the range of {name}, {span}, is continuous: give "
                    f"[a, b, c] or LOW..HIGH step STEP, or --sampler=random"
                )
    return math.prod(math.inf if p is None else len(p) for p in points.values())


def _identity(
    config: Config, spans: Mapping[str, Choice | Span], sampler: str, prune: bool
) -> dict[str, Any]:
    """What two commands must agree on to share a study, as plain data."""
    values = {
        key: item["value"]
        for key, item in config.settings().items()
        if key in config.layered and key not in _PLACES and key not in spans
    }
    return {
        "model": config.spec.target,
        "dataset": config["dataset"],
        "ranges": {name: str(span) for name, span in spans.items()},
        "sampler": sampler,
        "prune": prune,
        "valid_metric": config["valid_metric"],
        "settings": values,
    }


def difference(
    theirs: Mapping[str, Any], ours: Mapping[str, Any], path: tuple[str, ...] = ()
) -> str | None:
    """The first setting on which two identities differ, in words; None where they agree."""
    for key in sorted({*theirs, *ours}):
        left, right = theirs.get(key), ours.get(key)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict):
            return difference(left, right, (*path, key))
        name = ": ".join([part for part in path if part != "settings"] + [key])
        return f"{name} is {_shown(left)} there and {_shown(right)} here"
    return None


def _shown(value: object) -> str:
    return "not there" if value is None else repr(value)


def _check_options(options: Mapping[str, Any]) -> None:
    for name in ("trials", "jobs"):
        value = options[name]
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not whole and not (name == "trials" and value is None):
            raise UsageError(f"{name} must be an integer >= 1, got {value!r}")
    seconds = options["max_seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise UsageError(f"max_seconds must be a number > 0, got {seconds!r}")
    if options["prune"] not in (None, True, False):
        raise UsageError(f"prune must be True or False, got {options['prune']!r}")


def make_plan(
    run: dict[str, Any],
    *,
    trials: int | None,
    sampler: str,
    ranges: Mapping[str, Any] | None,
    params_file: str | None,
    prune: bool | None,
    max_seconds: float,
    jobs: int,
    storage: str | None,
    study: str | None,
    output: str | None,
    command: str,
    events: str | os.PathLike[str] | None,
) -> Plan:
    """The plan of a study, everything checked.

    Args:
        run: arguments of :func:`recbole_dsl.experiments.single_run.run`. The other options are
            those of :func:`recbole_dsl.experiments.tuning.search.tune`.
    Raises:
        UsageError: a setting, range or option is wrong.
    """
    _check_options(dict(trials=trials, jobs=jobs, max_seconds=max_seconds, prune=prune))
    config = base_config(run)
    registered = for_other_processes(config.spec.parts, f"jobs {jobs}") if jobs > 1 else []
    spans = find_ranges(config, run, params_file, ranges)
    size = check_sampler(sampler, spans)
    if sampler == "grid":
        trials = int(size if trials is None else min(trials, size))
    prune = sampler == "tpe" if prune is None else prune
    study = study or f"{config['model']}-{config['dataset']}"
    output = output or str(Path("saved") / "tuning" / study)
    if str(storage).startswith("sqlite"):
        raise UsageError(
            f"storage {storage}: SQLite does not keep two processes from taking one trial; for "
            "one machine name a file, for several a server's URL (postgresql:// ...)"
        )
    # A trial's own log would drown the progress; the user's level wins.
    settings = {**QUIET, **run["config_dict"]}
    return Plan(
        run={**run, "config_dict": settings},
        model=config["model"], dataset=config["dataset"], seed=config["seed"],
        metric=config["valid_metric"].lower(), bigger=config["valid_metric_bigger"],
        ranges=spans, identity=_identity(config, spans, sampler, prune), sampler=sampler,
        prune=prune, trials=20 if trials is None else trials, max_seconds=float(max_seconds),
        jobs=jobs, storage=place(storage or Path(output) / "study.log"), study=study, output=output,
        command=without_password(command), session=uuid.uuid4().hex,
        events=None if events is None else str(events), registered=tuple(registered),
    )  # fmt: skip
