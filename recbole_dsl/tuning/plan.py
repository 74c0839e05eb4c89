"""What a study is: the model, its settings, the ranges, and how it is searched. Knows no Optuna."""

import itertools
import math
import random
from dataclasses import dataclass, replace

from recbole_dsl import launch
from recbole_dsl.config import Config
from recbole_dsl.settings import UsageError, did_you_mean
from recbole_dsl.tuning import ranges

SAMPLERS = ("tpe", "random", "grid")

# Where a run computes and what it leaves, which changes no result.
_PLACES = {
    "gpu_id", "use_gpu", "device", "state", "show_progress", "data_path", "checkpoint_dir",
    "result_file", "cache_dir", "dataset_cache", "save_dataset", "dataset_save_path",
    "save_dataloaders", "dataloaders_save_path", "log_wandb", "wandb_project", "config_file",
    "eval_memory", "eval_batch_size", "strict_config", "worker", "nproc", "world_size",
    "group_offset", "ip", "port", "metric_decimal_place", "loss_decimal_place",
}  # fmt: skip
# What says which rows are compared, and by what.
_MEASURE = {
    "model", "dataset", "seed", "split_seed", "split_shift", "test_sets", "benchmark_valid",
    "reproducibility", "backbone", "loss",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """All that a worker process needs to know.

    Attributes:
        run: arguments of :func:`recbole_dsl.runner.run` that all trials share.
        model, dataset, seed, metric, bigger: as the settings have them.
        ranges: setting -> range, by name. identity: what ties a study to this plan, plain data.
        sampler, prune, trials, max_seconds, jobs, storage, study, output, command: as asked for.
        session: who runs it, for the storage.
    """

    run: dict
    model: str
    dataset: str
    seed: int
    metric: str
    bigger: bool
    ranges: dict
    identity: dict
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

    def grid(self):
        """All points of the ranges, shuffled by the seed: a part of them is spread over all.

        Returns:
            list of {setting: choice's label or number}.
        """
        axes = [[(name, point) for point in span.points()] for name, span in self.ranges.items()]
        points = [dict(point) for point in itertools.product(*axes)]
        random.Random(self.seed).shuffle(points)
        return points

    def decode(self, params):
        """Settings from the parameters that an Optuna trial keeps."""
        return {name: self.ranges[name].decode(value) for name, value in params.items()}

    def at(self, best):
        """Arguments of a run with these settings."""
        return {**self.run, "config_dict": {**self.run["config_dict"], **best}}

    def with_jobs(self, jobs):
        """The same plan for another number of processes."""
        return replace(self, jobs=jobs)


def base_config(run):
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


def find_ranges(config, run, params_file=None, given=None):
    """The ranges to search, checked: each of their values is a setting's that a run would take.

    Args:
        config, run: the settings without tuning, and the arguments they came from.
        params_file: a file of ranges. given: name -> range. Neither: the ``search:`` ranges of the
            model's property files, without the settings that the user has given a value.
    Raises:
        UsageError: an unknown setting, one that may not be tuned, or a value it may not have.
    """
    fixed = set(config.external_config_dict)
    if params_file is not None and given is not None:
        raise UsageError("ranges and params_file both say what to tune: give one of them")
    if params_file is not None:
        given = ranges.read(params_file)
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
        name: ranges.parse(name, given[name], config.layered.get(name)) for name in sorted(given)
    }
    for name, span in found.items():
        for value in span.ends():
            _check_value(where, name, value, run)
    return found


def _check_name(where, name, config, fixed):
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


def _check_value(where, name, value, run):
    try:
        Config(**{**run, "config_dict": {**run["config_dict"], name: value}})
    except UsageError as error:
        raise UsageError(f"{where}: {str(error).replace(' (config dict)', '')}") from error


def check_searchable(sampler, spans):
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


def identity(config, spans, sampler, prune):
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


def difference(theirs, ours, path=()):
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


def _shown(value):
    return "not there" if value is None else repr(value)
