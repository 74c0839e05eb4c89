"""One run, from settings to result: what ``recbole.quick_start`` does, without ray."""

import contextlib
import logging
import math
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from recbole.utils import ModelType, init_logger, init_seed
from recbole.utils.logger import RemoveColorFilter

from recbole_dsl import (
    checkpoint,
    data,
    distributed,
    launch,
    memory,
    partition,
    result,
    user_metrics,
)
from recbole_dsl.config import Config
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
    model=None, dataset=None, config_file_list=None, config_dict=None, saved=True, arguments=()
):
    """Train a model, choose its best epoch on validation, test that one.

    Args:
        model: ``<Backbone>_<Loss>``, a RecBole model's name, or ``package.module:Class``.
        dataset: name of a dataset of atomic files.
        config_file_list: paths of YAML files, later ones win.
        config_dict: settings as a dict, over the files.
        saved: whether to keep a checkpoint; without one, the last epoch is tested.
        arguments: (key, text) pairs of the command line, over everything.

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
        handlers = _start_log(config)
        try:
            with _deterministic(config):
                return _run(config, saved)
        finally:
            _stop_log(handlers)


@contextlib.contextmanager
def _deterministic(config):
    """Keep RecBole's promise of ``reproducibility`` on the CPU, where it forgets about threads.

    Several threads add up the gradient of ``table[ids]`` in any order, which RecBole's NGCF and
    LightGCN meet, so that two runs differ in the last digits. On a GPU the switch would warn about
    sparse products, so there it stays as RecBole leaves it.
    """
    before = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    if config["reproducibility"] and config["device"].type == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, decides nothing
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = fill


def _run(config, saved):
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
    if place.size > 1:  # from here on, what is drawn differs: negatives, noise, dropout
        init_seed(distributed.own_seed(config["seed"]), config["reproducibility"])

    show_progress = config["show_progress"] and sys.stderr.isatty() and place.main
    try:
        best_score, _ = trainer.fit(train, valid, saved=saved, show_progress=show_progress)
        by_user = user_metrics.UserMetrics(trainer.evaluator) if config["user_metrics"] else None
        tested = []
        for name, test in zip(list(splits)[2:], tests, strict=True):
            tested.append(
                trainer.evaluate(test, load_best_model=saved, show_progress=show_progress)
            )
            if by_user:
                by_user.add(name.removeprefix("test_"), test)
    finally:
        trainer.tensorboard.close()

    report = {
        "model": config["model"],
        "dataset": config["dataset"],
        "splits": splits,
        "split_card": card,
        "settings": config.settings(),
        "seed": config["seed"],
        "versions": result.versions(),
        "parameters": _parameters(config, model),
        "epochs": trainer.epochs_done,
        "best_epoch": trainer.best_epoch,
        "valid": trainer.best_valid,
        "test": tested[0],
        "seconds": time.perf_counter() - started,
        "peak_memory_mb": max(distributed.from_all(memory.peak_mb())),
        "world_size": place.size,
        "backend": backend,
        "checkpoint": trainer.saved_model_file if saved else None,
    }
    if len(tests) > 1:
        report["tests"] = partition.tests_by_name(list(splits)[2:], tested)
    _publish(config, trainer, report, saved, by_user)
    return {
        **report,
        "best_valid_score": best_score if math.isfinite(best_score) else None,
        "valid_score_bigger": config["valid_metric_bigger"],
        "best_valid_result": trainer.best_valid,
        "test_result": tested[0],
    }


def _parameters(config, model):
    """How many numbers are trained; none in RecBole's models without training, EASE and the like,
    which have one for show."""
    if config["MODEL_TYPE"] == ModelType.TRADITIONAL:
        return 0
    return sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad)


def _publish(config, trainer, report, saved, by_user):
    if not distributed.world().main:
        return
    logger = logging.getLogger()
    path = config["result_file"]
    if path is None and saved:
        path = Path(trainer.saved_model_file).with_suffix(".json")
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


def _start_log(config):
    """RecBole's log to the terminal and to log/<model>/, for this run and its main process alone.

    RecBole's own call does nothing in a process whose root logger has a handler, so that a second
    run would write into the first one's file.
    """
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers = []
    if distributed.world().main:
        init_logger(config)
    else:
        logging.basicConfig(
            level=logging.WARNING, format=f"process {distributed.world().rank}: %(message)s"
        )
    handlers, root.handlers = root.handlers, root.handlers + before
    for handler in handlers:
        if type(handler) is logging.StreamHandler and not handler.stream.isatty():
            handler.addFilter(RemoveColorFilter())
    return handlers


def _stop_log(handlers):
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()


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
