"""What a run trains and on what, from its settings: data, model and trainer."""

import logging
from typing import Any, NamedTuple

import torch
from recbole.utils import ModelType, init_seed

from recbole_dsl.common import distributed
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.timing import Clock
from recbole_dsl.config.run_config import Config
from recbole_dsl.data import pipeline, split_card
from recbole_dsl.evaluation.grouped_tests import GroupedTests
from recbole_dsl.experiments import init_from
from recbole_dsl.experiments.result import noise_summary
from recbole_dsl.experiments.run_summary import say_data, say_model, say_split
from recbole_dsl.models.build import build_model
from recbole_dsl.training.trainer import trainer_class


class Prepared(NamedTuple):
    """What a run trains, and on what.

    Attributes:
        config: settings. data: the loaders of the parts, and what the split holds.
        tests: test set -> RecBole's loader, or None for an empty part; {} where none is evaluated.
        model: RecBole's or ours. trainer: RecBole's trainer of it, which records its epochs.
        groups: evaluates test sets, with metrics by group.
        noise: what was added to the training rows, for the result file, or None.
        started_from: what ``init_from`` gave, for the result file, or None.
    """

    config: Config
    data: pipeline.SplitData
    tests: dict[str, Any]
    model: torch.nn.Module
    trainer: Any
    groups: GroupedTests
    noise: dict[str, Any] | None
    started_from: dict[str, Any] | None


def prepare(config: Config, start: init_from.Start | None, *, tested: bool) -> Prepared:
    """Read the data and build model and trainer; nothing is trained or written.

    Raises:
        UsageError: data, split or groups cannot be had as the settings ask.
    """
    if config["device"].type == "cuda":
        torch.cuda.set_device(config["device"])  # what NCCL takes for this process's GPU
    data, fingerprint = _read(config)
    clock = Clock()
    init_seed(config["seed"], config["reproducibility"])
    model = build_model(config, data.train._dataset)
    groups = GroupedTests(config, data.train)  # here, so that a mistake in it costs no training
    clock.done("model")
    logging.getLogger().info(model)
    trainer = trainer_class(config)(config, model)
    say_model(config, trainer, data)
    # The trainer gives the other processes the main one's weights before each epoch.
    started_from = None if start is None else init_from.apply(start, model, data)
    trainer.fingerprint = fingerprint
    noise = noise_summary(data, model)
    if distributed.world().size > 1:  # from here on, negatives, noise and dropout differ
        init_seed(distributed.own_seed(config["seed"]), config["reproducibility"])
    tests = data.tests if tested else {}
    return Prepared(config, data, tests, model, trainer, groups, noise, started_from)


def _read(config: Config) -> tuple[pipeline.SplitData, str]:
    """The loaders, and the fingerprint of the training rows, the same in all processes."""
    with distributed.first_on_machine():  # it downloads and caches, the others read
        whole = pipeline.load_dataset(config)
    logging.getLogger().info(whole)
    say_data(config, whole)
    data = pipeline.split_dataset(config, whole)
    split_card.log_sizes(data.summary)
    say_split(data)
    fingerprint = pipeline.fingerprint(data.train)
    if len(set(distributed.from_all(fingerprint))) > 1:
        raise UsageError(f"dataset {config['dataset']!r}: processes have read different rows")
    repeats = config["repeatable"] or config["MODEL_TYPE"] == ModelType.SEQUENTIAL
    split_card.log_card(data.card, repeats=repeats)
    return data, fingerprint
