"""A whole study: check, search, test the winner once, write what was found."""

import math
import shlex
import uuid
from pathlib import Path

import yaml

from recbole_dsl import checkpoint, runner
from recbole_dsl.settings import UsageError
from recbole_dsl.tuning import plan as plans
from recbole_dsl.tuning import slots


class NoWinnerError(RuntimeError):
    """No trial ran to its end; str() says what the first one met."""


def tune(
    model=None,
    dataset=None,
    *,
    config_file_list=None,
    config_dict=None,
    arguments=(),
    trials=None,
    sampler="tpe",
    ranges=None,
    params_file=None,
    prune=None,
    max_seconds=math.inf,
    jobs=1,
    storage=None,
    study=None,
    output=None,
    tested=True,
    command="recbole_dsl.tuning.tune(...)",
):
    """Search for the settings with the best validation score; then test those, once.

    The search never evaluates the test rows. All trials have the seed of the settings, so the same
    split. A study that exists is gone on with: trials counts those of all calls together.

    Args:
        model, dataset, config_file_list, config_dict, arguments: as for
            :func:`recbole_dsl.runner.run`; what all trials share.
        trials: how many trials the study is to have in all; None: 20, or the whole grid.
        sampler: "tpe", "random" or "grid".
        ranges: setting -> list of choices or a text such as "1e-4..1e-1 log"; params_file: a file
            of them; neither: the ``search:`` ranges of the model's property files.
        prune: whether to end trials early that are below the median of the others; None: with tpe.
        max_seconds: no trial starts once the trials have taken so long together.
        jobs: processes on this machine; above 1, call this under ``if __name__ == "__main__":``.
        storage: a file, or a database's URL that several machines share; None: in output.
        study: its name in the storage; None: <model>-<dataset>.
        output: folder for what is found; None: saved/tuning/<study>.
        tested: whether the winner is trained again and evaluated on test.
        command: what best.yaml says it was made by.
    Returns:
        dict: ``best`` (settings), ``trial``, ``valid`` (score of ``metric``), ``best_epoch``,
        ``trials`` (complete, pruned, failed), ``seconds`` of all trials, ``table`` (a row of a dict
        for each trial, best first), ``files``, and ``test``: metrics, or None where not tested;
        ``test_by`` says what the test was made with, ``remarks`` what the reader should know.
    Raises:
        UsageError: a setting, range or option is wrong; nothing has been trained.
        NoWinnerError: all trials failed. NothingToSelectOnError: no validation rows.
    """
    need_optuna()
    from recbole_dsl.tuning import page, processes

    plan = make_plan(
        dict(model=model, dataset=dataset, config_file_list=config_file_list,
             config_dict=dict(config_dict or {}), arguments=list(arguments)),
        trials=trials, sampler=sampler, ranges=ranges, params_file=params_file, prune=prune,
        max_seconds=max_seconds, jobs=jobs, storage=storage, study=study, output=output,
        command=command,
    )  # fmt: skip
    from recbole_dsl.tuning.study import open_study, quiet

    with quiet():
        opened = open_study(plan, made=True)
        found = processes.run_all(plan)
        winner = slots.best(found, plan.bigger)
        if winner is None:
            raise NoWinnerError(_no_winner(plan, found))
        report = _report(plan, found, *winner)
        if tested:
            report.update(_test(plan, opened, found, report))
        report["files"] = [write_best(plan, report), page.write(plan, found, report)]
    return report


def need_optuna():
    """Raise UsageError where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise UsageError("tuning needs Optuna: pip install recbole_dsl[tuning]") from error


def make_plan(run, **options):
    """The plan of a study, everything checked; see :func:`tune` for the options."""
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
    config = plans.base_config(run)
    spans = plans.find_ranges(config, run, options["params_file"], options["ranges"])
    size = plans.check_searchable(options["sampler"], spans)
    trials = options["trials"]
    if trials is None:
        trials = size if options["sampler"] == "grid" else 20
    prune = options["sampler"] == "tpe" if options["prune"] is None else options["prune"]
    name = options["study"] or f"{config['model']}-{config['dataset']}"
    output = options["output"] or str(Path("saved") / "tuning" / name)
    if str(options["storage"]).startswith("sqlite"):
        raise UsageError(
            f"storage {options['storage']}: SQLite does not keep two processes from taking one "
            "trial; for one machine name a file, for several a server's URL (postgresql:// ...)"
        )
    if Path(output).is_file():
        raise UsageError(f"output {output} is a file, not a folder")
    # A trial's own log would drown the progress; the user's level wins.
    settings = {"state": "WARNING", "show_progress": False, **run["config_dict"]}
    return plans.Plan(
        run={**run, "config_dict": settings},
        model=config["model"], dataset=config["dataset"], seed=config["seed"],
        metric=config["valid_metric"].lower(), bigger=config["valid_metric_bigger"],
        ranges=spans, identity=plans.identity(config, spans, options["sampler"], prune),
        sampler=options["sampler"], prune=prune, trials=int(min(trials, size))
        if options["sampler"] == "grid" else trials,
        max_seconds=float(seconds), jobs=options["jobs"],
        storage=str(options["storage"] or Path(output) / "study.log"), study=name, output=output,
        command=options["command"], session=uuid.uuid4().hex,
    )  # fmt: skip


def _no_winner(plan, found):
    failed = [t.user_attrs["error"] for t in found.done.values() if "error" in t.user_attrs]
    first = failed[0].splitlines()[0] if failed else "their processes were killed"
    if not found.done and not found.given_up:
        first = f"max_seconds {plan.max_seconds:g} left no time for one"
    return f"no trial of {plan.study} ran to its end: {first}"


def _report(plan, found, slot, trial):
    states = [t.state.name for t in found.done.values()]
    rows = [_row(plan, *pair) for pair in slots.ranking(found, plan.bigger)]
    ended = {**found.done, **found.given_up}
    rest = sorted(set(ended) - set(found.complete))
    rows += [_row(plan, slot, ended[slot]) for slot in rest]
    return {
        "model": plan.model,
        "dataset": plan.dataset,
        "metric": plan.metric,
        "best": plan.decode(trial.params),
        "trial": slot,
        "valid": trial.value,
        "best_epoch": trial.user_attrs["best_epoch"],
        "trials": {
            "asked": plan.trials,
            "complete": states.count("COMPLETE"),
            "pruned": states.count("PRUNED"),
            "failed": states.count("FAIL") + len(found.given_up),
        },
        "seconds": found.seconds,
        "table": rows,
        "test": None,
        "test_by": None,
        "remarks": [],
    }


def _row(plan, slot, trial):
    from recbole_dsl.tuning.worker import outcome

    attributes = trial.user_attrs
    return {
        "trial": slot,
        "state": trial.state.name.lower(),
        "valid": trial.value if trial.state.name == "COMPLETE" else None,
        "epoch": attributes.get("best_epoch"),
        "seconds": attributes.get("seconds"),
        "settings": plan.decode(trial.params),
        "note": "" if trial.state.name == "COMPLETE" else outcome(plan, trial),
    }


def _test(plan, study, found, report):
    """The winner's test metrics: of an earlier call, or from one training with its settings.

    It is trained again rather than kept: no trial has to leave a checkpoint, and the winner may
    have been trained on another machine. The same seed gives the same model again.
    """
    earlier = study.user_attrs.get("tested")
    if earlier is not None and earlier["best"] == report["best"]:
        return earlier["report"]
    if not _is_ours(plan, found):
        return {"remarks": ["the winner is tested by the command whose trial ended last"]}
    folder = Path(plan.output)
    places = {"checkpoint_dir": str(folder), "result_file": str(folder / "winner.json")}
    run = plan.at(report["best"])
    run["config_dict"] = {**places, **run["config_dict"]}
    result = runner.run(**run)
    remarks = []
    if not math.isclose(result["best_valid_score"], report["valid"], rel_tol=1e-6):
        remarks.append(
            f"trained again, its validation score is {result['best_valid_score']:.4f}: machine, "
            "versions or number of threads are not those of the search"
        )
    by = {"checkpoint": result["checkpoint"], "epoch": result["best_epoch"]}
    made = {"test": result["test"], "test_by": by, "remarks": remarks}
    if "tests" in result:
        made["tests"] = result["tests"]
    study.set_user_attr("tested", {"best": report["best"], "report": made})
    return made


def _is_ours(plan, found):
    """Whether this command is to test: it ran the last trial, or none, all being done before."""
    last = max(found.done.values(), key=lambda trial: trial.datetime_complete)
    sessions = {trial.user_attrs.get("session") for trial in found.done.values()}
    return plan.session not in sessions or last.user_attrs.get("session") == plan.session


def write_best(plan, report):
    """Write the winner's settings as a file for ``--config_files``; its path."""
    path = Path(plan.output) / "best.yaml"
    head = [
        f"{plan.model} on {plan.dataset}: the best of {report['trials']['complete']} trials by "
        f"{plan.metric} on validation,",
        f"{report['valid']:.6f} in epoch {report['best_epoch']} (trial {report['trial']}, seed "
        f"{plan.seed}).",
        plan.command,
    ]
    comment = "".join(f"# {line}\n" for line in head)
    text = comment + yaml.safe_dump(report["best"], sort_keys=True)
    checkpoint.write_atomically(path, lambda temporary: temporary.write_text(text, "utf-8"))
    return str(path)


def command_line(words):
    """The command of a terminal, as it may be typed again."""
    return "python -m recbole_dsl.tuning " + shlex.join(words)


def short(value):
    """A setting's value for a table: floats to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
