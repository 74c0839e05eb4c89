"""One run, from settings to result: what ``recbole.quick_start`` does, without ray."""

import logging
import math
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from recbole.utils import ModelType, init_seed

from recbole_dsl import (
    checkpoint,
    data,
    distributed,
    launch,
    memory,
    partition,
    result,
    surroundings,
    user_metrics,
)
from recbole_dsl.config import Config
from recbole_dsl.diagnostics import after_training
from recbole_dsl.groups.report import GroupedTests, group_tables
from recbole_dsl.loading.phases import Clock
from recbole_dsl.settings import UsageError
from recbole_dsl.trainer import restore, trainer_class


class Loaded(NamedTuple):
    """What a checkpoint gives back.

    Attributes:
        config: the settings of the run, on this machine's device.
        model: the trained model, in evaluation mode.
        dataset: the training part of the dataset, with the token maps of all of it.
    """

    config: Config
    model: torch.nn.Module
    dataset: object


def run(
    model=None,
    dataset=None,
    config_file_list=None,
    config_dict=None,
    saved=True,
    arguments=(),
    tested=True,
    after_validation=None,
):
    """Train a model, choose its best epoch on validation, test that one.

    Args:
        model: ``<Backbone>_<Loss>``, a RecBole model's name, or ``package.module:Class``.
        dataset: name of a dataset of atomic files.
        config_file_list: paths of YAML files, later ones win.
        config_dict: settings as a dict, over the files.
        saved: whether to keep a checkpoint; without one, the last epoch is tested.
        arguments: (key, text) pairs of the command line, over everything.
        tested: whether the test rows are evaluated; False is for choosing between settings, and
            leaves ``test`` empty.
        after_validation: called with (epoch, score of valid_metric) after each validation; what it
            raises ends the run. In one process only.

    With ``nproc`` above 1 the run's processes are spawned, so that a script calls this under
    ``if __name__ == "__main__":``.

    Returns:
        dict: what the result file holds, and RecBole's ``best_valid_score``,
        ``valid_score_bigger``, ``best_valid_result`` and ``test_result``.
    Raises:
        UsageError: a setting is wrong; nothing has been written. NonFiniteLossError: training
            diverged. ProcessError: one of several processes was killed.
    """
    memory.keep_large_blocks()
    given = dict(model=model, dataset=dataset, config_file_list=config_file_list)
    given.update(config_dict=config_dict, arguments=list(arguments))
    with launch.torchrun_world():
        config = Config(**given)
        if config["result_file"] is not None:
            result.check_writable(str(config["result_file"]))
        if launch.to_be_launched(config):
            return launch.launch(config, {**given, "saved": saved})
        with surroundings.logged(config), surroundings.deterministic(config):
            return _run(config, saved, tested, after_validation)


def _run(config, saved, tested, after_validation):
    started = time.perf_counter()
    logger = logging.getLogger()
    logger.info(sys.argv)
    logger.info(config)
    for warning in config.warnings:
        logger.warning(warning)
    place, backend = distributed.world(), distributed.backend(config["device"])
    logger.info(f"device: {config['device']} ({config.device_reason})")
    if place.size > 1:
        logger.info(f"processes: {place.size}, through {backend}")
    if config["device"].type == "cuda":
        torch.cuda.set_device(config["device"])  # what NCCL takes for this process's GPU

    with distributed.first_on_machine():  # it downloads and caches, the others read
        whole = data.load_dataset(config)
    logger.info(whole)
    loaders = data.split_dataset(config, whole)
    train, valid, *tests = loaders
    splits = data.split_summary(loaders)
    data.log_split(splits)
    fingerprint = data.fingerprint(train)
    if len(set(distributed.from_all(fingerprint))) > 1:
        raise UsageError(f"dataset {config['dataset']!r}: processes have read different rows")
    card = data.split_card(loaders)
    partition.log_card(card)

    clock = Clock()
    init_seed(config["seed"], config["reproducibility"])
    model = config.model_class(config, train._dataset).to(config["device"])
    clock.done("model")
    logger.info(model)
    trainer = trainer_class(config)(config, model)
    trainer.extra_state = {"fingerprint": fingerprint}
    noise = partition.noise_summary(train._dataset, model)
    grouped = GroupedTests(config, train)  # here, so that what is wrong with it costs no training
    if place.size > 1:  # from here on, what is drawn differs: negatives, noise, dropout
        init_seed(distributed.own_seed(config["seed"]), config["reproducibility"])

    show_progress = config["show_progress"] and sys.stderr.isatty() and place.main
    asked = partition.tests_by_name(list(splits)[2:], tests) if tested else {}
    watched = {} if after_validation is None else {"callback_fn": after_validation}
    try:
        best_score, _ = trainer.fit(
            train, valid, saved=saved, show_progress=show_progress, **watched
        )
        named, by_user = _test(
            config, trainer, asked, grouped, load_best_model=saved, show_progress=show_progress
        )
    finally:
        trainer.tensorboard.close()

    report = {
        "model": config["model"],
        "dataset": config["dataset"],
        "splits": splits,
        "split_card": card,
        "train_noise": noise,
        "settings": config.settings(),
        "seed": config["seed"],
        "versions": result.versions(),
        "parameters": _parameters(config, model),
        "epochs": trainer.epochs_done,
        "best_epoch": trainer.best_epoch,
        "valid": trainer.best_valid,
        "test": None,
        "seconds": time.perf_counter() - started,
        "peak_memory_mb": max(distributed.from_all(memory.peak_mb())),
        "world_size": place.size,
        "backend": backend,
        "checkpoint": trainer.saved_model_file if saved else None,
    }
    overall = {name: grouped.overall(flat) for name, flat in named.items()}
    report["test"] = next(iter(overall.values()), None)
    if len(overall) > 1:
        report["tests"] = overall
    if config["group_metrics"] and tested:
        report["groups"] = grouped.report(named)
    path = _result_path(config, trainer, saved)
    if config["diagnostics"]:
        if saved and not any(named.values()):
            trainer.load(trainer.saved_model_file)  # as no test has
        report["diagnostics"] = after_training.diagnose(config, model, train._dataset, path)
    _publish(config, path, report, by_user)
    return {
        **report,
        "best_valid_score": best_score if math.isfinite(best_score) else None,
        "valid_score_bigger": config["valid_metric_bigger"],
        "best_valid_result": trainer.best_valid,
        "test_result": report["test"],
    }


def _test(config, trainer, tests, grouped, **options):
    """Evaluate the test sets.

    Args:
        tests: name -> loader, None for an empty part. grouped: GroupedTests.
        options: of ``trainer.evaluate``.
    Returns:
        (name -> what the evaluation returned, the values by user or None).
    """
    by_user = None
    if config["user_metrics"]:
        by_user = user_metrics.UserMetrics(grouped.evaluator or trainer.evaluator)
    named = {}
    for name, test in tests.items():
        named[name] = grouped.evaluate(trainer, test, **options)
        if by_user:
            by_user.add(name, test)
    return named, by_user


def _parameters(config, model):
    """How many numbers are trained; none in RecBole's models without training, EASE and the like,
    which have one for show."""
    if config["MODEL_TYPE"] == ModelType.TRADITIONAL:
        return 0
    return sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad)


def _result_path(config, trainer, saved):
    """Where the result goes: ``result_file``, else beside the checkpoint; None without either."""
    if config["result_file"] is None:
        return Path(trainer.saved_model_file).with_suffix(".json") if saved else None
    return Path(str(config["result_file"]))


def _publish(config, path, report, by_user):
    if not distributed.world().main:
        return
    logger = logging.getLogger()
    if path is not None:
        if by_user:
            by_user.write(user_metrics.path_beside(path))
        result.write(str(path), report)
        logger.info(f"Result: {path}")
    best = report["best_epoch"]
    chosen = f"epoch {best} of {len(report['epochs'])}" if best is not None else "no epoch chosen"
    table = result.table(report, config["metric_decimal_place"])
    logger.info(
        f"{report['model']} on {report['dataset']}, {chosen}, {report['seconds']:.0f} s, peak "
        f"{report['peak_memory_mb']:.0f} MiB\n{table}"
    )
    for drawn in group_tables(report.get("groups", {}), config["metric_decimal_place"]):
        logger.info(drawn)


def load(path, device=None):
    """Config, trained model and training data of a checkpoint.

    The dataset is read and split again from the settings in the checkpoint; if the training rows
    are not the ones the model was trained on, loading stops.

    Args:
        path: a checkpoint written by :func:`run`.
        device: "auto", "cpu" or "cuda:N"; None: as the settings say, here "auto" again.
    Returns:
        :class:`Loaded`.
    Raises:
        UsageError: no checkpoint of ours, or data that has changed since.
    """
    state = checkpoint.read(path)
    one_process = dict(nproc=1, world_size=-1, group_offset=0)
    settings = dict(state["config"], device=device or "auto", **one_process)
    config = Config(state["model"], state["dataset"], config_dict=settings)
    train, *_ = data.split_dataset(config, data.load_dataset(config))
    if data.fingerprint(train) != state["fingerprint"]:
        raise UsageError(
            f"{path}: the training rows of {state['dataset']!r} are not those it was trained on: "
            f"the data under {config['data_path']} or RecBole's splitting has changed"
        )
    init_seed(config["seed"], config["reproducibility"])
    model = config.model_class(config, train._dataset).to(config["device"])
    restore(model, state)
    model.eval()
    return Loaded(config, model, train._dataset)
