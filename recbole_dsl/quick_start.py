"""RecBole's names: what ``recbole.quick_start`` and ``recbole.utils.case_study`` have, for scripts
that change one import line.

Models of this package are run by them too. As RecBole does, ``run``, ``run_recbole`` and
``objective_function`` take settings from the command line of the script, ``--key=value``; a flag
that is no setting is the script's own. Importing this module applies the changes that RecBole
needs to run on today's libraries (:mod:`recbole_dsl.compat.apply`), for a script that goes on with
RecBole's own classes.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from recbole_dsl.cli.script_words import script_settings, script_words
from recbole_dsl.compat import apply
from recbole_dsl.evaluation.case_study import full_sort_scores, full_sort_topk
from recbole_dsl.experiments import single_run
from recbole_dsl.experiments.load_checkpoint import load_with_data

__all__ = [
    "full_sort_scores",
    "full_sort_topk",
    "load_data_and_model",
    "objective_function",
    "run",
    "run_recbole",
]

apply.apply()

_RECBOLES_PORT = "5678"
# What RecBole's functions return, of what a run knows.
_RESULT = ("best_valid_score", "valid_score_bigger", "best_valid_result", "test_result")


def run(
    model: str | None,
    dataset: str | None,
    config_file_list: Sequence[str] | None = None,
    config_dict: Mapping[str, Any] | None = None,
    saved: bool = True,
    nproc: int = 1,
    world_size: int = -1,
    ip: str = "localhost",
    port: int | str = _RECBOLES_PORT,
    group_offset: int = 0,
) -> dict[str, Any]:
    """As ``recbole.quick_start.run``: :func:`run_recbole` in one process or in several.

    In several, a script calls this under ``if __name__ == "__main__":``.

    Args:
        nproc: processes on this machine. world_size: on all machines; -1: nproc.
        ip, port: of the first machine; on one machine RecBole's port, 5678, stands for a free one.
        group_offset: processes on the machines before this one. The others are those of
            :func:`run_recbole`.
    """
    if nproc == 1 and world_size <= 0:
        return run_recbole(model, dataset, config_file_list, config_dict, saved)
    processes: dict[str, Any] = {
        "nproc": nproc,
        "world_size": world_size,
        "ip": ip,
        "group_offset": group_offset,
    }
    if world_size > nproc or str(port) != _RECBOLES_PORT:
        processes["port"] = port
    settings = {**(config_dict or {}), **processes}
    return run_recbole(model, dataset, config_file_list, settings, saved)


def run_recbole(
    model: str | None = None,
    dataset: str | None = None,
    config_file_list: Sequence[str] | None = None,
    config_dict: Mapping[str, Any] | None = None,
    saved: bool = True,
    queue: Any = None,
) -> dict[str, Any]:
    """As ``recbole.quick_start.run_recbole``: train, choose the best epoch on validation, test it.

    :func:`recbole_dsl.run` is the same and returns more.

    Args:
        model, dataset: names; None: from the settings.
        config_file_list: paths of YAML files. config_dict: settings. saved: whether to keep a
            checkpoint.
        queue: gets what is returned too.
    Returns:
        dict: ``best_valid_score``, ``valid_score_bigger``, and the metrics ``best_valid_result``
        and ``test_result``, unrounded; None where a part is empty.
    Raises:
        UsageError: a setting is wrong; nothing has been written.
    """
    result = _run(model, dataset, config_file_list, config_dict, saved)
    found = {key: result[key] for key in _RESULT}
    if queue is not None:
        queue.put(found)
    return found


def objective_function(
    config_dict: Mapping[str, Any] | None = None,
    config_file_list: Sequence[str] | None = None,
    saved: bool = True,
) -> dict[str, Any]:
    """As ``recbole.quick_start.objective_function``: a quiet run, for RecBole's ``HyperTuning``.

    RecBole's reports to Ray too, and this one does not. :func:`recbole_dsl.tune` searches without
    evaluating test rows.

    Args:
        config_dict: settings, model and dataset among them unless a file has them. The others are
            those of :func:`run_recbole`.
    Returns:
        dict: what :func:`run_recbole` returns, and ``model``, its name.
    """
    quiet = {"state": "ERROR", "show_progress": False, **(config_dict or {})}
    result = _run(None, None, config_file_list, quiet, saved)
    return {key: result[key] for key in ("model", *_RESULT)}


def _run(
    model: str | None,
    dataset: str | None,
    config_file_list: Sequence[str] | None,
    config_dict: Mapping[str, Any] | None,
    saved: bool,
) -> dict[str, Any]:
    return single_run.run(
        model,
        dataset,
        config_file_list,
        config_dict,
        saved,
        arguments=script_settings(),
        command=script_words() or None,
        of_script=True,
    )


def load_data_and_model(
    model_file: str | os.PathLike[str],
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """As ``recbole.quick_start.load_data_and_model``, of a checkpoint of this package.

    RecBole's unpickles a checkpoint, which runs what is in it; those of stock RecBole are refused.

    Args:
        model_file: path of the checkpoint.
        model, settings: as in :func:`recbole_dsl.load`: needed where the run had a class or a path
            of the user's own.
    Returns:
        config, model (in evaluation mode), dataset (filtered, all of it), and the loaders of train,
        valid and test; None for an empty part, and of several test sets the first.
    Raises:
        UsageError: as :func:`recbole_dsl.load`.
    """
    config, trained, dataset, data = load_with_data(model_file, model=model, settings=settings)
    test = next(iter(data.tests.values()))
    return config, trained, dataset, data.train, data.valid, test
