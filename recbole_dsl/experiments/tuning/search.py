"""A whole study: check, search, test the winner once, write the results."""

import datetime
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from recbole_dsl.common.errors import NoWinnerError
from recbole_dsl.common.files import check_folder_writable, write_atomically
from recbole_dsl.config.run_config import given_settings
from recbole_dsl.experiments import single_run
from recbole_dsl.experiments.data_check import check_data
from recbole_dsl.experiments.tuning import attempts, report_page, worker_pool
from recbole_dsl.experiments.tuning.attempts import StudyState
from recbole_dsl.experiments.tuning.plan import QUIET, Plan, base_config, make_plan
from recbole_dsl.experiments.tuning.study import need_optuna, open_study, quiet
from recbole_dsl.experiments.tuning.worker import outcome_text

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


def tune(
    model: str | None = None, dataset: str | None = None, *,
    config_file_list: Sequence[str] | None = None, config_dict: Mapping[str, Any] | None = None,
    arguments: Iterable[tuple[str, str]] = (), trials: int | None = None, sampler: str = "tpe",
    ranges: Mapping[str, Any] | None = None, params_file: str | None = None,
    prune: bool | None = None, max_seconds: float = math.inf, jobs: int = 1,
    storage: str | None = None, study: str | None = None, output: str | None = None,
    tested: bool = True, command: str = "recbole_dsl.experiments.tuning.tune(...)",
    events: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Search for the settings with the best validation score; then test those, once.

    The search never evaluates the test rows. All trials have the seed of the settings, so the same
    split. A study that exists is continued: trials counts those of all calls together.

    Args:
        model, dataset, config_file_list, config_dict, arguments: as for
            :func:`recbole_dsl.experiments.single_run.run`; what all trials share.
        trials: how many the study has in all; None: 20, or the whole grid.
        sampler: "tpe", "random" or "grid".
        ranges: setting -> list of choices or a text such as "1e-4..1e-1 log"; params_file: a file
            of them; neither: the ``search:`` ranges of the model's property files.
        prune: whether to end trials early that are below the median; None: with tpe.
        max_seconds: no trial starts once the trials have taken so long together.
        jobs: processes on this machine; above 1, call this under ``if __name__ == "__main__":``.
        storage: a file, or a database's URL that several machines share; None: in output.
        study: its name in the storage; None: <model>-<dataset>.
        output: folder of the results; None: saved/tuning/<study>.
        tested: whether the winner is trained again and evaluated on test.
        command: named in best.yaml as what made it.
        events: file that gets a line for each trial that ends, see :mod:`experiments.events`.
    Returns:
        dict: ``best`` (settings), ``trial``, ``valid`` (score of ``metric``), ``best_epoch``,
        ``trials`` (asked, complete, pruned, failed), ``seconds`` of all trials, ``table`` (a dict
        for each trial, best first), ``files``, ``test`` (metrics, or None), ``test_by`` (checkpoint
        and epoch tested), ``remarks``.
    Raises:
        UsageError: a setting, range or option is wrong, or the data; nothing has been trained.
        NoWinnerError: all trials failed. NothingToSelectOnError: no validation rows.
    """
    need_optuna()
    run = dict(model=model, dataset=dataset, config_file_list=config_file_list,
               config_dict=dict(config_dict or {}), arguments=list(arguments))  # fmt: skip
    plan = make_plan(
        run, trials=trials, sampler=sampler, ranges=ranges, params_file=params_file, prune=prune,
        max_seconds=max_seconds, jobs=jobs, storage=storage, study=study, output=output,
        command=command, events=events,
    )  # fmt: skip
    if not Path(plan.output).exists():  # a study that goes on has read its data
        check_data([lambda: base_config(plan.run)])
    return _search(plan, tested)


def _search(plan: Plan, tested: bool) -> dict[str, Any]:
    check_folder_writable(plan.output)
    with quiet():
        study = open_study(plan, create=True)
        state = worker_pool.run_study(plan)
        best = attempts.best_trial(state, plan.bigger)
        if best is None:
            raise NoWinnerError(_why_no_winner(plan, state))
        report = _report(plan, state, *best)
        if tested:
            report.update(_test(plan, study, state, report))
        report["files"] = [_write_best(plan, report), report_page.write(plan, state, report)]
    return report


def _why_no_winner(plan: Plan, state: StudyState) -> str:
    errors = [t.user_attrs["error"] for t in state.done.values() if "error" in t.user_attrs]
    reason = errors[0].splitlines()[0] if errors else "their processes were killed"
    if not state.done and not state.given_up:
        reason = f"max_seconds {plan.max_seconds:g} left no time for one"
    return f"no trial of {plan.study} ran to its end: {reason}"


def _report(plan: Plan, state: StudyState, number: int, trial: "FrozenTrial") -> dict[str, Any]:
    states = [t.state.name for t in state.done.values()]
    rows = [_row(plan, *pair) for pair in attempts.ranking(state, plan.bigger)]
    ended = {**state.done, **state.given_up}
    rows += [_row(plan, other, ended[other]) for other in sorted(set(ended) - set(state.complete))]
    return {
        "model": plan.model,
        "dataset": plan.dataset,
        "metric": plan.metric,
        "best": plan.decode(trial.params),
        "trial": number,
        "valid": trial.value,
        "best_epoch": trial.user_attrs["best_epoch"],
        "trials": {
            "asked": plan.trials,
            "complete": states.count("COMPLETE"),
            "pruned": states.count("PRUNED"),
            "failed": states.count("FAIL") + len(state.given_up),
        },
        "seconds": state.seconds,
        "table": rows,
        "test": None,
        "test_by": None,
        "remarks": [],
    }


def _row(plan: Plan, number: int, trial: "FrozenTrial") -> dict[str, Any]:
    attributes = trial.user_attrs
    complete = trial.state.name == "COMPLETE"
    return {
        "trial": number,
        "state": trial.state.name.lower(),
        "valid": trial.value if complete else None,
        "epoch": attributes.get("best_epoch"),
        "seconds": attributes.get("seconds"),
        "settings": plan.decode(trial.params),
        "note": "" if complete else outcome_text(plan, trial),
    }


def _test(
    plan: Plan, study: "optuna.Study", state: StudyState, report: dict[str, Any]
) -> dict[str, Any]:
    """The winner's test metrics: of an earlier call, or from one training with its settings.

    It is trained again rather than kept: no trial has to leave a checkpoint, and the winner may
    have been trained on another machine. The same seed gives the same model again.
    """
    earlier = study.user_attrs.get("tested")
    if earlier is not None and earlier["best"] == report["best"]:
        stored: dict[str, Any] = earlier["report"]
        return stored
    if not _tests_the_winner(plan, state):
        return {"remarks": ["the winner is tested by the command whose trial ended last"]}
    folder = Path(plan.output)
    places = {"checkpoint_dir": str(folder), "result_file": str(folder / "winner.json")}
    arguments = plan.arguments(report["best"])
    arguments["config_dict"] = {**places, **arguments["config_dict"]}
    result = single_run.run(**arguments)
    remarks = []
    if not math.isclose(result["best_valid_score"], report["valid"], rel_tol=1e-6):
        remarks.append(
            f"trained again, its validation score is {result['best_valid_score']:.4f}: machine, "
            "versions or number of threads are not those of the search"
        )
    by = {"checkpoint": result["checkpoint"], "epoch": result["best_epoch"]}
    tested = {"test": result["test"], "test_by": by, "remarks": remarks}
    if "tests" in result:
        tested["tests"] = result["tests"]
    study.set_user_attr("tested", {"best": report["best"], "report": tested})
    return tested


def _tests_the_winner(plan: Plan, state: StudyState) -> bool:
    """Whether this command is to test: it ran the last trial, or none, all being done before."""
    last = max(state.done.values(), key=_ended)
    sessions = {trial.user_attrs.get("session") for trial in state.done.values()}
    return plan.session not in sessions or last.user_attrs.get("session") == plan.session


def _ended(trial: "FrozenTrial") -> datetime.datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete


def _write_best(plan: Plan, report: dict[str, Any]) -> str:
    """Write what a run of the winner takes as a file for ``--config_files``; its path.

    It names model and dataset and what the user fixed for all trials, so that the file alone is
    enough to train the winner again.
    """
    path = Path(plan.output) / "best.yaml"
    head = [
        f"{plan.model} on {plan.dataset}: the best of {report['trials']['complete']} trials by "
        f"{plan.metric} on validation,",
        f"{report['valid']:.6f} in epoch {report['best_epoch']} (trial {report['trial']}, seed "
        f"{plan.seed}).",
        plan.command,
    ]
    comment = "".join(f"# {line}\n" for line in head)
    config = base_config(plan.run)
    names = {"model": config.spec.target, "dataset": plan.dataset}
    taken = names.keys() | report["best"].keys() | QUIET.keys()
    fixed = {key: v for key, v in given_settings(config).items() if key not in taken}
    parts = [names | fixed, report["best"]]
    text = comment + "# What was searched is below.\n".join(
        yaml.safe_dump(part, sort_keys=False) for part in parts
    )
    write_atomically(path, lambda temporary: temporary.write_text(text, "utf-8"))
    return str(path)
