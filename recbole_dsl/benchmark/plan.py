"""From what is asked for to runs that are checked, each with a key that says what it is.

:func:`make` is called twice where models are tuned: first to check everything, then with the
settings that tuning has found.
"""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from recbole_dsl import data, result, user_metrics
from recbole_dsl.config import SHARED, Config
from recbole_dsl.loading import cache
from recbole_dsl.settings import Layers, UsageError
from recbole_dsl.splits.options import DEFAULT_SEED

# What all models of a dataset must have in common, or their figures cannot be compared.
_PROTOCOL = (
    "eval_args", "split_seed", "split_shift", "test_sets", "benchmark_filename", "benchmark_valid",
    "repeatable", "metrics", "topk", "valid_metric", "user_inter_num_interval",
    "item_inter_num_interval", "val_interval", "filter_inter_by_user_or_item", "rm_dup_inter",
    "threshold", "group_metrics", "mask_at_test", "train_noise",
)  # fmt: skip
# What a model may train for; said in the report where models differ.
_BUDGET = ("epochs", "eval_step", "stopping_step")
# Settings that do not change what a run measures.
_OUTWARD = (
    "data_path", "result_file", "checkpoint_dir", "show_progress", "state", "dataset_cache",
    "cache_dir", "log_wandb", "wandb_project", "gpu_id", "ip", "port", "strict_config",
    "save_dataset", "save_dataloaders", "dataset_save_path", "dataloaders_save_path",
)  # fmt: skip
# Versions that decide what a model is; those of numpy, torch and the like are in the store.
_VERSIONS = ("recbole_dsl", "recbole")


class Run(NamedTuple):
    """One run.

    Attributes:
        key: 32 hexadecimal digits of all that decides its result.
        label, model, dataset, seed: what runs.
        arguments: its command line, without what the benchmark sets for itself.
        tuning: what its tuning came to, see :func:`recbole_dsl.benchmark.tuning.outcome`; None:
            there was none.
    """

    key: str
    label: str
    model: str
    dataset: str
    seed: int
    arguments: tuple
    tuning: dict | None = None


class Plan(NamedTuple):
    """All runs asked for, and what is said of them.

    Attributes:
        runs: list of :class:`Run`, seed by seed, so that a part of them compares all models.
        protocol: dataset -> {setting: value}, the same for all models.
        budget: label -> {setting: value}.
        notes: sentences on settings that some models do not take.
    """

    runs: list
    protocol: dict
    budget: dict
    notes: list


def make(entries, datasets, seeds, config_files=(), shared=None, tuned=None):
    """Check every model on every dataset, and list the runs.

    All seeds share one split, by ``split_seed`` 2020, unless that is given: ``split_seed: None``
    is RecBole's way, in which the seed draws the split too.

    Args:
        entries: list of :class:`recbole_dsl.benchmark.entries.Entry`.
        datasets, seeds: lists of names and of integers.
        config_files: files for all models. shared: settings for all, over everything else.
        tuned: (label, dataset) -> what tuning came to, a dict whose ``best`` are settings; one with
            an ``error`` is not run.
    Raises:
        UsageError: a model, dataset or setting is wrong, or models differ in the protocol.
    """
    shared, tuned = dict(shared or {}), tuned or {}
    runs, protocol, budget, taken = [], {}, {}, {}
    for dataset in datasets:
        files = None
        for entry in entries:
            tuning = tuned.get((entry.label, dataset), {})
            entry = entry._replace(settings={**entry.settings, **tuning.get("best", {})})
            config, given = check(entry, dataset, config_files, shared)
            taken[entry.label] = {key for key in shared if config.origins.get(key) == SHARED}
            _agree(protocol, dataset, entry.label, config)
            budget[entry.label] = {key: config[key] for key in _BUDGET}
            files = digests(config) if files is None else files
            paths = [*config_files, *entry.config_files]
            arguments = [f"--model={entry.model}", f"--dataset={dataset}"]
            arguments += [f"--config_files={' '.join(paths)}"] if paths else []
            arguments += [f"--{key}={_text(value)}" for key, value in given.items()]
            for seed in () if "error" in tuning else seeds:
                key = _key(entry, dataset, seed, config, files)
                run = Run(
                    key, entry.label, entry.model, dataset, seed, tuple(arguments), tuning or None
                )
                runs.append((seed, run))
    order = {seed: at for at, seed in enumerate(seeds)}
    runs = [run for _, run in sorted(runs, key=lambda pair: order[pair[0]])]
    common = {dataset: values for dataset, (_, values) in protocol.items()}
    return Plan(runs, common, budget, _notes(shared, taken))


def check(entry, dataset, config_files, shared):
    """The config of an entry, and what its command line has to give, a dict."""
    layers = Layers()
    layers.add("own", entry.settings)
    layers.add("all", shared)
    values, origins = layers.resolve()
    own = {key: value for key, value in values.items() if origins[key] == "own"}
    for_all = {key: value for key, value in values.items() if origins[key] == "all"}
    given = dict(dataset=dataset, config_file_list=[*config_files, *entry.config_files])
    try:
        config = Config(entry.model, **given, config_dict=own, shared=for_all)
        if config.origins["split_seed"].startswith("properties/"):
            own["split_seed"] = DEFAULT_SEED
        if config.origins["user_metrics"].startswith("properties/"):
            own["user_metrics"] = user_metrics.why_not(config) is None
        config = Config(entry.model, **given, config_dict=own, shared=for_all)
    except UsageError as error:
        named = entry.label in str(error) or entry.model in str(error)
        raise UsageError(str(error) if named else f"{entry.label}: {error}") from error
    if not Path(config["data_path"]).is_dir():
        data.load_dataset(config)  # downloads it once, before several runs would
    kept = {key: value for key, value in values.items() if key in config.layered}
    return config, {**own, **kept}


def _agree(protocol, dataset, label, config):
    """Raise UsageError unless an entry has the protocol of the first entry on its dataset."""
    values = {key: config[key] for key in _PROTOCOL if key in config}
    first, common = protocol.setdefault(dataset, (label, values))
    for key in _PROTOCOL:
        if values.get(key) != common.get(key):
            raise UsageError(
                f"{label} and {first} differ in {key} on {dataset}, {values.get(key)!r} and "
                f"{common.get(key)!r}: a benchmark has one protocol; give --{key}=VALUE for all"
            )


def digests(config):
    """File name -> digest of its content, for all files of the dataset."""
    return {path.name: cache.file_digest(path) for path in cache.files_of(config)}


def _key(entry, dataset, seed, config, files):
    known = {
        "label": entry.label,
        "model": entry.model,
        "dataset": dataset,
        "settings": {k: v for k, v in config.layered.items() if k not in _OUTWARD} | {"seed": seed},
        "files": files,
    }
    return digest(known)


def digest(known):
    """32 hexadecimal digits of plain data, and of the versions that decide what a model is."""
    versions = result.versions()
    known = {**known, "versions": {name: versions[name] for name in _VERSIONS}}
    text = json.dumps(known, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _text(value):
    """A value as the command line takes it."""
    if value is None:
        return "None"
    return value if isinstance(value, str) else json.dumps(value)


def _notes(shared, taken):
    """Sentences on settings for all models that some do not have.

    Raises:
        UsageError: no model has one of them.
    """
    notes = []
    for key in shared:
        lacking = [label for label, keys in taken.items() if key not in keys]
        if len(lacking) == len(taken):
            raise UsageError(f"--{key}: none of {', '.join(taken)} has a setting of that name")
        if lacking:
            notes.append(f"{key} is no setting of {', '.join(lacking)}, which run without it")
    return notes
