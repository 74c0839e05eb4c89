"""One run, from settings to result: what ``recbole.quick_start`` does, without ray."""

import contextlib
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from recbole_dsl.common import distributed, memory
from recbole_dsl.config.run_config import Config
from recbole_dsl.evaluation import per_user
from recbole_dsl.evaluation.diagnostics import after_training
from recbole_dsl.experiments import init_from, launch, serving_section
from recbole_dsl.experiments.determinism import deterministic
from recbole_dsl.experiments.preparation import Prepared, prepare
from recbole_dsl.experiments.result import (
    check_folders,
    check_result_file,
    count_parameters,
    machine,
    publish,
    result_path,
    versions,
)
from recbole_dsl.experiments.resume import Resumed, find_run, state_kept
from recbole_dsl.experiments.run_log import logged
from recbole_dsl.experiments.run_result import Result
from recbole_dsl.experiments.run_summary import log_given, say_start
from recbole_dsl.experiments.wandb_run import wandb_run
from recbole_dsl.training.finite import check_metrics_are_numbers


def run(
    model: str | None = None,
    dataset: str | None = None,
    config_file_list: Sequence[str] | None = None,
    config_dict: Mapping[str, Any] | None = None,
    saved: bool = True,
    arguments: Iterable[tuple[str, str]] = (),
    tested: bool = True,
    after_validation: Callable[[int, float], object] | None = None,
    command: Sequence[str] | None = None,
    resume: bool | str | os.PathLike[str] | None = None,
    of_script: bool = False,
) -> Result:
    """Train a model, choose its best epoch on validation, test that one.

    Args:
        model: ``<Backbone>_<Loss>``, a RecBole model's name, or ``package.module:Class``; see
            :func:`recbole_dsl.models.resolve.resolve_model`.
        dataset: name of a dataset of atomic files.
        config_file_list: paths of YAML files, or ``preset:NAME``; later ones win.
        config_dict: settings as a dict, over the files.
        saved: whether to keep a checkpoint; without one, the last epoch is tested.
        arguments: (key, text) pairs of the command line, over everything.
        tested: whether the test rows are evaluated; False is for choosing between settings, and
            leaves ``test`` empty.
        after_validation: called with (epoch, score of valid_metric) after each validation; what it
            raises ends the run. In one process only.
        command: the words of the command line, with which the log begins; None: it begins with
            model and dataset.
        resume: a stopped run's checkpoint to go on with, or True: the newest in ``checkpoint_dir``.
        of_script: whether what is no setting in arguments is ignored, with a warning: a script's.

    With ``nproc`` above 1 the run's processes are spawned, so that a script calls this under
    ``if __name__ == "__main__":``.

    Returns:
        Result: a dict of what the result file holds, and RecBole's ``best_valid_score``,
        ``valid_score_bigger``, ``best_valid_result`` and ``test_result``.
    Raises:
        UsageError: a setting is wrong; nothing has been written. Or what resume names has others.
            NonFiniteLossError: training diverged. ProcessError: a process was killed.
    """
    memory.keep_large_blocks()
    given: dict[str, Any] = dict(
        model=model, dataset=dataset, config_file_list=config_file_list, config_dict=config_dict,
        arguments=list(arguments), of_script=of_script,
    )  # fmt: skip
    with launch.torchrun_world():
        config = Config(**given)
        check_folders(config, saved)
        check_result_file(config)
        resumed = find_run(config, resume, saved=saved)
        if launch.to_be_launched(config):
            options: dict[str, Any] = dict(saved=saved, tested=tested, command=command)
            options["resume"] = resume if resumed is None else str(resumed.path)
            return Result(launch.launch(run, config, {**given, **options}))
        start = None if resumed else init_from.read(config)
        with logged(config), deterministic(config), wandb_run(config):
            _log_start(config, command)
            return _run(config, resumed, start, after_validation, saved=saved, tested=tested)


def _run(
    config: Config,
    resumed: Resumed | None,
    start: init_from.Start | None,
    after_validation: Callable[[int, float], object] | None,
    *,
    saved: bool,
    tested: bool,
) -> Result:
    """:func:`run` in this process."""
    started = time.perf_counter()
    prepared = prepare(config, start, tested=tested)
    trainer = prepared.trainer
    kept = state_kept(config, prepared.data, trainer, resumed, saved=saved)
    with contextlib.closing(trainer.tensorboard), kept:
        fitted = _fit(prepared, saved=saved, after_validation=after_validation)
        return _report(prepared, fitted, saved=saved, tested=tested, started=started)


def _log_start(config: Config, command: Sequence[str] | None) -> None:
    logger = logging.getLogger()
    logger.info(f"{config['model']} on {config['dataset']}" if command is None else command)
    logger.info(config)
    log_given(config)
    say_start(config)
    for warning in config.warnings:
        logger.warning(warning)
    processes = distributed.world().size
    if processes > 1:
        logger.info(f"processes: {processes}, through {distributed.backend(config['device'])}")


# Fit ---------------------------------------------------------------------------------------------


class Fitted(NamedTuple):
    """What training and test gave.

    Attributes:
        best_score: RecBole's ``best_valid_score``, infinite where there was no validation.
        tests: test set -> its metrics, of groups too, or None for an empty part.
        by_user: test set -> its users and their metrics, where ``user_metrics`` asks for them.
    """

    best_score: float
    tests: dict[str, dict[str, float] | None]
    by_user: dict[str, dict[str, np.ndarray]] | None


def _fit(
    prepared: Prepared, *, saved: bool, after_validation: Callable[[int, float], object] | None
) -> Fitted:
    """Train the model, then evaluate the test sets with the weights of its best epoch."""
    config, data, trainer = prepared.config, prepared.data, prepared.trainer
    show_progress = config["show_progress"] and sys.stderr.isatty() and distributed.world().main
    callback = {} if after_validation is None else {"callback_fn": after_validation}
    best_score, _ = trainer.fit(
        data.train, data.valid, saved=saved, show_progress=show_progress, **callback
    )
    tests, by_user = _test(prepared, load_best_model=saved, show_progress=show_progress)
    if saved and not any(tests.values()):
        trainer.load(trainer.saved_model_file)  # no test has loaded the best epoch's weights
    return Fitted(best_score, tests, by_user)


def _test(
    prepared: Prepared, **options: Any
) -> tuple[dict[str, dict[str, float] | None], dict[str, dict[str, np.ndarray]] | None]:
    """Evaluate the test sets; options are those of ``trainer.measure``."""
    measures, by_user_asked = prepared.groups.measures, prepared.config["user_metrics"]
    metrics, by_user = {}, {}
    for name, test in prepared.tests.items():
        metrics[name], struct = prepared.trainer.measure(test, measures, **options)
        if by_user_asked and struct is not None:
            values = per_user.values_by_user(measures.evaluator.metric_class.values(), struct)
            by_user[name] = {"users": per_user.users_of(test), **values}
    return metrics, by_user if by_user_asked else None


# Report ------------------------------------------------------------------------------------------


def _report(
    prepared: Prepared, fitted: Fitted, *, saved: bool, tested: bool, started: float
) -> Result:
    """Write and log the result of a run; what :func:`run` returns."""
    config, data, _, model, trainer, groups, noise, started_from = prepared
    seconds_before = 0.0 if trainer.last is None else trainer.last.seconds_before
    result = {
        "model": config["model"],
        "dataset": config["dataset"],
        "splits": data.summary,
        "split_card": data.card,
        "train_noise": noise,
        "settings": config.settings(),
        "seed": config["seed"],
        "versions": versions(),
        "parameters": count_parameters(config, model),
        "epochs": trainer.recorder.epochs_done,
        "best_epoch": trainer.recorder.best_epoch,
        "valid": trainer.recorder.best_valid,
        "test": None,
        "seconds": time.perf_counter() - started + seconds_before,
        "machine": machine(config["device"]),
        "peak_memory_mb": max(distributed.from_all(memory.peak_mb())),
        "world_size": distributed.world().size,
        "backend": distributed.backend(config["device"]),
        "checkpoint": trainer.saved_model_file if saved else None,
    }
    overall = {name: groups.overall(metrics) for name, metrics in fitted.tests.items()}
    for name, metrics in overall.items():
        check_metrics_are_numbers(metrics or {}, name)
    result["test"] = next(iter(overall.values()), None)
    if len(overall) > 1:
        result["tests"] = overall
    if config["group_metrics"] and tested:
        result["groups"] = groups.report(fitted.tests)
    path = result_path(config, trainer.saved_model_file, saved)
    if config["diagnostics"]:
        result["diagnostics"] = after_training.diagnose(config, model, data.train._dataset, path)
    if started_from is not None:
        result["init_from"] = started_from
    if trainer.last is not None and trainer.last.resumed_after:
        result["resumed_after"] = trainer.last.resumed_after
    if distributed.world().main:
        publish(config, path, result, fitted.by_user)
        if saved:  # last: where the disk is full, result and weights are there
            serving_section.append(
                trainer.saved_model_file, config, model, data, trainer.recorder.best_epoch
            )
    if trainer.last is not None:
        trainer.last.remove(trainer)
    return Result(
        {
            **result,
            "best_valid_score": fitted.best_score if math.isfinite(fitted.best_score) else None,
            "valid_score_bigger": config["valid_metric_bigger"],
            "best_valid_result": trainer.recorder.best_valid,
            "test_result": result["test"],
        }
    )
