"""From a request to a list of runs, checked, each with a key of all that decides its result.

:func:`make` is called twice where models are tuned: first to check everything, then with the
settings that tuning has found.
"""

import functools
import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.layers import Layers
from recbole_dsl.config.run_config import SHARED, Config
from recbole_dsl.data import pipeline
from recbole_dsl.data.loading import cache
from recbole_dsl.data.splitting.options import DEFAULT_SEED
from recbole_dsl.evaluation.settings import why_no_user_metrics
from recbole_dsl.experiments import data_check, result
from recbole_dsl.experiments.benchmark.entries import Entry
from recbole_dsl.models.adapters import fitting
from recbole_dsl.models.plugins import OURS
from recbole_dsl.models.registry import class_of

# What all models of a dataset must have in common, or their figures cannot be compared.
_PROTOCOL = (
    "eval_args", "split_seed", "split_shift", "valid_shift", "test_sets", "benchmark_filename",
    "benchmark_valid", "repeatable", "metrics", "topk", "valid_metric", "user_inter_num_interval",
    "item_inter_num_interval", "val_interval", "filter_inter_by_user_or_item", "rm_dup_inter",
    "threshold", "group_metrics", "mask_at_test", "train_noise",
)  # fmt: skip
# How long a model may train; the report says where models differ.
_BUDGET = ("epochs", "eval_step", "stopping_step")
# Settings that do not change what a run measures.
_WITHOUT_EFFECT = (
    "data_path", "result_file", "checkpoint_dir", "show_progress", "state", "dataset_cache",
    "cache_dir", "log_wandb", "wandb_project", "gpu_id", "ip", "port", "strict_config",
    "save_dataset", "save_dataloaders", "dataset_save_path", "dataloaders_save_path", "verbose",
)  # fmt: skip
# Versions that decide what a model computes; those of numpy, torch and the like are in the store.
_VERSIONS = ("recbole_dsl", "recbole")


class Run(NamedTuple):
    """One run.

    Attributes:
        key: 32 hexadecimal digits, a digest of all that decides its result.
        label, model, dataset, seed: what runs.
        arguments: its command line, without what the benchmark sets for itself.
        tuning: the outcome of its tuning, see :func:`tuning.outcomes`; None: it was not tuned.
    """

    key: str
    label: str
    model: str
    dataset: str
    seed: int
    arguments: tuple[str, ...]
    tuning: dict[str, Any] | None = None


class Plan(NamedTuple):
    """All runs of a request, and what the report says of them.

    Attributes:
        runs: list of :class:`Run`, seed by seed, so that a part of them compares all models.
        protocol: dataset -> {setting: value}, the same for all models.
        budget: label -> {setting: value}.
        notes: sentences on settings that some models do not have, and the models' warnings.
    """

    runs: list[Run]
    protocol: dict[str, dict[str, Any]]
    budget: dict[str, dict[str, Any]]
    notes: list[str]


def make(
    entries: Sequence[Entry],
    datasets: Sequence[str],
    seeds: Sequence[int],
    config_files: Sequence[str] = (),
    shared: Mapping[str, Any] | None = None,
    tuned: Mapping[tuple[str, str], dict[str, Any]] | None = None,
) -> Plan:
    """Check every model on every dataset, and list the runs.

    All seeds share one split, by ``split_seed`` 2020, unless that is given: ``split_seed: None``
    is RecBole's way, in which the seed draws the split too.

    Args:
        config_files: files for all models. shared: settings for all, over everything else.
        tuned: (label, dataset) -> outcome of tuning, a dict whose ``best`` are settings; one with
            an ``error`` is not run.
    Raises:
        UsageError: a model, dataset or setting is wrong, or models differ in the protocol.
    """
    shared, tuned = dict(shared or {}), tuned or {}
    runs: list[Run] = []
    protocol: dict[str, tuple[str, dict[str, Any]]] = {}  # dataset -> first label, its protocol
    budget, used = {}, {}
    warnings: dict[str, None] = {}  # each once, in order
    for dataset in datasets:
        files = None
        for entry in entries:
            tuning = tuned.get((entry.label, dataset), {})
            entry = entry._replace(settings={**entry.settings, **tuning.get("best", {})})
            config, given = check(entry, dataset, config_files, shared)
            used[entry.label] = {key for key in shared if config.origins.get(key) == SHARED}
            _check_protocol(protocol, dataset, entry.label, config)
            told = [text for text in config.warnings if not text.endswith("; ignored")]
            warnings.update(dict.fromkeys(told))
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
                runs.append(run)
    runs.sort(key=lambda run: seeds.index(run.seed))  # of one seed, they keep their order
    common = {dataset: values for dataset, (_, values) in protocol.items()}
    return Plan(runs, common, budget, [*_notes(shared, used), *warnings])


def check(
    entry: Entry, dataset: str, config_files: Sequence[str], shared: Mapping[str, Any]
) -> tuple[Config, dict[str, Any]]:
    """The config of an entry on a dataset, and the settings that its command line has to give.

    Raises:
        UsageError: a model, dataset or setting is wrong; names the entry.
    """
    layers = Layers()
    layers.add("own", entry.settings)
    layers.add("all", shared)
    values, origins = layers.resolve()
    own = {key: value for key, value in values.items() if origins[key] == "own"}
    for_all = {key: value for key, value in values.items() if origins[key] == "all"}
    files = [*config_files, *entry.config_files]
    given: dict[str, Any] = dict(dataset=dataset, config_file_list=files)
    try:
        config = Config(entry.model, **given, config_dict=own, shared=for_all)
        if config.origins["split_seed"].startswith("properties/"):
            own["split_seed"] = DEFAULT_SEED
        if config.origins["user_metrics"].startswith("properties/"):
            own["user_metrics"] = why_no_user_metrics(config) is None
        config = Config(entry.model, **given, config_dict=own, shared=for_all)
    except UsageError as error:
        named = entry.label in str(error) or entry.model in str(error)
        raise UsageError(str(error) if named else f"{entry.label}: {error}") from error
    _check_found_by_others(config)
    if not Path(config["data_path"]).is_dir():
        pipeline.load_dataset(config)  # downloads it once, before several runs would
    kept = {key: value for key, value in values.items() if key in config.layered}
    return config, {**own, **kept}


def check_data_of(
    entries: Sequence[Entry],
    datasets: Sequence[str],
    config_files: Sequence[str],
    shared: Mapping[str, Any],
) -> None:
    """Read each dataset, as the first of the models that can will do it.

    Raises:
        UsageError: there is one that none of them can use.
    """
    for dataset in datasets:
        data_check.check_data(
            functools.partial(_config_of, entry, dataset, config_files, shared) for entry in entries
        )


def _config_of(*given: Any) -> Config:
    return check(*given)[0]


def _check_found_by_others(config: Config) -> None:
    """Raise UsageError where the processes of a benchmark cannot find the model."""
    for part in config.spec.parts:
        if part.here_only:
            raise UsageError(
                f"{config['model']}: the {part.kind} {part.name} is registered in this process "
                "alone, and the runs of a benchmark are commands of their own: name it as "
                "module:Class, or install it with an entry point"
            )


def _check_protocol(
    protocol: dict[str, tuple[str, dict[str, Any]]], dataset: str, label: str, config: Config
) -> None:
    """Raise UsageError unless an entry has the protocol of the first entry on its dataset."""
    values = {key: config[key] for key in _PROTOCOL if key in config}
    first, common = protocol.setdefault(dataset, (label, values))
    for key in _PROTOCOL:
        if values.get(key) != common.get(key):
            raise UsageError(
                f"{label} and {first} differ in {key} on {dataset}, {values.get(key)!r} and "
                f"{common.get(key)!r}: a benchmark has one protocol; give --{key}=VALUE for all"
            )


def digests(config: Config) -> dict[str, str]:
    """File name -> digest of its content, for all files of the dataset."""
    return {path.name: cache.file_digest(path) for path in cache.files_of(config)}


def _key(entry: Entry, dataset: str, seed: int, config: Config, files: Mapping[str, str]) -> str:
    settings = {key: v for key, v in config.layered.items() if key not in _WITHOUT_EFFECT}
    content = {
        "label": entry.label,
        "model": entry.model,
        "dataset": dataset,
        "settings": {**settings, "seed": seed},
        "files": files,
    }
    return digest({**content, **code_of(config)})


def code_of(config: Config) -> dict[str, Any]:
    """Digests of the files that have the classes of the user's own, or of other packages, as an
    entry for :func:`digest`; {} where there are none. RecBole's is known by its version."""
    spec = config.spec
    own = [part for part in spec.parts if part.origin not in (OURS, fitting.ORIGIN)]
    classes: list[type] = [class_of(part) for part in own]
    if spec.source == "own":
        classes.append(spec.model_class)
    found = {cls.__qualname__: cache.file_digest(inspect.getfile(cls)) for cls in classes}
    return {"code": found} if found else {}


def digest(content: Mapping[str, Any]) -> str:
    """32 hexadecimal digits of plain data and of the versions that decide what a model computes."""
    versions = result.versions()
    content = {**content, "versions": {name: versions[name] for name in _VERSIONS}}
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _text(value: object) -> str:
    """A value as a run's command line accepts it."""
    if value is None:
        return "None"
    return value if isinstance(value, str) else json.dumps(value)


def _notes(shared: Mapping[str, Any], used: Mapping[str, set[str]]) -> list[str]:
    """Sentences on settings for all models that some do not have.

    Args:
        used: label -> which of the settings for all models it has.

    Raises:
        UsageError: no model has one of them.
    """
    notes = []
    for key in shared:
        lacking = [label for label, keys in used.items() if key not in keys]
        if len(lacking) == len(used):
            raise UsageError(f"--{key}: none of {', '.join(used)} has a setting of that name")
        if lacking:
            notes.append(f"{key} is no setting of {', '.join(lacking)}, which run without it")
    return notes
