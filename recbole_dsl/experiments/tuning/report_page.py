"""tuning.html: who won a study, by how much, and how the study went."""

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recbole_dsl.common.html_page import Bold, Page, Section, write_page
from recbole_dsl.common.text import short
from recbole_dsl.experiments.tuning import attempts, figures
from recbole_dsl.experiments.tuning.attempts import StudyState
from recbole_dsl.experiments.tuning.plan import Plan

# With fewer complete trials, importance reflects chance more than the settings.
_TRIALS_FOR_IMPORTANCE = 10


def write(plan: Plan, state: StudyState, report: dict[str, Any]) -> str:
    """Write the page of a study.

    Args:
        state: of the study. report: what :func:`recbole_dsl.experiments.tuning.search.tune`
            returns.
    Returns:
        Its path.
    """
    path = Path(plan.output) / "tuning.html"
    intro = (
        f"The search did not look at the test rows. Epochs are counted from 1 here, and from 0 in "
        f"logs and result files.\n\n{plan.command}"
    )
    title = f"Tuning of {plan.model} on {plan.dataset}"
    page = Page(title, list(_sections(plan, state, report)), [verdict(plan, state)], intro=intro)
    write_page(path, page)
    return str(path)


def verdict(plan: Plan, state: StudyState) -> str:
    """Which settings won, and how far they are ahead of the next and of the median trial."""
    # A trial with the settings of an earlier one has its score and says nothing new.
    ranked = [
        pair for pair in attempts.ranking(state, plan.bigger) if "same_as" not in pair[1].user_attrs
    ]
    (number, best), others = ranked[0], ranked[1:]
    values = ", ".join(f"{n} {short(v)}" for n, v in sorted(plan.decode(best.params).items()))
    text = f"Trial {number} is the best: {values}; {plan.metric} {best.values[0]:.4f} on validation"
    if (epoch := best.user_attrs["best_epoch"]) is not None:
        text += f" in epoch {epoch + 1}"
    if not others:
        return f"{text}. It is the only one that ran to its end."
    sign = 1 if plan.bigger else -1
    second, middle = others[0][1].values[0], statistics.median(t.values[0] for _, t in ranked)
    return (
        f"{text}, {sign * (best.values[0] - second):.4f} ahead of trial {others[0][0]}, the next, "
        f"and {sign * (best.values[0] - middle):.4f} ahead of the median of {len(ranked)} trials. "
        f"Each ran once, with seed {plan.seed}: whether the next one is worse was not tested."
    )


def _sections(plan: Plan, state: StudyState, report: dict[str, Any]) -> Iterator[Section]:
    winner = report["trial"]
    rows = [["setting", "value", "tried"]]
    for name in sorted(plan.ranges):
        rows.append([name, Bold(short(report["best"][name])), str(plan.ranges[name])])
    yield Section("Settings of the winner", "In best.yaml, for --config_files.", table=rows)
    if scores := _scores(state.done[winner].user_attrs.get("valid"), report):
        text = "Trained again and tested once." if report["test"] else "It was not tested."
        yield Section("Scores of the winner", text, table=scores)
    text = "Each point is a trial; the line is the best so far."
    yield Section("Trials", text, (figures.history(plan, state, winner),))
    yield Section(
        "Score by setting",
        "Each complete trial over each setting that was tuned.",
        figures.settings(plan, state, winner),
    )
    if shares := importance(plan, state):
        text = (
            "How much each setting decides whether a trial is among the best, by Optuna's "
            "PED-ANOVA of the complete trials. With few trials this is a hint, no more."
        )
        yield Section("Importance of the settings", text, (figures.importance(shares),))
    text = (
        f"{plan.metric} on validation after each epoch. A curve that ends before the others "
        "was stopped without a gain, or ended early as hopeless."
    )
    yield Section("Epochs", text, (figures.curves(plan, state, winner),))
    yield Section("All trials", "Best first.", table=_table(plan, state, report))


def _scores(
    valid: Mapping[str, float] | None, report: Mapping[str, Any]
) -> list[list[object]] | None:
    """The winner's metrics on validation and on each test set."""
    columns = {"validation": valid or {}}
    if report.get("tests"):
        columns |= {f"{name} test": metrics for name, metrics in report["tests"].items()}
    elif report["test"]:
        columns["test"] = report["test"]
    names = list(dict.fromkeys(name for metrics in columns.values() for name in metrics))
    rows: list[list[object]] = [["metric", *columns]]
    for name in names:
        rows.append([name, *(f"{m[name]:.4f}" if name in m else "" for m in columns.values())])
    return rows if names else None


def importance(plan: Plan, state: StudyState) -> dict[str, float] | None:
    """Setting -> its share of the importance by Optuna's PED-ANOVA; None where there is little to
    explain: few trials, one setting, or scores that do not differ."""
    import optuna

    complete = list(state.complete.values())
    varied = {
        name for t in complete for name, v in t.params.items() if v != complete[0].params[name]
    }
    differ = len({trial.value for trial in complete}) > 1
    if len(complete) < _TRIALS_FOR_IMPORTANCE or not differ or len(varied) < 2:
        return None
    study = optuna.create_study(direction="maximize" if plan.bigger else "minimize")
    study.add_trials([trial for _, trial in sorted(state.done.items())])
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _table(plan: Plan, state: StudyState, report: dict[str, Any]) -> list[list[object]]:
    names = sorted(plan.ranges)
    rows: list[list[object]] = [["trial", plan.metric, "epoch", "seconds", *names, ""]]
    for row in report["table"]:
        valid = "" if row["valid"] is None else f"{row['valid']:.4f}"
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
        values = [short(row["settings"].get(name, "")) for name in names]
        epoch = "" if row["epoch"] is None else row["epoch"] + 1
        note = row["note"]
        if row["state"] == "pruned":  # the note counts epochs from 0
            note = (
                f"ended early after epoch {max(state.done[row['trial']].intermediate_values) + 1}"
            )
        rows.append([row["trial"], valid, epoch, seconds, *values, note])
    return rows
